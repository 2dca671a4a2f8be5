"""What every endpoint has in common: engines or a refusal, room for it, errors, bounded bodies."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from chat.errors import ChatError
from voice import metrics
from voice.errors import VoiceError
from voice.guard import shown_error
from voice.keys import Door
from voice.rest.errors import BadRequest, refuse, status_of, told
from voice.session import Engines
from voice.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

JSON_BYTES = 4 * 2**20
"""Largest JSON body."""


@dataclass(slots=True)
class Rest:
    """What endpoints work with; `engines` gives None while models are loading."""

    settings: Settings
    engines: Callable[[], Engines | None]
    door: Door
    running: int = 0

    def ready(self) -> Engines:
        """The engines. Raises `VoiceError` with code `not_ready`."""
        engines = self.engines()
        if engines is None:
            raise VoiceError("the models are still being loaded", code="not_ready")
        return engines


Handle = Callable[[Rest, Request], Awaitable[Response]]


class Endpoint:
    """The ASGI application around the handlers of a path, by method: their errors become answers,
    and only so many requests are served at a time.
    """

    def __init__(self, rest: Rest, handlers: Mapping[str, Handle]) -> None:
        self.handlers = handlers
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, to the end of its stream."""
        self._rest.running += 1
        try:
            try:
                response = await self._respond(Request(scope, receive))
            except ClientDisconnect:
                return
            await response(scope, receive, send)
        finally:
            self._rest.running -= 1

    async def _respond(self, request: Request) -> Response:
        try:
            if (handle := self.handlers.get(request.method)) is None:
                # Starlette's own check would pass the request on to the page's files.
                raise HTTPException(405, headers={"allow": ", ".join(self.handlers)})
            if self._rest.running > self._rest.settings.limits.requests:
                raise VoiceError("too many requests are being served", code="too_many_requests")
            return await handle(self._rest, request)
        except (VoiceError, ChatError) as error:
            metrics.ERRORS.labels(error.code).inc()
            return refuse(error)
        except (ClientDisconnect, HTTPException):
            raise
        except Exception:
            log.exception("an HTTP request failed")
            metrics.ERRORS.labels("internal_error").inc()
            return refuse(VoiceError("internal error"))


def bounded(request: Request, limit: int) -> Request:
    """The request, whose body ends in `BadRequest` `body_too_large` after `limit` bytes."""
    taken = 0
    too_large = BadRequest(f"the body has more than {limit} bytes", code="body_too_large")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large

    async def receive() -> Any:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise too_large
        return message

    return Request(request.scope, receive)


async def read_json(request: Request, kind: type[T]) -> T:
    """The body as a `kind`. Raises `BadRequest` naming the field that is wrong."""
    body = await bounded(request, JSON_BYTES).body()
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not JSON", code="invalid_json") from None


def wrong_field(error: msgspec.ValidationError) -> BadRequest:
    """msgspec's complaint, with the path it names as `param`."""
    text = str(error)
    at = re.search(r" - at `(?:key in )?\$\.?([^`]*)`$", text)
    return BadRequest(
        text[: at.start()] if at else text, code="invalid_value", param=(at and at[1]) or None
    )


def whole_text(text: str) -> str:
    """`text` without what is no text: lone surrogates are replaced, NUL characters left out."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")


async def primed(pieces: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The same pieces, the first already made: what fails before it still can be refused."""
    first = await anext(pieces, None)

    async def all_of_them() -> AsyncGenerator[T, None]:
        async with aclosing(pieces):
            if first is not None:
                yield first
            async for piece in pieces:
                yield piece

    return all_of_them()


async def stream_events(events: AsyncGenerator[Any, None], *, done: bool = False) -> Response:
    """Server-sent events, one for each of `events`, and `[DONE]` at the end if that is wanted.

    An error after the first event becomes the last one, `{"error": ...}`, as OpenAI's clients
    expect it.
    """
    started = await primed(events)

    async def lines() -> AsyncIterator[bytes]:
        async with aclosing(started):
            try:
                async for event in started:
                    yield _event(event)
                if done:
                    yield b"data: [DONE]\n\n"
            except (VoiceError, ChatError) as error:
                metrics.ERRORS.labels(error.code).inc()
                yield _event(shown_error(told(error), status_of(error.code)))
            except Exception:
                log.exception("a streamed answer failed")
                yield _event(shown_error(VoiceError("internal error"), 500))

    headers = {"cache-control": "no-cache"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


def _event(event: Any) -> bytes:
    return b"data: " + msgspec.json.encode(event) + b"\n\n"
