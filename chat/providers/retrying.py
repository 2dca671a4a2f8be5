"""An `Llm` that is asked again while it has not said anything yet."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Llm, Message
from chat.providers.wrapped import Wrapped

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.3
LONGEST_WAIT_SECONDS = 4.0
PATIENCE_SECONDS = 5.0
"""A provider that asks to be left alone for longer than this is not waited for: somebody is."""

PASSING = frozenset({"llm_unreachable", "llm_overloaded", "llm_dropped", "llm_failed"})
"""What may be over in a moment. A timeout has cost its time already."""


def wait_before(attempt: int, chance: float, asked: float | None) -> float | None:
    """Seconds before retry `attempt` (0 is the first), None if it is not worth waiting for. Pure.

    Twice as long each time, half of it by `chance` (0 to 1), so that clients do not come back all
    at once (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015, "equal
    jitter"); never sooner than the provider `asked`.
    """
    if asked is not None and asked > PATIENCE_SECONDS:
        return None
    longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**attempt)
    return max(longest * (1 + chance) / 2, asked or 0.0)


class Retrying(Wrapped):
    """Asks `llm` up to `retries` times more, before the first delta only."""

    def __init__(
        self,
        llm: Llm,
        retries: int,
        *,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(llm)
        self._retries = retries
        self._chance = chance
        self._sleep = sleep

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply; see `Llm`."""
        for attempt in range(self._retries + 1):
            begun = False
            try:
                async with aclosing(self._llm.respond(messages, options)) as deltas:
                    async for delta in deltas:
                        begun = True
                        yield delta
                return
            except ChatError as error:
                last = begun or attempt == self._retries or error.code not in PASSING
                wait = None if last else wait_before(attempt, self._chance(), error.retry_after)
                if wait is None:
                    raise
                log.info("%s: %s; asked again in %.1f s", self.name, error.code, wait)
            await self._sleep(wait)
