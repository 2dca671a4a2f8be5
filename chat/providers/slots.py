"""Which prompt-cache slot a conversation gets.

A provider sees prompts, not conversations. A prompt that goes on where a slot's last prompt
stopped belongs there; anything else should take the slot nobody has used for longest, and not,
as llama.cpp would choose by itself, the one that shares the same system prompt with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from chat.errors import ChatError
from chat.providers import Message

BUSY_SECONDS = 5.0
"""How long a reply waits for a slot before `llm_overloaded`."""


@dataclass(slots=True)
class Slot:
    """One place in the model's batch and what its prompt cache holds."""

    number: int
    system: str = ""
    history: str = ""
    used: int = 0
    busy: bool = False


class Slots:
    """The slots of one model; used from one event loop."""

    def __init__(self, count: int) -> None:
        self._slots = [Slot(number) for number in range(count)]
        self._free = asyncio.Semaphore(count)
        self._clock = 0

    async def take(self, messages: Sequence[Message], *, oldest: bool = False) -> Slot:
        """The best idle slot for `messages`, or the least recently used one; marked busy.

        Raises `ChatError` `llm_overloaded` if there is none in `BUSY_SECONDS`.
        """
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise ChatError(
                "llm_overloaded", "the language model is busy with others; try again in a moment"
            ) from None
        system, history = _split(messages)
        idle = [slot for slot in self._slots if not slot.busy]
        slot = min(idle, key=_last_used) if oldest else choose(idle, system, history)
        self._clock += 1
        slot.system, slot.history, slot.used, slot.busy = system, history, self._clock, True
        return slot

    def give(self, slot: Slot) -> None:
        """Mark `slot` idle again."""
        slot.busy = False
        self._free.release()

    @property
    def idle(self) -> int:
        """How many slots could be taken now."""
        return sum(1 for slot in self._slots if not slot.busy)

    @property
    def unused(self) -> int:
        """How many slots have never been taken."""
        return sum(1 for slot in self._slots if not slot.used)


def choose(idle: Sequence[Slot], system: str, history: str) -> Slot:
    """The slot to evaluate a prompt in. Pure; `idle` must not be empty.

    First the one whose history the prompt goes on from (or revises its end: at least half of it
    stays), then one that was only warmed with this system prompt, then the least recently used.
    """

    def kept(slot: Slot) -> int:
        if slot.system != system or not slot.history:
            return 0
        common = _common_prefix(slot.history, history)
        return common if 2 * common >= len(slot.history) else 0

    def rank(slot: Slot) -> tuple[int, bool, int]:
        warmed = slot.system == system and not slot.history
        return kept(slot), warmed, -slot.used

    return max(idle, key=rank)


def _last_used(slot: Slot) -> int:
    return slot.used


def _split(messages: Sequence[Message]) -> tuple[str, str]:
    """The leading system text, and the rest as one text with roles."""
    system = list(takewhile(lambda message: message.role == "system", messages))
    rest = messages[len(system) :]
    return (
        "\n".join(message.text for message in system),
        "\n".join(f"{message.role}: {message.text}" for message in rest),
    )


def _common_prefix(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
