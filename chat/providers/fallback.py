"""Several `Llm`s in order: the next one answers where one fails before its first word."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Llm, Message

log = logging.getLogger(__name__)

_OURS = frozenset({"unsupported_parameter", "usage_exceeded"})
"""Errors that are no provider's fault: another would answer something else than was asked."""


class Fallback:
    """Asks the first of `llms`, and each further one only if those before it could not begin.

    A reply that breaks off in its middle is not begun again elsewhere: half of two answers would
    be worse than half of one. The error goes to the caller, who has the text so far.
    """

    def __init__(self, llms: Sequence[Llm]) -> None:
        self._llms = tuple(llms)

    @property
    def name(self) -> str:
        """The name of the model that is asked first."""
        return self._llms[0].name

    @property
    def device(self) -> str:
        """Where that one runs."""
        return self._llms[0].device

    async def warm(self, messages: Sequence[Message]) -> None:
        """Warm the first one that can be; the others would cost without being needed.

        Raises the first one's `ChatError` if none can be.
        """
        failure: ChatError | None = None
        for llm in self._llms:
            try:
                await llm.warm(messages)
                return
            except ChatError as error:
                failure = failure or error
                log.warning("%s could not be warmed: %s", llm.name, error.code)
        if failure is not None:
            raise failure

    async def expect(self, messages: Sequence[Message]) -> None:
        """Tell the one that is asked first."""
        await self._llms[0].expect(messages)

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply of the first that begins one; raises the last one's `ChatError`."""
        *others, last = self._llms
        for llm in others:
            begun = False
            try:
                async with aclosing(llm.respond(messages, options)) as deltas:
                    async for delta in deltas:
                        begun = True
                        yield delta
                return
            except ChatError as error:
                if begun or error.code in _OURS:
                    raise
                log.warning("%s: %s; the next provider is asked", llm.name, error.code)
        async with aclosing(last.respond(messages, options)) as deltas:
            async for delta in deltas:
                yield delta

    async def close(self) -> None:
        """Close all of them."""
        for llm in self._llms:
            await llm.close()
