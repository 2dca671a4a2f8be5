"""Usage in the real storage."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from chat.providers import Usage
from chat.usage import Spent
from chat.usage_rows import UsageRows
from tests.databases import DATABASES, opened

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize("database", DATABASES)
async def test_usage_is_summed_by_owner_and_day(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path) as storage:
        store = UsageRows(storage)
        for money in ("0.0000101", "0.5"):
            used = Usage("cloud", "m-1", 10, 5, Decimal(money), estimated=False)
            await store.add("ann", TODAY, used)
        assert await store.spent("ann", TODAY) == Spent(30, Decimal("0.500011"))
        assert await store.spent("bob", TODAY) == Spent()
        assert await store.spent("ann", date(2026, 11, 22)) == Spent()
