"""An answer in the making: its text so far, and everybody who reads along.

Readers hold a place in the text and no queue, so any number of them may come, go and come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from chat.signal import Signal
from chat.storage.records import Message, StoredCall


@dataclass(frozen=True, slots=True)
class Started:
    """The answer as it stands, with the text so far."""

    answer: Message


@dataclass(frozen=True, slots=True)
class More:
    """More of its text, which begins at this many characters."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer as it is stored; `code` and `message` if it failed."""

    answer: Message
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ToolAsked:
    """The model wants to call this; the user's word is waited for."""

    call: StoredCall


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """It is being called."""

    call: StoredCall


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    """What it gave is in the message `output_id`."""

    call_id: str
    output_id: str
    failed: bool


Note = ToolAsked | ToolCalled | ToolAnswered
Step = Started | More | Ended | Note


class Exchange:
    """One answer. `add` and `end` are for who makes it, `follow` for readers, `stop` for all."""

    def __init__(self, owner: str, answer: Message) -> None:
        self.owner = owner
        self.text = answer.text
        self.ended: Ended | None = None
        self.growing = True
        self.stopped = asyncio.Event()
        self._told = self._stored = len(answer.text)
        self._answer = answer
        self._changed = Signal()
        self._over = asyncio.Event()
        self._notes: list[tuple[int, Note]] = []
        self._asked: dict[str, asyncio.Future[bool]] = {}

    @property
    def answer(self) -> Message:
        """The answer as it stands."""
        return self.ended.answer if self.ended else replace(self._answer, text=self.text)

    def add(self, text: str) -> None:
        """More text came."""
        self.text += text
        self._tell()

    def untold(self) -> More | None:
        """What came since this was asked the last time."""
        more = More(self._told, self.text[self._told :])
        self._told = len(self.text)
        return more if more.text else None

    def unstored(self) -> bool:
        """Whether anything came since this was asked the last time."""
        before, self._stored = self._stored, len(self.text)
        return before < len(self.text)

    def note(self, note: Note) -> None:
        """A tool was asked for, called, or answered."""
        self._notes.append((len(self.text), note))
        self._tell()

    def ask(self, call: StoredCall) -> None:
        """Wait for the user's word on a call from now on."""
        self._asked[call.id] = asyncio.get_running_loop().create_future()

    def waits(self, call_id: str) -> bool:
        """Whether the user's word on it is waited for."""
        asked = self._asked.get(call_id)
        return asked is not None and not asked.done()

    def decide(self, call_id: str, allowed: bool) -> None:
        """The user's word."""
        if self.waits(call_id):
            self._asked[call_id].set_result(allowed)

    def settle(self, call_id: str) -> None:
        """It is not waited for any more."""
        self._asked.pop(call_id, None)

    async def decision(self, call_id: str) -> bool:
        """The user's word, once it is there."""
        return await self._asked[call_id]

    def end(self, ended: Ended) -> None:
        """It is stored as it will stay."""
        self.ended = ended
        self._tell()
        self._over.set()

    def stop(self) -> None:
        """Wish that it ends here."""
        self.stopped.set()

    async def over(self) -> Ended:
        """How it ended, once it has."""
        await self._over.wait()
        assert self.ended is not None  # noqa: S101  `end` sets both
        return self.ended

    async def follow(self, tick: float | None = None) -> AsyncGenerator[Step | None, None]:
        """The answer as it stands, what its tools did and do, what is added, and its end; None for
        every `tick` seconds in which nothing was.
        """
        yield Started(self.answer)
        place, seen = len(self.text), 0
        while True:
            upcoming = self._notes[seen] if seen < len(self._notes) else None
            until = len(self.text) if upcoming is None else upcoming[0]
            if place < until:
                yield More(place, self.text[place:until])
                place = until
            elif upcoming is not None:
                seen += 1
                yield upcoming[1]
            elif self.ended is not None:
                yield self.ended
                return
            elif not await self._changed.wait(tick):
                yield None

    def _tell(self) -> None:
        self._changed.notify()
