"""What waits to be sent to one client: holds what is speculative, drops what is stale.

Everything a reply says goes through here under its `Rev`, in order. Messages that belong to no
reply pass ahead of a reply's, so an error never waits behind audio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from voice.errors import Overloaded
from voice.events import Rev

M = TypeVar("M")


class Outgoing(NamedTuple, Generic[M]):
    """A message and the reply it belongs to (None: to none).

    `seconds` is how much audio it carries; `content` says that it is part of what the reply says
    (audio, words), and not of the frame around it, so that an interruption may leave it out.
    """

    message: M
    rev: Rev | None
    seconds: float = 0.0
    content: bool = False


class Outbox(Generic[M]):
    """Bounded by seconds of audio (then `room` waits) and by messages (then `put` refuses).

    Used from one event loop, by several producers and one consumer.
    """

    def __init__(self, *, seconds: float, messages: int) -> None:
        self._limit_seconds = seconds
        self._limit_messages = messages
        self._control: deque[Outgoing[M]] = deque()
        self._replies: deque[Outgoing[M]] = deque()
        self._held: dict[Rev, list[Outgoing[M]]] = {}
        self._dead: deque[Rev] = deque(maxlen=64)
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    @property
    def seconds(self) -> float:
        """Audio that waits, what is held included."""
        held = sum(out.seconds for outs in self._held.values() for out in outs)
        return held + sum(out.seconds for out in self._replies)

    @property
    def depth(self) -> int:
        """Messages that wait, what is held not included."""
        return len(self._control) + len(self._replies)

    def put(self, out: Outgoing[M]) -> None:
        """Queue a message. One of a reply that was dropped or cut is ignored.

        Raises `Overloaded` when the client has not read for so long that the bound is reached.
        """
        if out.rev is None:
            self._control.append(out)
        elif out.rev in self._dead:
            return
        elif out.rev in self._held:
            self._held[out.rev].append(out)
        else:
            self._replies.append(out)
        if self.depth > self._limit_messages:
            raise Overloaded("too much waits to be read by this client", code="client_too_slow")
        self._note_room()
        self._changed.set()

    def hold(self, rev: Rev) -> None:
        """Keep what comes for `rev` back until `release`."""
        self._held.setdefault(rev, [])

    def release(self, rev: Rev) -> None:
        """Let out what was held for `rev`, and what follows."""
        self._replies.extend(self._held.pop(rev, ()))
        self._changed.set()

    def drop(self, rev: Rev) -> None:
        """Forget everything of `rev`, what waits and what may still come."""
        self._dead.append(rev)
        self._held.pop(rev, None)
        self._replies = deque(out for out in self._replies if out.rev != rev)
        self._note_room()

    def cut(self, rev: Rev, last: Iterable[M]) -> None:
        """Interrupt `rev`: what it still had to say is dropped, the frame around it is kept and
        closed by the messages `last`; whatever may still come is ignored.
        """
        self.release(rev)
        self._replies = deque(o for o in self._replies if o.rev != rev or not o.content)
        self._replies.extend(Outgoing(message, rev) for message in last)
        self._dead.append(rev)
        self._note_room()
        self._changed.set()

    async def room(self) -> None:
        """Wait until less audio waits than the bound allows."""
        await self._drained.wait()

    async def get(self) -> Outgoing[M]:
        """Wait for the next message to send."""
        while not self.depth:
            self._changed.clear()
            await self._changed.wait()
        if self._control:
            return self._control.popleft()
        out = self._replies.popleft()
        self._note_room()
        return out

    def _note_room(self) -> None:
        if self.seconds < self._limit_seconds:
            self._drained.set()
        else:
            self._drained.clear()
