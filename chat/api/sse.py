"""Server-sent events: the lines of one, and a response that keeps a quiet connection alive.

The format is that of the HTML standard, 9.2.6.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import StreamingResponse

log = logging.getLogger(__name__)

BEAT = b": \n\n"
"""A comment: it tells proxies and both ends that the connection lives."""

LOOK_SECONDS = 1.0
"""How often the key behind an open stream is looked at again."""

RETRY_MILLISECONDS = 2000
"""How long a browser waits before it connects again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` becomes JSON, which has no line breaks. `id` is for Last-Event-ID."""

    kind: str
    data: Any
    id: str = ""


def lines(event: Event) -> bytes:
    """The event as it is sent."""
    named = f"id: {event.id}\n" if event.id else ""
    data = event.data if isinstance(event.data, bytes) else msgspec.json.encode(event.data)
    return f"{named}event: {event.kind}\ndata: ".encode() + data + b"\n\n"


async def beating(
    events: AsyncGenerator[Event | None, None], seconds: float, stands: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    """The events as bytes, with a heartbeat whenever there is none for `seconds`.

    It ends when who reads may not any more, which is looked at once a second. Closing it, or
    cancelling who iterates it, closes `events`.
    """
    clock = asyncio.get_running_loop().time
    checked = sent = clock()
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    async with aclosing(events):
        async for event in events:
            now = clock()
            if now - checked >= LOOK_SECONDS:
                checked = now
                if not stands():
                    return
            if event is not None:
                sent = now
                yield lines(event)
            elif now - sent >= seconds:
                sent = now
                yield BEAT


def tick(heartbeat: float) -> float:
    """How often a source of events must give a sign of life."""
    return min(LOOK_SECONDS, heartbeat)


def stream(
    events: AsyncGenerator[Event | None, None],
    *,
    heartbeat: float,
    stands: Callable[[], bool],
    status: int = 200,
) -> StreamingResponse:
    """The response that sends `events`, which gives None every `tick(heartbeat)` seconds in which
    there are none.
    """

    async def guarded() -> AsyncIterator[bytes]:
        async with aclosing(beating(events, heartbeat, stands)) as pieces:
            try:
                async for piece in pieces:
                    yield piece
            except Exception:
                # The status is long sent: what is left is to end, and the reader comes back.
                log.exception("a stream of events failed")

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(guarded(), status, headers, "text/event-stream")
