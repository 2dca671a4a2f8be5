"""Every test here runs on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chat.storage import Storage
from tests.databases import DATABASES, opened


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """The name of the database the test runs on."""
    name: str = request.param
    return name


@pytest.fixture
async def storage(database: str, tmp_path: Path) -> AsyncIterator[Storage]:
    """An empty storage on each of the databases."""
    async with opened(database, tmp_path) as opened_storage:
        yield opened_storage
