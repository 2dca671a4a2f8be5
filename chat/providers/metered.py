"""An `Llm` for one user: refused when the day's caps are reached, written down when used."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, date, datetime

from chat.providers import ChatOptions, Delta, Llm, Message, Usage
from chat.providers.wrapped import Wrapped
from chat.usage import Caps, UsageStore, check_caps

log = logging.getLogger(__name__)


def utc_day() -> date:
    """Today, in UTC."""
    return datetime.now(UTC).date()


class Metered(Wrapped):
    """What `llm` does for `owner`. It needs the usage that a chain of providers reports.

    Requests under way at the same time do not know of each other: together they may pass a cap by
    what they cost.
    """

    def __init__(
        self,
        llm: Llm,
        owner: str,
        store: UsageStore,
        caps: Caps,
        *,
        today: Callable[[], date] = utc_day,
    ) -> None:
        super().__init__(llm)
        self._owner = owner
        self._store = store
        self._caps = caps
        self._today = today

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        """Stream the reply; `ChatError` `usage_exceeded` before anything is sent."""
        day = self._today()
        if self._caps != Caps():
            check_caps(await self._store.spent(self._owner, day), self._caps)
        used: list[Usage] = []

        def note(usage: Usage) -> None:
            used.append(usage)
            if options.on_usage is not None:
                options.on_usage(usage)

        try:
            noted = replace(options, on_usage=note)
            async with aclosing(self._llm.respond(messages, noted)) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            # Whoever calls a reply off may do so again while it is written down.
            await asyncio.shield(self._write(day, used))

    async def close(self) -> None:
        """Nothing: the model is everybody's."""

    async def _write(self, day: date, used: Sequence[Usage]) -> None:
        for usage in used:
            try:
                await self._store.add(self._owner, day, usage)
            except Exception:  # the reply was given; not to have counted it must not take it back
                log.exception("the usage of a reply could not be written down")
