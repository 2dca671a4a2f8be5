"""Where rows live: opening a database, and transactions on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from chat.errors import ChatError
from chat.storage.content import Content, Plain
from chat.storage.migrate import migrate
from chat.storage.records import is_ephemeral
from chat.storage.schema import metadata

logger = logging.getLogger(__name__)

SQLITE_READERS = 4
"""Connections that read at the same time; each is a thread, and SQLite's reads are short."""
POSTGRESQL_CONNECTIONS = 10
WAIT_SECONDS = 30.0
"""How long a transaction waits for a connection or a lock before it is `storage_busy`."""


@dataclass(frozen=True, slots=True)
class Database:
    """One database. SQLite has one writer: its transactions queue for the one connection here,
    in the order they came, instead of polling for the file's lock.
    """

    reader: AsyncEngine
    writer: AsyncEngine

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.writer.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with, in one transaction."""
        async with _told(), self.reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; it is on the disk when this block has been left."""
        async with _told(), self.writer.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self.reader.dispose()
        if self.writer is not self.reader:
            await self.writer.dispose()


@dataclass(frozen=True, slots=True)
class Storage:
    """An open storage: what is kept on the disk, what is kept in memory only, and the files."""

    disk: Database
    memory: Database
    content: Content
    files: Path
    _anchor: AsyncConnection

    def of(self, conversation_id: str) -> Database:
        """The database in which the conversation of that id lives."""
        return self.memory if is_ephemeral(conversation_id) else self.disk

    def kept(self, *, ephemeral: bool) -> Database:
        """The memory or the disk."""
        return self.memory if ephemeral else self.disk

    async def close(self) -> None:
        """Close all connections; what was kept in memory is gone."""
        await self.disk.close()
        await self._anchor.close()
        await self.memory.close()


async def open_storage(url: str, *, data_dir: Path, content: Content | None = None) -> Storage:
    """Open the database at `url`, make or migrate its tables, and keep its connections.

    `url`: empty for the file `vivavoce.db` in `data_dir`; `sqlite:///path`; or
    `postgresql://user:password@host/name`. Attachments lie in `data_dir/attachments`, which is
    made. Raises `ChatError`: `storage_url` if the address is of neither kind, `storage_failed` if
    the database cannot be opened.
    """
    files = data_dir / "attachments"
    await asyncio.to_thread(files.mkdir, parents=True, exist_ok=True)
    disk = connect(read_url(url, data_dir))
    try:
        await migrate(disk.writer)
    except (SQLAlchemyError, OSError) as error:
        await disk.close()
        logger.exception("cannot open the storage")
        raise ChatError("storage_failed", f"the database cannot be opened: {_why(error)}") from None
    except BaseException:
        await disk.close()
        raise
    memory, anchor = await _in_memory()
    return Storage(disk, memory, content or Plain(), files, anchor)


def read_url(url: str, data_dir: Path) -> URL:
    """The address with its asynchronous driver. Raises `ChatError` (`storage_url`)."""
    if not url:
        return URL.create("sqlite+aiosqlite", database=str(data_dir / "vivavoce.db"))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ChatError("storage_url", "the storage's address is no database URL") from None
    kind = parsed.drivername.split("+")[0]
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite+aiosqlite")
    if kind in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+asyncpg")
    raise ChatError("storage_url", "the storage is sqlite:///FILE or postgresql://HOST/NAME")


def connect(url: URL) -> Database:
    """Engines for `url` (nothing is opened yet)."""
    if url.get_backend_name() == "sqlite":
        return Database(_sqlite(url, SQLITE_READERS, reading=True), _sqlite(url, 1, reading=False))
    engine = create_async_engine(
        url,
        pool_size=POSTGRESQL_CONNECTIONS,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=True,
    )
    return Database(engine, engine)


def _sqlite(url: URL, connections: int, *, reading: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        connect_args={"timeout": WAIT_SECONDS},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # else the driver begins transactions when it likes
        for name, value in (
            ("journal_mode", "WAL"),
            ("synchronous", "FULL"),
            ("foreign_keys", "ON"),
            ("temp_store", "MEMORY"),
            ("query_only", "ON" if reading else "OFF"),
        ):
            connection.execute(f"PRAGMA {name}={value}").close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        # A transaction that will write says so at once: one that found out later could only fail.
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


async def _in_memory() -> tuple[Database, AsyncConnection]:
    """A database that is nowhere but in memory, and the connection that keeps it alive.

    One connection does all the work, so that nobody meets the locks of SQLite's shared cache; a
    cancelled transaction may cost that connection, hence the second one, which only holds on.
    """
    url = URL.create(
        "sqlite+aiosqlite",
        database=f"file:{uuid4().hex}",
        query={"mode": "memory", "cache": "shared", "uri": "true"},
    )
    engine = _sqlite(url, 2, reading=False)
    anchor = await engine.connect()
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return Database(engine, engine), anchor


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Turn what a database says into our words; a broken constraint stays for the caller."""
    try:
        yield
    except IntegrityError:
        raise
    except PoolTimeout:
        raise ChatError("storage_busy", "the storage is busy; try again") from None
    except DBAPIError as error:
        if "locked" in str(error.orig):
            raise ChatError("storage_busy", "the storage is busy; try again") from None
        logger.exception("the storage failed")
        raise ChatError("storage_failed", "the storage failed") from None
    except (SQLAlchemyError, OSError):
        logger.exception("the storage failed")
        raise ChatError("storage_failed", "the storage failed") from None


def _why(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause) or type(cause).__name__
