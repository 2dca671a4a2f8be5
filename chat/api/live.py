"""Changes of an owner's conversations, told to all of the owner's open pages.

A ring of the newest events for each owner; a page that was away shortly gets what it missed
(Last-Event-ID), one that was away for longer is told to load anew. Readers hold a place in the
ring and no queue, so a slow one costs nothing. In one process: a second one has a hub of its own.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from chat.api.sse import Event
from chat.errors import ChatError
from chat.signal import Signal

RESET = "reset"
"""The kind of event that says: something was missed, load anew."""


class _Ring:
    """An owner's newest events: `(number, kind, JSON)`; `first` is the number of the oldest."""

    def __init__(self, kept: int) -> None:
        self.events: deque[tuple[int, str, bytes]] = deque(maxlen=kept)
        self.upcoming = 1
        self.changed = Signal()
        self.readers = 0

    @property
    def first(self) -> int:
        return self.events[0][0] if self.events else self.upcoming


class Hub:
    """Who publishes never waits; who follows gets everything in order, or is told to load anew."""

    def __init__(self, *, kept: int = 1024, owners: int = 1000, readers: int = 64) -> None:
        """Keep the newest `kept` events of the `owners` last active ones; `readers` for each."""
        self._kept, self._owners, self._readers = kept, owners, readers
        self._rings: OrderedDict[str, _Ring] = OrderedDict()
        self._epoch = secrets.token_hex(4)

    def publish(self, owner: str, kind: str, data: Any) -> None:
        """Tell all pages of `owner`; `data` becomes JSON."""
        ring = self._ring(owner)
        ring.events.append((ring.upcoming, kind, msgspec.json.encode(data)))
        ring.upcoming += 1
        ring.changed.notify()

    def follow(
        self, owner: str, after: str | None = None, *, tick: float | None = None
    ) -> AsyncGenerator[Event | None, None]:
        """What happens from now on, or after the event with the id `after`; None for every `tick`
        seconds in which nothing did.

        Begins with `hello`, whose id is where this reader stands. Raises `ChatError`
        `too_many_streams`.
        """
        ring = self._ring(owner)
        if ring.readers >= self._readers:
            raise ChatError("too_many_streams", "too many pages are open for live updates")
        return self._follow(ring, after, tick)

    def readers(self, owner: str) -> int:
        """How many follow."""
        ring = self._rings.get(owner)
        return ring.readers if ring else 0

    async def _follow(
        self, ring: _Ring, after: str | None, tick: float | None
    ) -> AsyncGenerator[Event | None, None]:
        ring.readers += 1
        try:
            place = self._place(ring, after)
            missed = place is None
            place = ring.upcoming if place is None else place
            yield Event("hello", {}, self._id(place - 1))
            if missed:
                yield Event(RESET, {}, self._id(place - 1))
            while True:
                if place < ring.first:
                    place = ring.upcoming
                    yield Event(RESET, {}, self._id(place - 1))
                elif place < ring.upcoming:
                    number, kind, data = ring.events[place - ring.first]
                    place = number + 1
                    yield Event(kind, data, self._id(number))
                elif not await ring.changed.wait(tick):
                    yield None
        finally:
            ring.readers -= 1

    def _place(self, ring: _Ring, after: str | None) -> int | None:
        """The number that comes next for who has seen `after`; None if that can't be told."""
        if after is None:
            return ring.upcoming
        epoch, _, number = after.partition("-")
        if epoch != self._epoch or not number.isdecimal() or len(number) > 15:
            return None
        place = int(number) + 1
        return place if ring.first <= place <= ring.upcoming else None

    def _id(self, number: int) -> str:
        return f"{self._epoch}-{number}"

    def _ring(self, owner: str) -> _Ring:
        ring = self._rings.get(owner)
        if ring is None:
            ring = self._rings[owner] = _Ring(self._kept)
            quiet = (
                name for name, old in self._rings.items() if not old.readers and old is not ring
            )
            if len(self._rings) > self._owners and (name := next(quiet, None)) is not None:
                del self._rings[name]
        self._rings.move_to_end(owner)
        return ring
