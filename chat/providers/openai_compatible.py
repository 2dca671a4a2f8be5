"""Any server that speaks OpenAI's chat completions: OpenAI, Ollama, llama-server, vLLM and so on.

Plain HTTP and server-sent events; what such servers disagree about is listed in `_concessions`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence, Set
from contextlib import aclosing
from typing import cast

import httpx2

from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Message, ProviderOptions, TextDelta
from chat.providers.chat_completions import SAMPLING, Json, StreamReader, request_body

log = logging.getLogger(__name__)

IDLE_CONNECTION_SECONDS = 120.0
"""A connection outlives the pause between two turns, so that a turn pays no TLS handshake."""

RETRY_SECONDS = 0.3
"""Before the one retry of a request that got no answer; a spoken turn cannot wait for more."""

_WORTH_ANOTHER_TRY = frozenset({"llm_unreachable", "llm_overloaded"})
_EXPLANATION_CHARS = 2000
_DONE = "[DONE]"
_END_SECONDS = 0.5


def load(options: ProviderOptions) -> OpenAiCompatible:
    """Make the client; nothing is sent yet. `ChatError` `llm_unreachable` for a bad address."""
    try:
        url = httpx2.URL(options.base_url)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ChatError(
            "llm_unreachable", "the language model's base_url must begin with http:// or https://"
        )
    return OpenAiCompatible(options)


class OpenAiCompatible:
    """A connection pool to one server and the name of one model there."""

    def __init__(self, options: ProviderOptions) -> None:
        self.name = options.model
        self.device = "remote"
        self._options = options
        self._conceded: set[str] = set()
        key = options.api_key.strip()
        self._client = httpx2.AsyncClient(
            base_url=options.base_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(None, connect=options.connect_timeout),
            limits=httpx2.Limits(keepalive_expiry=IDLE_CONNECTION_SECONDS),
        )

    async def expect(self, messages: Sequence[Message]) -> None:
        """Nothing: whoever runs the endpoint would be paid for the prompt twice."""

    async def warm(self, messages: Sequence[Message]) -> None:
        """Ask for one token: connects, and has a local server load the model and the prompt.

        Raises `ChatError`, for the caller to log: a provider may come up later.
        """
        async with aclosing(self.respond(messages, ChatOptions(max_tokens=1))) as deltas:
            try:
                async for _ in deltas:
                    pass
            except ChatError as error:
                if error.code != "llm_empty":
                    raise

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply; see `Llm`. Closing drops the connection, which ends the generation."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.first_token_timeout
        reader = StreamReader()
        response = await self._open(request_body(messages, options), deadline)
        try:
            async with aclosing(_events(response)) as events:
                while (event := await _next_event(events, deadline)) and event.data != _DONE:
                    text = _read(reader, event.data)
                    if not reader.empty:
                        deadline = loop.time() + self._options.between_tokens_timeout
                    if text:
                        yield TextDelta(text)
                if event is None and not reader.ended:
                    raise _dropped()
                await _read_to_the_end(events)
        finally:
            await response.aclose()
        if reader.empty:
            raise ChatError("llm_empty", "the language model had nothing to say")
        for delta in reader.finish():
            yield delta

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _open(self, body: Json, deadline: float) -> httpx2.Response:
        """A good response whose body is not read yet; one more try where that may help."""
        try:
            async with asyncio.timeout_at(deadline):
                try:
                    return await self._post(body)
                except ChatError as error:
                    if error.code not in _WORTH_ANOTHER_TRY:
                        raise
                await asyncio.sleep(RETRY_SECONDS)
                return await self._post(body)
        except TimeoutError:
            raise _too_slow() from None

    async def _post(self, body: Json) -> httpx2.Response:
        if not self.name:
            self.name = await self._first_model()
        while True:
            adapted = _adapted({**body, "model": self.name}, self._conceded)
            response = await self._send("POST", "chat/completions", adapted)
            if response.status_code == httpx2.codes.OK:
                return response
            explanation = await self._explanation(response)
            more = _concessions(response.status_code, explanation)
            if more <= self._conceded:
                raise _unsupported(body, explanation) or refusal(response.status_code)
            self._conceded |= more

    async def _first_model(self) -> str:
        response = await self._send("GET", "models")
        try:
            if response.status_code != httpx2.codes.OK:
                await self._explanation(response)
                raise refusal(response.status_code)
            await response.aread()
            return str(response.json()["data"][0]["id"])
        except httpx2.TransportError as error:
            raise _unreachable() from error
        except (ValueError, LookupError, TypeError) as error:
            raise ChatError(
                "llm_failed", "the language model provider offers no model; name one"
            ) from error
        finally:
            await response.aclose()

    async def _send(self, method: str, path: str, body: Json | None = None) -> httpx2.Response:
        try:
            request = self._client.build_request(method, path, json=body)
            return await self._client.send(request, stream=True)
        except httpx2.ConnectTimeout:
            raise _too_slow() from None
        except httpx2.TransportError as error:
            raise _unreachable() from error

    async def _explanation(self, response: httpx2.Response) -> str:
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


def refusal(status: int) -> ChatError:
    """The error for an HTTP status that is not 200; its message tells nothing secret."""
    match status:
        case 401 | 403:
            return ChatError("llm_refused", "the language model provider did not accept our key")
        case 404:
            return ChatError("llm_refused", "the language model provider does not know the model")
        case 408 | 504:
            return _too_slow()
        case 429 | 503 | 529:
            return ChatError("llm_overloaded", "the language model provider is overloaded")
        case _ if 400 <= status < 500:
            return ChatError("llm_refused", "the language model provider refused the request")
        case _:
            return ChatError("llm_failed", "the language model provider failed")


def _concessions(status: int, explanation: str) -> set[str]:
    """Which fields of our request this server does not take, from how it refused."""
    if status not in {400, 422}:
        return set()
    unsupported = "unsupported" in explanation.lower()
    named = {"stream_options"} | ({"max_tokens", "temperature"} if unsupported else set())
    return {field for field in named if field in explanation}


def _unsupported(body: Json, explanation: str) -> ChatError | None:
    """The error for a sampling field that this model does not take, if that is what was said."""
    if "unsupported" not in explanation.lower():
        return None
    for name in SAMPLING:
        if name in body and re.search(rf"\b{name}\b", explanation):
            return ChatError("unsupported_parameter", f"the language model does not take {name}")
    return None


def _adapted(body: Json, conceded: Set[str]) -> Json:
    """`body` without the conceded fields; OpenAI's reasoning models have another `max_tokens`."""
    adapted = {field: value for field, value in body.items() if field not in conceded}
    if "max_tokens" in conceded:
        adapted["max_completion_tokens"] = body["max_tokens"]
    return adapted


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
        raise _too_slow() from None
    except httpx2.SSEError as error:
        raise _unreadable() from error
    except httpx2.TransportError as error:
        raise _dropped() from error


def _read(reader: StreamReader, data: str) -> str:
    """Feed the chunk in an event to `reader`; returns the text in it."""
    try:
        chunk = json.loads(data)
        if isinstance(chunk, dict) and chunk.get("error"):
            log.warning("language model provider: error inside the stream")
            raise ChatError("llm_failed", "the language model provider failed")
        return reader.feed(chunk)
    except ValueError as error:
        raise _unreadable() from error


def _too_slow() -> ChatError:
    return ChatError("llm_timeout", "the language model provider took too long")


def _unreachable() -> ChatError:
    return ChatError("llm_unreachable", "the language model provider cannot be reached")


def _dropped() -> ChatError:
    return ChatError("llm_dropped", "the language model provider broke off its reply")


def _unreadable() -> ChatError:
    return ChatError("llm_failed", "the language model provider sent something unreadable")
