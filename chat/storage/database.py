"""Where rows live: opening a database, and transactions on it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chat.errors import ChatError
from chat.storage.connection import Connection, Work
from chat.storage.content import Content, Plain
from chat.storage.migrate import migrate
from chat.storage.records import is_ephemeral
from chat.storage.schema import metadata
from chat.storage.sqlite import WAIT_SECONDS, Readers, Writer

T = TypeVar("T")

logger = logging.getLogger(__name__)

SQLITE_READERS = 4
"""Connections that read at the same time; each is a thread, and SQLite's reads are short."""
POSTGRESQL_CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class Database:
    """One database. `query` and `transact` are given a whole transaction and are the cheap way;
    `read` and `write` are for what has other things to do in between.
    """

    reader: AsyncEngine | Readers | Writer
    writer: AsyncEngine | Writer

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.writer.dialect.name

    async def query(self, work: Work[T]) -> T:
        """What `work` reads, in one transaction."""
        async with _told():
            if isinstance(self.reader, AsyncEngine):
                async with self.reader.connect() as connection:
                    return await work(connection)
            return await self.reader.query(work)

    async def transact(self, work: Work[T]) -> T:
        """What `work` gives, in one transaction; it is on the disk when this returns."""
        async with _told():
            if isinstance(self.writer, AsyncEngine):
                async with self.writer.begin() as connection:
                    return await work(connection)
            return await self.writer.transact(work)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A connection to read with, in one transaction."""
        async with _told(), self.reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
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

    def of(self, conversation_id: str) -> Database:
        """The database in which the conversation of that id lives."""
        return self.memory if is_ephemeral(conversation_id) else self.disk

    def kept(self, *, ephemeral: bool) -> Database:
        """The memory or the disk."""
        return self.memory if ephemeral else self.disk

    async def close(self) -> None:
        """Close all connections; what was kept in memory is gone."""
        await self.disk.close()
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
        await migrate(disk.writer.begin)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        await disk.close()
        logger.exception("cannot open the storage")
        raise ChatError("storage_failed", f"the database cannot be opened: {_why(error)}") from None
    except BaseException:
        await disk.close()
        raise
    return Storage(disk, await _in_memory(), content or Plain(), files)


def read_url(url: str, data_dir: Path) -> URL:
    """The address with its asynchronous driver. Raises `ChatError` (`storage_url`)."""
    if not url:
        return URL.create("sqlite", database=str(data_dir / "vivavoce.db"))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ChatError("storage_url", "the storage's address is no database URL") from None
    kind = parsed.drivername.split("+")[0]
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite")
    if kind in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+asyncpg")
    raise ChatError("storage_url", "the storage is sqlite:///FILE or postgresql://HOST/NAME")


def connect(url: URL) -> Database:
    """Engines for `url` (nothing is opened yet)."""
    if url.get_backend_name() == "sqlite":
        return Database(Readers(url, SQLITE_READERS), Writer(url))
    engine = create_async_engine(
        url,
        pool_size=POSTGRESQL_CONNECTIONS,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=True,
    )
    return Database(engine, engine)


async def _in_memory() -> Database:
    """A database that is nowhere but in memory: that of one connection."""
    only = Writer(URL.create("sqlite", database=":memory:"))
    async with only.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return Database(only, only)


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Turn what a database says into our words; a broken constraint stays for the caller."""
    try:
        yield
    except IntegrityError:
        raise
    except (PoolTimeout, TimeoutError):
        raise ChatError("storage_busy", "the storage is busy; try again") from None
    except (DBAPIError, sqlite3.Error) as error:
        if "locked" in _why(error):
            raise ChatError("storage_busy", "the storage is busy; try again") from None
        logger.exception("the storage failed")
        raise ChatError("storage_failed", "the storage failed") from None
    except (SQLAlchemyError, OSError):
        logger.exception("the storage failed")
        raise ChatError("storage_failed", "the storage failed") from None


def _why(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause) or type(cause).__name__
