"""The chat core as this service runs it: storage, jobs, text chat, and its API, put together."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from starlette.requests import Request
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from chat import api
from chat.answerers import answerers_of
from chat.answering import INSTRUCTIONS, Answerer
from chat.api.live import Hub
from chat.errors import ChatError
from chat.jobs.cleaning import Keeping
from chat.jobs.in_process import InProcessJobs
from chat.jobs.kinds import Backups, all_kinds, all_repeated
from chat.jobs.mail import MailServer
from chat.notebook import Notebook, Recorder
from chat.providers import ChatOptions, Llm, Message, TextDelta
from chat.providers.config import shown
from chat.providers.metered import Metered
from chat.providers.pool import Pool
from chat.storage import Storage, messages, open_storage
from chat.storage.records import Conversation, now
from chat.talk import Talk
from chat.tools import Consent
from chat.tools.inside import WithTools
from chat.tools.toolbox import Toolbox
from chat.usage_rows import UsageRows
from voice.audio import SPOKEN_RATE
from voice.rest.openapi import document
from voice.settings import Settings

log = logging.getLogger(__name__)

UNFINISHED = timedelta(minutes=10)
"""An answer that has grown for so long is nobody's any more. Others may share the database."""

TITLE_TOKENS = 24
TITLE_AFTER = timedelta(seconds=8)
"""After a spoken exchange: its reply is being said now, and whoever hears it goes first."""


class Admission(Protocol):
    """Who a request acts for, and whether it still may."""

    def who(self, request: Request) -> str:
        """The owner."""
        ...

    def stands(self, request: Request) -> bool:
        """Whether what it was let in by is good still."""
        ...


class Library:
    """Everything that is left of conversations. `open_library` makes one."""

    def __init__(self, settings: Settings, storage: Storage, door: Admission) -> None:
        self.storage = storage
        self._pool: Pool | None = None
        self._usage = UsageRows(storage)
        self._hub = Hub()
        self._jobs = _queue(settings, storage, self)
        self._toolbox: Toolbox | None = None
        self._talk = Talk(
            storage,
            self.find_answerer,
            tell=self.tell,
            first_exchange=self._first_exchange,
            remember=self._decide,
            outgrown=self._outgrown,
        )
        self.notebook = Notebook(
            storage,
            tell=self.tell,
            first_exchange=self._first_spoken,
            recorder=Recorder(_flac, ".flac") if settings.storage.recordings else None,
        )
        self._instructions = settings.llm.instructions or INSTRUCTIONS
        self._temperature = settings.llm.temperature
        core = api.Core(
            storage=storage,
            talk=self._talk,
            jobs=self._jobs,
            live=self._hub,
            data_dir=settings.data_dir,
            models=self._models,
            who=door.who,
            stands=door.stands,
            tools=lambda: self._toolbox,
            others=lambda: [document()],
        )
        self._router = Router(routes=api.routes(core))
        self._working = asyncio.create_task(self._jobs.run())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to `/api`."""
        await self._router(scope, receive, send)

    def use(self, pool: Pool) -> None:
        """The language models are loaded."""
        self._pool = pool
        self._toolbox = Toolbox(pool.file, self.storage)

    def used_by(self, llm: Llm, owner: str) -> Llm:
        """`llm` as `owner` speaks with it: counted, capped, and with the tools that they allow."""
        if self._pool is None or (box := self._toolbox) is None:
            return llm
        metered = Metered(llm, owner, self._usage, self._pool.file.caps.caps())
        return WithTools(metered, lambda: box.of(owner), box.bounds)

    def tell(self, owner: str, kind: str, value: Any) -> None:
        """Tell all open pages of `owner` of a change."""
        self._hub.publish(owner, kind, api.told(value))

    async def ask(self, messages: Sequence[Message]) -> str:
        """A short answer of the default model's. Raises `ChatError`."""
        options = ChatOptions(max_tokens=TITLE_TOKENS, temperature=0.0)
        deltas = self._loaded().llm().respond(messages, options)
        return "".join([delta.text async for delta in deltas if isinstance(delta, TextDelta)])

    async def close(self) -> None:
        """End what is under way; what came of it is stored."""
        self._working.cancel()
        with suppress(asyncio.CancelledError):
            await self._working
        await self._talk.close()
        if self._toolbox is not None:
            await self._toolbox.close()
        if hasattr(self._jobs, "close"):
            await self._jobs.close()
        await self.storage.close()

    def _loaded(self) -> Pool:
        if self._pool is None:
            raise ChatError("not_ready", "the models are still being loaded")
        return self._pool

    def _models(self) -> Sequence[api.Choice]:
        if self._pool is None:
            return ()
        return [api.Choice(one.name, one.tier, one.default) for one in shown(self._pool.file)]

    async def find_answerer(self, owner: str, name: str) -> Answerer:
        """Who answers `owner`, who asked for the model `name` (empty: theirs, or the default)."""
        find = answerers_of(
            self._loaded(),
            self.storage,
            instructions=self._instructions,
            temperature=self._temperature,
            toolbox=self._toolbox,
        )
        return await find(owner, name)

    async def _decide(self, owner: str, tool: str, consent: Consent) -> None:
        if self._toolbox is not None:
            await self._toolbox.decide(owner, tool, consent)

    async def _outgrown(
        self, owner: str, conversation_id: str, message_id: str, model: str
    ) -> None:
        payload = {"conversation_id": conversation_id, "message_id": message_id, "model": model}
        await self._jobs.enqueue(owner, "summary", payload, key=f"summary:{conversation_id}")

    async def _first_exchange(self, owner: str, conversation_id: str) -> None:
        await self._want_title(owner, conversation_id, timedelta(0))

    async def _first_spoken(self, owner: str, conversation_id: str) -> None:
        await self._want_title(owner, conversation_id, TITLE_AFTER)

    async def _want_title(self, owner: str, conversation_id: str, after: timedelta) -> None:
        payload = {"conversation_id": conversation_id}
        key = f"title:{conversation_id}"
        await self._jobs.enqueue(owner, "title", payload, run_at=now() + after, key=key)

    async def titled(self, owner: str, conversation: Conversation) -> None:
        """A conversation has a title of its own."""
        self.tell(owner, "conversation.updated", conversation)


def _flac(pcm16: bytes) -> bytes:
    """A recording without loss, in half the space, that every browser plays."""
    import soundfile  # noqa: PLC0415  native libraries are loaded by who needs them

    made = io.BytesIO()
    samples = np.frombuffer(pcm16, dtype="<i2")
    soundfile.write(made, samples, SPOKEN_RATE, format="FLAC", subtype="PCM_16")
    return made.getvalue()


async def open_library(settings: Settings, door: Admission) -> Library:
    """Open the storage, make or migrate its tables, and begin with what jobs are due.

    Raises `ChatError` `storage_url`, `storage_failed`.
    """
    url = settings.storage.url.get_secret_value()
    storage = await open_storage(url, data_dir=settings.data_dir)
    # Answers that this process, or one before it, did not come to the end of.
    await messages.settle(storage, before=now() - UNFINISHED)
    return Library(settings, storage, door)


def _queue(settings: Settings, storage: Storage, library: Library) -> InProcessJobs:
    kept, mail = settings.storage, settings.mail
    backups = None
    if kept.backup_hours:
        backups = Backups(
            settings.data_dir / "backups",
            keep=kept.backup_keep,
            every=timedelta(hours=kept.backup_hours),
            at=timedelta(0),
            passphrase=kept.backup_passphrase.get_secret_value() or None,
        )
    server = MailServer(
        mail.host,
        mail.port,
        mail.sender,
        mail.security,
        mail.user,
        mail.password.get_secret_value(),
    )
    kinds = all_kinds(
        storage,
        settings.data_dir,
        library.ask,
        # What the starter model says is looked at twice.
        strict_titles=not settings.providers_file and not settings.llm.base_url,
        title_changed=library.titled,
        find_answerer=library.find_answerer,
        keeping=Keeping(deleted=timedelta(seconds=kept.undo_seconds)),
        backups=backups,
        mail=server if mail.host else None,
    )
    schedule = all_repeated(backups)
    if url := settings.jobs.url.get_secret_value():
        # Its libraries are loaded only where they are wanted.
        saq: Any = import_module("chat.jobs.saq_queue")
        made: InProcessJobs = saq.SaqJobs(storage, kinds, url, schedule=schedule)
        return made
    return InProcessJobs(storage, kinds, schedule=schedule)
