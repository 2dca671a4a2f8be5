"""Usage as the storage keeps it: sums by owner, UTC day and provider."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_UP, Decimal

from chat.providers import Usage
from chat.storage import Storage
from chat.storage import usage as rows
from chat.usage import MILLION, Spent


class UsageRows:
    """A `UsageStore` in the database. Costs are whole millionths there, rounded up."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def add(self, owner: str, day: date, usage: Usage) -> None:
        """Add one request, under the provider's name: the one its user knows."""
        await rows.record(
            self._storage,
            owner,
            model=usage.provider,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost=int((usage.cost * MILLION).to_integral_value(ROUND_UP)),
            day=day,
        )

    async def spent(self, owner: str, day: date) -> Spent:
        """All that `owner` used on `day`."""
        sums = await rows.day_total(self._storage, owner, day)
        return Spent(sums.prompt_tokens + sums.completion_tokens, Decimal(sums.cost) / MILLION)
