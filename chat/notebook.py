"""Spoken conversations written down: what was said and heard becomes messages like all others."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from chat.attachments import files
from chat.errors import ChatError
from chat.storage import Storage, conversations, messages
from chat.storage.records import Message, NewMessage
from chat.talk import FirstExchange, Tell

log = logging.getLogger(__name__)

HISTORY = 200
"""The newest messages of a conversation that is gone on with: more is in no model's context."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,56}")


@dataclass(frozen=True, slots=True)
class Recorder:
    """How what is said is kept as sound: `encode` (blocking) makes a file of PCM16."""

    encode: Callable[[bytes], bytes]
    suffix: str


class Changes(NamedTuple):
    """What is to be written: messages that are new, in order, and those that became others."""

    new: tuple[NewMessage, ...]
    other: tuple[NewMessage, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A stored conversation that a session goes on with: the branch shown, oldest first."""

    conversation_id: str
    messages: tuple[Message, ...]


def message_id(item_id: str) -> str:
    """The id of the message that the Realtime item `item_id` becomes; that of a message stays, and
    what follows a colon tells apart what one message holds.
    """
    item_id = item_id.partition(":")[0]
    prefix, _, rest = item_id.partition("_")
    if prefix == "msg" and _PLAIN.fullmatch(rest):
        return item_id
    if prefix == "item" and _PLAIN.fullmatch(rest):
        return f"msg_{rest}"
    return f"msg_{hashlib.sha256(item_id.encode()).hexdigest()[:40]}"


def compare(written: Mapping[str, NewMessage], said: Iterable[NewMessage]) -> Changes:
    """What is to be written so that all that was `said` (in order, with ids) is. Pure.

    Each message stands under the one before it: where that changed, because something was taken
    back and said in other words, the later one is another version of what stood there.
    """
    new: list[NewMessage] = []
    other: list[NewMessage] = []
    parent: str | None = None
    for message in said:
        before = written.get(message.id)
        if before is None:
            new.append(replace(message, parent_id=parent))
        elif replace(before, parent_id=message.parent_id) != message:
            other.append(message)
        parent = message.id
    return Changes(tuple(new), tuple(other))


class Notebook:
    """Where sessions write, each into one conversation of its owner's."""

    def __init__(
        self,
        storage: Storage,
        *,
        tell: Tell,
        first_exchange: FirstExchange,
        recorder: Recorder | None = None,
    ) -> None:
        """Without a `recorder` no sound is kept."""
        self._storage = storage
        self._recorder = recorder
        self._tell = tell
        self._first_exchange = first_exchange

    @property
    def records(self) -> bool:
        """Whether sound is kept."""
        return self._recorder is not None

    async def keep_sound(self, pcm16: bytes) -> str | None:
        """Write a recording; its name is for `NewMessage.audio`. None if it cannot be written."""
        if (recorder := self._recorder) is None:
            return None

        def write() -> str:
            sound = recorder.encode(pcm16)
            return files.save_sound(self._storage.files.parent, sound, recorder.suffix)

        try:
            return await asyncio.to_thread(write)
        except OSError as error:
            log.warning("a recording cannot be written: %s", error)
            return None

    async def open(self, owner: str, conversation_id: str) -> Page:
        """A conversation to go on with. Raises `ChatError` `not_found`."""
        page = await messages.page(self._storage, owner, conversation_id, limit=HISTORY)
        return Page(conversation_id, page.messages)

    async def begin(self, owner: str, *, ephemeral: bool = False) -> str:
        """A new conversation; returns its id."""
        made = await conversations.create(self._storage, owner, ephemeral=ephemeral)
        self._tell(owner, "conversation.created", made)
        return made.id

    async def write(self, owner: str, conversation_id: str, changes: Changes) -> None:
        """Write; what is written is on the disk when this returns. It may be tried again.

        Raises `ChatError`: `not_found` (it was deleted meanwhile), and what the storage raises.
        """
        for message in changes.new:
            (made,) = await messages.append(self._storage, owner, conversation_id, message)
            self._tell(owner, "message.created", made)
        for message in changes.other:
            made = await messages.update(
                self._storage,
                owner,
                conversation_id,
                message.id,
                text=message.text,
                status=message.status,
                cut=message.cut,
                model=message.model,
                prompt_tokens=message.prompt_tokens,
                completion_tokens=message.completion_tokens,
                timings=message.timings,
                audio=message.audio,
            )
            self._tell(owner, "message.updated", made)
        conversation = await conversations.get(self._storage, owner, conversation_id)
        self._tell(owner, "conversation.updated", conversation)
        answered = any(m.role == "assistant" and m.status != "streaming" for m in _all(changes))
        if answered and conversation.title_source == "temporary":
            await self._first_exchange(owner, conversation_id)


def _all(changes: Changes) -> Iterable[NewMessage]:
    return (*changes.new, *changes.other)


def gone(error: ChatError) -> bool:
    """Whether a conversation cannot be written to any more: it, or its owner, is no more."""
    return error.code == "not_found"
