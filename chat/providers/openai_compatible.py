"""Any server that speaks OpenAI's chat completions: OpenAI, Ollama, llama-server, vLLM and so on.

Plain HTTP and server-sent events; what such servers disagree about is listed in `_concessions`
and in `chat_completions`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import httpx2

from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Message, ProviderOptions
from chat.providers.chat_completions import (
    SAMPLING,
    Json,
    StreamReader,
    adapted,
    request_body,
)
from chat.providers.endpoint import Endpoint, check_address, refusal

_UNKNOWN_FIELD = re.compile(
    "unsupported|not supported|unknown name|not permitted|extra_forbidden|unrecognized",
    re.IGNORECASE,
)
"""How OpenAI, vLLM, Gemini and Mistral say that they do not take a field."""


def load(options: ProviderOptions) -> OpenAiCompatible:
    """Make the client; nothing is sent yet. `ChatError` `llm_unreachable` for a bad address."""
    check_address(options.base_url)
    return OpenAiCompatible(options)


class OpenAiCompatible:
    """A connection pool to one server and the name of one model there."""

    def __init__(self, options: ProviderOptions) -> None:
        self.name = options.model
        self.device = "remote"
        self._conceded: set[str] = set()
        key = options.api_key.strip()
        self._endpoint = Endpoint(options, {"Authorization": f"Bearer {key}"} if key else {})

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
        body = request_body(messages, options)
        reader = StreamReader()
        async with aclosing(self._endpoint.stream(lambda: self._post(body), reader)) as deltas:
            async for delta in deltas:
                yield delta

    async def close(self) -> None:
        """Close all connections."""
        await self._endpoint.close()

    async def _post(self, body: Json) -> httpx2.Response:
        if not self.name:
            self.name = await self._first_model()
        while True:
            wanted = adapted({**body, "model": self.name}, self._conceded)
            response = await self._endpoint.send("POST", "chat/completions", wanted)
            if response.status_code == httpx2.codes.OK:
                return response
            explanation = await self._endpoint.explanation(response)
            more = _concessions(response.status_code, explanation)
            if more <= self._conceded:
                raise _unsupported(body, explanation) or refusal(response)
            self._conceded |= more

    async def _first_model(self) -> str:
        try:
            return str((await self._endpoint.json("models"))["data"][0]["id"])
        except (ValueError, LookupError, TypeError) as error:
            raise ChatError(
                "llm_failed", "the language model provider offers no model; name one"
            ) from error


def _concessions(status: int, explanation: str) -> set[str]:
    """What of our request this server does not take as it is, from how it refused.

    A field's name, or `call_ids` (Mistral: nine letters or digits), or `thought_signature` (Gemini
    wants back what came with a call, and cannot get it for a call that another model made).
    """
    if status not in {400, 422}:
        return set()
    named = {"stream_options", "thought_signature"}
    if "unsupported" in explanation.lower():
        named |= {"max_tokens", "temperature"}
    found = {field for field in named if field in explanation}
    return found | ({"call_ids"} if "length of 9" in explanation else set())


def _unsupported(body: Json, explanation: str) -> ChatError | None:
    """The error for a sampling field that this model does not take, if that is what was said."""
    if not _UNKNOWN_FIELD.search(explanation):
        return None
    for name in SAMPLING:
        if name in body and re.search(rf"\b{name}\b", explanation):
            return ChatError("unsupported_parameter", f"the language model does not take {name}")
    return None
