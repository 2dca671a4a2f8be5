"""An `Llm` that is left alone for a while when it fails again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Llm, Message
from chat.providers.breaker import CLOSED, Breaker, abandon, ask, begin, fail, rest, succeed
from chat.providers.wrapped import Wrapped

FAULTS = frozenset(
    {"llm_unreachable", "llm_timeout", "llm_dropped", "llm_overloaded", "llm_failed"}
)
"""What speaks against the provider. A refusal may be the request's own fault."""


class Circuit:
    """The breaker of one provider, shared by the models that are asked there."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.breaker: Breaker = CLOSED
        self._clock = clock

    def now(self) -> float:
        """Seconds of the running loop's clock."""
        return self._clock() if self._clock else asyncio.get_running_loop().time()


class Guarded(Wrapped):
    """Asks `llm` only while its circuit is not open."""

    def __init__(self, llm: Llm, circuit: Circuit) -> None:
        super().__init__(llm)
        self._circuit = circuit

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply; `ChatError` `llm_unreachable` with `retry_after` while it is open."""
        circuit = self._circuit
        if wait := rest(circuit.breaker, circuit.now()):
            raise ChatError(
                "llm_unreachable",
                "the language model provider failed several times and is left alone for a moment",
                retry_after=wait,
            )
        circuit.breaker = ask(circuit.breaker, circuit.now())
        settled = False
        try:
            async with aclosing(self._llm.respond(messages, options)) as deltas:
                async for delta in deltas:
                    circuit.breaker = begin(circuit.breaker)
                    yield delta
            circuit.breaker, settled = succeed(circuit.breaker), True
        except ChatError as error:
            if error.code in FAULTS:
                circuit.breaker, settled = fail(circuit.breaker, circuit.now()), True
            raise
        finally:
            if not settled:
                circuit.breaker = abandon(circuit.breaker)
