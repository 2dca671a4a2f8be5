"""An `Llm` around another one."""

from __future__ import annotations

from collections.abc import Sequence

from chat.providers import Llm, Message


class Wrapped:
    """All but `respond`, passed on to the one inside."""

    def __init__(self, llm: Llm) -> None:
        self._llm = llm

    @property
    def name(self) -> str:
        """The model's name."""
        return self._llm.name

    @property
    def device(self) -> str:
        """Where it runs."""
        return self._llm.device

    async def warm(self, messages: Sequence[Message]) -> None:
        """Warm the model."""
        await self._llm.warm(messages)

    async def expect(self, messages: Sequence[Message]) -> None:
        """Tell the model."""
        await self._llm.expect(messages)

    async def close(self) -> None:
        """Close the model."""
        await self._llm.close()
