"""Server-sent events: the lines of one, and a response that keeps a quiet connection alive.

The format is that of the HTML standard, 9.2.6.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import StreamingResponse

log = logging.getLogger(__name__)

BEAT = b": \n\n"
"""A comment: it tells proxies and both ends that the connection lives."""

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
    events: AsyncGenerator[Event, None], seconds: float
) -> AsyncGenerator[bytes, None]:
    """The events as bytes, with a heartbeat whenever there is none for `seconds`.

    Closing it, or cancelling who iterates it, closes `events`.
    """
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    async with aclosing(events):
        upcoming: asyncio.Task[Event | None] | None = None
        try:
            while True:
                upcoming = upcoming or asyncio.create_task(_next(events))
                done, _ = await asyncio.wait((upcoming,), timeout=seconds)
                if not done:
                    yield BEAT
                    continue
                event, upcoming = upcoming.result(), None
                if event is None:
                    return
                yield lines(event)
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.wait((upcoming,))


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


def stream(
    events: AsyncGenerator[Event, None], *, heartbeat: float, status: int = 200
) -> StreamingResponse:
    """The response that sends `events`."""

    async def guarded() -> AsyncIterator[bytes]:
        async with aclosing(beating(events, heartbeat)) as pieces:
            try:
                async for piece in pieces:
                    yield piece
            except Exception:
                # The status is long sent: what is left is to end, and the reader comes back.
                log.exception("a stream of events failed")

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(guarded(), status, headers, "text/event-stream")
