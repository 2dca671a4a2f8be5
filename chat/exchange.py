"""An answer in the making: its text so far, and everybody who reads along.

Readers hold a place in the text and no queue, so any number of them may come, go and come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from chat.storage.records import Message


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


Step = Started | More | Ended


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
        self._changed = asyncio.Event()
        self._over = asyncio.Event()

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

    async def follow(self) -> AsyncGenerator[Step, None]:
        """The answer as it stands, what is added to it, and its end."""
        yield Started(self.answer)
        place = len(self.text)
        while True:
            changed = self._changed
            if place < len(self.text):
                more = self.text[place:]
                yield More(place, more)
                place += len(more)
            elif self.ended is not None:
                yield self.ended
                return
            else:
                await changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
