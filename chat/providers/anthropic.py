"""Anthropic's Messages API, and whoever imitates it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import httpx2

from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Message, ProviderOptions
from chat.providers.chat_completions import Json
from chat.providers.endpoint import Endpoint, check_address, refusal
from chat.providers.messages_api import EventReader, adapted, request_body

DEFAULT_ADDRESS = "https://api.anthropic.com"
VERSION = "2023-06-01"
"""The version of the API (docs.anthropic.com/en/api/versioning)."""


def load(options: ProviderOptions) -> Anthropic:
    """Make the client; nothing is sent yet.

    Raises `ChatError` `llm_unreachable` for a bad address, `llm_unknown` without a model's name.
    """
    if not options.model:
        raise ChatError("llm_unknown", "an anthropic provider needs the name of a model")
    options = replace(options, base_url=options.base_url or DEFAULT_ADDRESS)
    check_address(options.base_url)
    return Anthropic(options)


class Anthropic:
    """A connection pool to the API and the name of one model there."""

    def __init__(self, options: ProviderOptions) -> None:
        self.name = options.model
        self.device = "remote"
        self._conceded: set[str] = set()
        key = options.api_key.strip()
        headers = {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}
        self._endpoint = Endpoint(options, headers)

    async def expect(self, messages: Sequence[Message]) -> None:
        """Nothing: the prompt would be paid for twice."""

    async def warm(self, messages: Sequence[Message]) -> None:
        """Connect and show the key, by asking for the model's description, which is free.

        Raises `ChatError`, for the caller to log: a provider may come up later.
        """
        try:
            await self._endpoint.json(f"v1/models/{self.name}")
        except ValueError as error:
            raise ChatError(
                "llm_failed", "the language model provider sent something unreadable"
            ) from error

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply; see `Llm`. Closing drops the connection, which ends the generation."""
        body = {**request_body(messages, options), "model": self.name}
        stream = self._endpoint.stream(lambda: self._post(body), EventReader())
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                yield delta

    async def close(self) -> None:
        """Close all connections."""
        await self._endpoint.close()

    async def _post(self, body: Json) -> httpx2.Response:
        while True:
            wanted = adapted(body, self._conceded)
            response = await self._endpoint.send("POST", "v1/messages", wanted)
            if response.status_code == httpx2.codes.OK:
                return response
            explanation = await self._endpoint.explanation(response)
            # Some of the newer models are not to be told a temperature at all.
            refused = {"temperature"} if "temperature" in explanation else set()
            if response.status_code != httpx2.codes.BAD_REQUEST or refused <= self._conceded:
                raise refusal(response)
            self._conceded |= refused
