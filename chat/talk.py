"""The text chat: a question is stored, answered, and the answer stored as it comes.

An exchange belongs to the server, not to the connection that asked: it goes on when the page is
closed, and whoever comes back reads along. What is told to a client is on the disk: the question
when the exchange has started, the answer when it is done. On the way the answer is stored every
second; what came before a failure or a stop is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from chat.answering import Answerer, generate, prompt_for
from chat.calling import Calling, Decision, Remember
from chat.errors import ChatError
from chat.exchange import Ended, Exchange, More
from chat.storage import Storage, conversations, messages, summaries
from chat.storage.growing import Grown, store_grown
from chat.storage.records import HEAD, Message, NewMessage

log = logging.getLogger(__name__)

STORE_SECONDS = 1.0
"""How much of an answer a killed process may lose: what came in this time."""

TELL_SECONDS = 0.25
"""How often other open pages are told of an answer's text."""

HISTORY_MESSAGES = 200
"""How many of a branch's newest messages are looked at for a prompt."""

KEEP_TRYING = (0.2, 1.0, 3.0)
"""Seconds between tries to store an answer's end in a storage that is busy."""


class Tell(Protocol):
    """Tells all of an owner's pages what happened to what: a record, or `{...}` for a delta."""

    def __call__(self, owner: str, kind: str, value: Any) -> None: ...


FindAnswerer = Callable[[str, str], Awaitable[Answerer]]
"""Owner and the name they asked for (empty: what they set, or the default) -> who answers.

Raises `ChatError` `llm_unknown`.
"""

FirstExchange = Callable[[str, str], Awaitable[None]]
"""Owner and conversation: it has its first answer, and a title to be made."""


Outgrown = Callable[[str, str, str, str], Awaitable[None]]
"""Owner, conversation, the branch's last message, model: a summary of its beginning is needed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question (None: it was there before) and the answer that is being made."""

    question: Message | None
    answer: Message


@dataclass(slots=True)
class _Running:
    """By conversation: at most one exchange each, so that no two write one branch."""

    exchanges: dict[tuple[str, str], Exchange | None] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    calling: dict[tuple[str, str], Calling] = field(default_factory=dict)
    ticking: asyncio.Task[None] | None = None


class Talk:
    """All exchanges that are under way."""

    def __init__(
        self,
        storage: Storage,
        find_answerer: FindAnswerer,
        *,
        tell: Tell,
        first_exchange: FirstExchange,
        remember: Remember | None = None,
        outgrown: Outgrown | None = None,
        most: int = 256,
        most_each: int = 256,
    ) -> None:
        """`most` exchanges at a time, `most_each` for one owner. `remember` keeps decisions about
        tools; `outgrown` is told of a branch that a summary is to be made of.
        """
        self._remember = remember or _forget
        self._outgrown = outgrown
        self._storage = storage
        self._find_answerer = find_answerer
        self._tell = tell
        self._first_exchange = first_exchange
        self._most, self._most_each = most, most_each
        self._running = _Running()

    async def ask(
        self,
        owner: str,
        conversation_id: str,
        text: str,
        *,
        id: str = "",  # noqa: A002  as the record calls it
        answer_id: str = "",
        attachments: Sequence[str] = (),
        model: str = "",
        parent_id: str | None = HEAD,
    ) -> Asked:
        """Store a question and begin to answer it. `parent_id`: where it stands, if not at the end.

        Raises `ChatError`: `not_found`, `exists`, `answer_running`, `too_many_answers`,
        `llm_unknown`, and what the storage raises.
        """
        question = NewMessage(
            "user", text, id=id, parent_id=parent_id, attachments=tuple(attachments)
        )
        return await self._begin(
            owner, conversation_id, [question], parent_id=HEAD, answer_id=answer_id, model=model
        )

    async def edit(
        self, owner: str, conversation_id: str, message_id: str, text: str, **asked: Any
    ) -> Asked:
        """Ask in other words: a version of the question, with an answer of its own. See `ask`."""
        old = await messages.get(self._storage, owner, conversation_id, message_id)
        if old.role != "user":
            raise ChatError("invalid_request", "only a question can be edited")
        parent = old.parent_id
        return await self.ask(owner, conversation_id, text, parent_id=parent, **asked)

    async def regenerate(
        self,
        owner: str,
        conversation_id: str,
        message_id: str,
        *,
        answer_id: str = "",
        model: str = "",
    ) -> Asked:
        """Answer once more, in the place of this answer or after this question. See `ask`."""
        old = await messages.get(self._storage, owner, conversation_id, message_id)
        if old.role not in ("user", "assistant"):
            raise ChatError("invalid_request", "only an answer can be made again")
        parent = old.id if old.role == "user" else old.parent_id
        if parent is None:
            raise ChatError("invalid_request", "there is no question before this")
        return await self._begin(
            owner, conversation_id, [], parent_id=parent, answer_id=answer_id, model=model
        )

    def find(self, owner: str, conversation_id: str, message_id: str) -> Exchange | None:
        """The exchange that makes this answer, if one does."""
        exchange = self._running.exchanges.get((owner, conversation_id))
        return exchange if exchange and exchange.answer.id == message_id else None

    async def stop(self, owner: str, conversation_id: str, message_id: str) -> Message:
        """End this answer here; what came is kept. Raises `not_found`, `not_running`."""
        exchange = self.find(owner, conversation_id, message_id)
        if exchange is None:
            await messages.get(self._storage, owner, conversation_id, message_id)
            raise ChatError("not_running", "this message is not being written")
        exchange.stop()
        return (await exchange.over()).answer

    async def decide(
        self, owner: str, conversation_id: str, message_id: str, call_id: str, decision: Decision
    ) -> None:
        """The user's word on a tool call of this answer. Raises `not_found`, `not_running`."""
        exchange = self.find(owner, conversation_id, message_id)
        calling = self._running.calling.get((owner, conversation_id))
        if exchange is None or calling is None:
            await messages.get(self._storage, owner, conversation_id, message_id)
            raise ChatError("not_running", "this message is not being written")
        await calling.decide(call_id, decision)

    async def stop_all(self, owner: str, conversation_id: str) -> None:
        """End what is being answered in this conversation."""
        if exchange := self._running.exchanges.get((owner, conversation_id)):
            exchange.stop()
            await exchange.over()

    async def close(self) -> None:
        """End all exchanges and wait until what came is stored."""
        for exchange in self._running.exchanges.values():
            if exchange is not None:
                exchange.stop()
        await asyncio.gather(*self._running.tasks, return_exceptions=True)
        if self._running.ticking is not None:
            self._running.ticking.cancel()
            await asyncio.wait((self._running.ticking,))

    async def _begin(
        self,
        owner: str,
        conversation_id: str,
        questions: list[NewMessage],
        *,
        parent_id: str,
        answer_id: str,
        model: str,
    ) -> Asked:
        place = (owner, conversation_id)
        self._check_room(place)
        self._running.exchanges[place] = None  # taken from here on: what follows awaits
        try:
            answerer = await self._find_answerer(owner, model)
            answer = NewMessage(
                "assistant",
                "",
                id=answer_id,
                parent_id=parent_id,
                status="streaming",
                model=answerer.name,
            )
            stored = await messages.append(
                self._storage, owner, conversation_id, *questions, answer
            )
        except BaseException:
            del self._running.exchanges[place]
            raise
        exchange = self._running.exchanges[place] = Exchange(owner, stored[-1])
        for message in stored:
            self._tell(owner, "message.created", message)
        task = asyncio.create_task(self._answer(exchange, answerer, conversation_id))
        self._running.tasks.add(task)
        if self._running.ticking is None or self._running.ticking.done():
            self._running.ticking = asyncio.create_task(self._tick())
        task.add_done_callback(self._running.tasks.discard)
        return Asked(stored[0] if questions else None, stored[-1])

    def _check_room(self, place: tuple[str, str]) -> None:
        running = self._running.exchanges
        if place in running:
            raise ChatError("answer_running", "an answer is being written here; stop it first")
        mine = sum(owner == place[0] for owner, _ in running)
        if len(running) >= self._most or mine >= self._most_each:
            raise ChatError("too_many_answers", "too many answers are being written; try again")

    async def _answer(self, exchange: Exchange, answerer: Answerer, conversation_id: str) -> None:
        owner = exchange.owner
        making = asyncio.create_task(self._make(exchange, answerer))
        stopping = asyncio.create_task(exchange.stopped.wait())
        try:
            await asyncio.wait((making, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not making.done():
                making.cancel()
                await asyncio.wait((making,))
            exchange.growing = False
            if (more := exchange.untold()) is not None:
                self._tell(owner, "message.delta", delta(exchange.answer, more))
            ended = await self._settle(exchange, making)
        except Exception:
            log.exception("an exchange failed")
            broken = replace(exchange.answer, status="failed", error="internal_error")
            ended = Ended(broken, "internal_error", "internal error")
        finally:
            stopping.cancel()
            del self._running.exchanges[owner, conversation_id]
            self._running.calling.pop((owner, conversation_id), None)
        if ended.code:
            failed = {"answer": ended.answer, "code": ended.code, "message": ended.message}
            self._tell(owner, "message.failed", failed)
        else:
            self._tell(owner, "message.done", {"answer": ended.answer})
        exchange.end(ended)
        await self._round_off(owner, conversation_id, ended)

    async def _make(self, exchange: Exchange, answerer: Answerer) -> Mapping[str, Any]:
        """Generate; what is to be stored beside the text."""
        answer = exchange.answer
        branch = await messages.page(
            self._storage,
            exchange.owner,
            answer.conversation_id,
            head=answer.id,
            limit=HISTORY_MESSAGES,
        )
        history = branch.messages[:-1]
        ids = [message.id for message in history]
        place = (exchange.owner, answer.conversation_id)
        summary = await summaries.newest(self._storage, *place, ids)
        prompt = await prompt_for(answerer, history, self._storage.files, summary=summary)
        if prompt.outgrown and self._outgrown is not None:
            await self._outgrown(*place, ids[-1], answerer.name)
        calling = Calling(exchange, self._storage, answerer.tools, self._remember, self._tell)
        self._running.calling[place] = calling
        return await generate(answerer, prompt.messages, exchange.add, calling)

    async def _tick(self) -> None:
        """Tell and store what came, for all exchanges together, while there are any."""
        clock = asyncio.get_running_loop().time
        stored_at = clock()
        while self._running.exchanges:
            await asyncio.sleep(TELL_SECONDS)
            exchanges = [one for one in self._running.exchanges.values() if one and one.growing]
            for exchange in exchanges:
                if (more := exchange.untold()) is not None:
                    self._tell(exchange.owner, "message.delta", delta(exchange.answer, more))
            if clock() - stored_at >= STORE_SECONDS:
                await self._store_all(exchanges)
                stored_at = clock()

    async def _store_all(self, exchanges: Sequence[Exchange]) -> None:
        grown = [
            Grown(one.owner, one.answer.conversation_id, one.answer.id, one.text)
            for one in exchanges
            if one.unstored()
        ]
        try:
            if grown:
                await store_grown(self._storage, grown)
        except ChatError as error:
            log.warning("answers could not be stored yet: %s", error.code)

    async def _settle(self, exchange: Exchange, making: asyncio.Task[Mapping[str, Any]]) -> Ended:
        """Store how it ended."""
        changes: dict[str, Any] = {"status": "complete"}
        code = message = ""
        if making.cancelled():
            changes = {"status": "interrupted"}
        elif (error := making.exception()) is None:
            changes |= making.result()
        else:
            code, message = _told(error)
            changes = {"status": "failed", "error": code}
        for pause in (*KEEP_TRYING, None):
            try:
                answer = await self._store(exchange, text=exchange.text, **changes)
            except ChatError as problem:
                if pause is None or problem.code not in ("storage_busy", "storage_failed"):
                    lost = replace(exchange.answer, status="failed", error=problem.code)
                    return Ended(lost, problem.code, problem.message)
                await asyncio.sleep(pause)
            else:
                return Ended(answer, code, message)
        raise AssertionError  # the last pause is None

    async def _store(self, exchange: Exchange, **changes: Any) -> Message:
        answer = exchange.answer
        return await messages.update(
            self._storage, exchange.owner, answer.conversation_id, answer.id, **changes
        )

    async def _round_off(self, owner: str, conversation_id: str, ended: Ended) -> None:
        """What follows an answer and may fail without harm to it."""
        try:
            conversation = await conversations.get(self._storage, owner, conversation_id)
            self._tell(owner, "conversation.updated", conversation)
            if conversation.title_source == "temporary" and ended.answer.status == "complete":
                await self._first_exchange(owner, conversation_id)
        except ChatError as error:
            if error.code != "not_found":  # deleted while it was answered
                log.warning("after an answer: %s", error.message)
        except Exception:
            log.exception("after an answer")


def delta(answer: Message, more: More) -> dict[str, Any]:
    """More of an answer, as pages are told."""
    return {
        "conversation_id": answer.conversation_id,
        "message_id": answer.id,
        "offset": more.offset,
        "text": more.text,
    }


async def _forget(owner: str, name: str, consent: str) -> None:
    pass


def _told(error: BaseException) -> tuple[str, str]:
    if isinstance(error, ChatError):
        return error.code, error.message
    log.error("an answer failed", exc_info=error)
    return "internal_error", "internal error"
