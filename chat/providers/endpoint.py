"""A language model behind HTTP: the connections to it, its refusals, and its stream of events.

Shared by the providers that speak to somebody else's server; what they say is in their own files.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, cast

import httpx2

from chat.errors import ChatError
from chat.providers import Delta, ProviderOptions, TextDelta

log = logging.getLogger(__name__)

Json = dict[str, Any]

IDLE_CONNECTION_SECONDS = 120.0
"""A connection outlives the pause between two turns, so that a turn pays no TLS handshake."""

RETRY_SECONDS = 0.3
"""Before the one retry of a request that got no answer; a spoken turn cannot wait for more."""

_WORTH_ANOTHER_TRY = frozenset({"llm_unreachable", "llm_overloaded"})
_OVERLOADED = frozenset({"overloaded_error", "rate_limit_error", "429", "503", "529"})
_EXPLANATION_CHARS = 2000
_DONE = "[DONE]"
_END_SECONDS = 0.5


class Reader(Protocol):
    """Turns the chunks of one stream into deltas."""

    @property
    def ended(self) -> bool:
        """Whether a chunk has given the reason why the reply ended."""
        ...

    @property
    def complete(self) -> bool:
        """Whether nothing more will come, as far as the chunks tell."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the model has begun: text, a call or hidden reasoning."""
        ...

    @property
    def empty(self) -> bool:
        """Whether there was neither text nor a tool call so far."""
        ...

    def feed(self, chunk: Mapping[str, Any]) -> str:
        """Take one chunk; returns the text in it. Raises `ValueError` if it is none."""
        ...

    def finish(self) -> list[Delta]:
        """The tool calls, then `Finished`."""
        ...


class Endpoint:
    """A connection pool to one server. `headers` carry the key."""

    def __init__(self, options: ProviderOptions, headers: Mapping[str, str]) -> None:
        self._options = options
        self._client = httpx2.AsyncClient(
            base_url=options.base_url.rstrip("/") + "/",
            headers=dict(headers),
            timeout=httpx2.Timeout(None, connect=options.connect_timeout),
            limits=httpx2.Limits(keepalive_expiry=IDLE_CONNECTION_SECONDS),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def send(self, method: str, path: str, body: Json | None = None) -> httpx2.Response:
        """A response whose body is not read yet. Raises `ChatError`."""
        try:
            request = self._client.build_request(method, path, json=body)
            return await self._client.send(request, stream=True)
        except httpx2.ConnectTimeout:
            raise too_slow() from None
        except httpx2.TransportError as error:
            raise unreachable() from error

    async def explanation(self, response: httpx2.Response) -> str:
        """What an unwelcome response says, logged without the key; closes it."""
        text = ""
        try:
            async for piece in response.aiter_text():
                text += piece
                if len(text) > _EXPLANATION_CHARS:
                    break
        except httpx2.TransportError:
            pass
        finally:
            await response.aclose()
        key = self._options.api_key.strip()
        text = text[:_EXPLANATION_CHARS].replace(key, "***") if key else text[:_EXPLANATION_CHARS]
        log.warning("language model provider: status %d: %s", response.status_code, text)
        return text

    async def json(self, path: str) -> Any:
        """What a GET of `path` gives. Raises `ChatError`, `ValueError` if it is not JSON."""
        response = await self.send("GET", path)
        try:
            if response.status_code != httpx2.codes.OK:
                await self.explanation(response)
                raise refusal(response)
            await response.aread()
            return response.json()
        except httpx2.TransportError as error:
            raise unreachable() from error
        finally:
            await response.aclose()

    async def stream(
        self, post: Callable[[], Awaitable[httpx2.Response]], reader: Reader
    ) -> AsyncGenerator[Delta, None]:
        """The reply that `post` gives, read by `reader`, with the timeouts of the options.

        Closing drops the connection, which ends the generation there.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.first_token_timeout
        response = await _open(post, deadline, self._options.retry)
        try:
            async with aclosing(_events(response)) as events:
                while (event := await _next_event(events, deadline)) and event.data != _DONE:
                    text = _read(reader, event.data)
                    if reader.alive:
                        deadline = loop.time() + self._options.between_tokens_timeout
                    if text:
                        yield TextDelta(text)
                    if reader.complete:
                        break
                if event is None and not reader.ended:
                    raise dropped()
                await _read_to_the_end(events)
        finally:
            await response.aclose()
        if reader.empty:
            raise ChatError("llm_empty", "the language model had nothing to say")
        for delta in reader.finish():
            yield delta


def check_address(base_url: str) -> None:
    """Raises `ChatError` `llm_unreachable` unless this is the address of a web server."""
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ChatError(
            "llm_unreachable", "the language model's base_url must begin with http:// or https://"
        )


def refusal(response: httpx2.Response) -> ChatError:
    """The error for a response that is not 200; its message tells nothing secret."""
    match response.status_code:
        case 401 | 403:
            return ChatError("llm_refused", "the language model provider did not accept our key")
        case 404:
            return ChatError("llm_refused", "the language model provider does not know the model")
        case 408 | 504:
            return too_slow()
        case 429 | 503 | 529:
            wait = retry_after(response.headers, datetime.now(UTC))
            return _overloaded(wait)
        case status if 400 <= status < 500:
            return ChatError("llm_refused", "the language model provider refused the request")
        case _:
            return ChatError("llm_failed", "the language model provider failed")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for, given as seconds or as a date (RFC 9110, 10.2.3)."""
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def too_slow() -> ChatError:
    """Nothing came in time."""
    return ChatError("llm_timeout", "the language model provider took too long")


def unreachable() -> ChatError:
    """No connection, or it broke before an answer."""
    return ChatError("llm_unreachable", "the language model provider cannot be reached")


def dropped() -> ChatError:
    """The stream ended before the reply did."""
    return ChatError("llm_dropped", "the language model provider broke off its reply")


def unreadable() -> ChatError:
    """What came is not what this kind of server sends."""
    return ChatError("llm_failed", "the language model provider sent something unreadable")


def _overloaded(wait: float | None = None) -> ChatError:
    return ChatError(
        "llm_overloaded", "the language model provider is overloaded", retry_after=wait
    )


async def _open(
    post: Callable[[], Awaitable[httpx2.Response]], deadline: float, retry: bool
) -> httpx2.Response:
    """A good response whose body is not read yet; one more try where that may help."""
    try:
        async with asyncio.timeout_at(deadline):
            try:
                return await post()
            except ChatError as error:
                if not retry or error.code not in _WORTH_ANOTHER_TRY:
                    raise
            await asyncio.sleep(RETRY_SECONDS)
            return await post()
    except TimeoutError:
        raise too_slow() from None


def _events(response: httpx2.Response) -> AsyncGenerator[httpx2.ServerSentEvent, None]:
    # It is a generator, whatever its annotation says, and left to the collector it would be
    # closed at any time.
    return cast("AsyncGenerator[httpx2.ServerSentEvent, None]", aiter(httpx2.EventSource(response)))


async def _read_to_the_end(events: AsyncIterator[httpx2.ServerSentEvent]) -> None:
    """Read what follows the last event: only a response read to its end frees its connection."""
    try:
        async with asyncio.timeout(_END_SECONDS):
            await anext(events, None)
    except (TimeoutError, httpx2.TransportError):
        pass


async def _next_event(
    events: AsyncIterator[httpx2.ServerSentEvent], deadline: float
) -> httpx2.ServerSentEvent | None:
    """The next event, None at the end of the stream."""
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(events, None)
    except TimeoutError:
        raise too_slow() from None
    except httpx2.SSEError as error:
        raise unreadable() from error
    except httpx2.TransportError as error:
        raise dropped() from error


def _read(reader: Reader, data: str) -> str:
    """Feed the chunk in an event to `reader`; returns the text in it."""
    try:
        chunk = json.loads(data)
        if isinstance(chunk, dict) and (chunk.get("error") or chunk.get("object") == "error"):
            raise _stream_error(chunk)
        return reader.feed(chunk)
    except ValueError as error:
        raise unreadable() from error


def _stream_error(chunk: Json) -> ChatError:
    """The error that a provider reports inside its stream, where the status was 200 already."""
    said = chunk["error"] if isinstance(chunk.get("error"), dict) else chunk
    kinds = {str(said.get(name)) for name in ("type", "code", "status")}
    log.warning("language model provider: error inside the stream: %s", ", ".join(sorted(kinds)))
    if kinds & _OVERLOADED:
        return _overloaded()
    return ChatError("llm_failed", "the language model provider failed")
