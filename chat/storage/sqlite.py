"""SQLite: each connection has a thread of its own, in which whole transactions run.

One connection writes. Transactions that wait for it are made durable together: the commit stands
in the same queue as they do and takes along all that went before it, so that many small ones cost
one `fsync` (group commit). Within the one that is committed each is a savepoint: what fails is
undone by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Engine, Executable, NullPool, create_engine, event
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.exc import OperationalError

from chat.storage.connection import Connection, Rows, Work, drive

T = TypeVar("T")

WAIT_SECONDS = 30.0
"""How long a transaction waits for a connection or a lock before it is `storage_busy`."""


class Line:
    """One connection and its thread: what is asked of it is done in that order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._connection: SyncConnection | None = None

    def run(self, function: Callable[[SyncConnection], T]) -> asyncio.Future[T]:
        """What `function` gives in the thread. It goes on there when nobody waits any more."""
        return asyncio.get_running_loop().run_in_executor(self._thread, self._call, function)

    async def close(self) -> None:
        """Close the connection once all is done that was asked."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _call(self, function: Callable[[SyncConnection], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        return function(self._connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Held:
    """A connection for who stays in the loop; a journey to the thread for each statement."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        """The result of a statement; its rows have been fetched."""
        return await self._line.run(lambda here: here.execute(statement, parameters))

    async def run_sync(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
        """What `function` gives in the thread."""
        return await self._line.run(lambda here: function(here, *arguments, **named))


class Readers:
    """Connections that read at the same time."""

    def __init__(self, url: URL, connections: int) -> None:
        self.sync_engine = _engine(url, reads=True)
        self._lines = [Line(self.sync_engine) for _ in range(connections)]
        self._free = list(self._lines)
        self._room = asyncio.Semaphore(connections)

    @property
    def dialect(self) -> Dialect:
        """SQLAlchemy's."""
        return self.sync_engine.dialect

    async def query(self, work: Work[T]) -> T:
        """What `work` gives, in one transaction."""
        async with self._one() as line:
            return await line.run(partial(_read, work))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """A connection to read with, in one transaction."""
        async with self._one() as line:
            try:
                yield Held(line)
            finally:
                line.run(SyncConnection.rollback)  # the next one comes after it

    async def dispose(self) -> None:
        """Close all connections."""
        for line in self._lines:
            await line.close()
        self.sync_engine.dispose()

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[Line]:
        async with asyncio.timeout(WAIT_SECONDS):
            await self._room.acquire()
        line = self._free.pop()
        try:
            yield line
        finally:
            self._free.append(line)
            self._room.release()


class Writer:
    """The one connection that writes. It may read, too, for a database that has no other."""

    def __init__(self, url: URL) -> None:
        self.sync_engine = _engine(url, reads=False)
        self._line = Line(self.sync_engine)
        self._turn = asyncio.Lock()
        self._commit: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._group = Group()

    @property
    def dialect(self) -> Dialect:
        """SQLAlchemy's."""
        return self.sync_engine.dialect

    async def transact(self, work: Work[T]) -> T:
        """What `work` gives; what it wrote is on the disk then.

        It goes on to its end when nobody waits for it any more.
        """
        return await asyncio.shield(self._start(self._transact(work)))

    query = transact

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """A transaction; it is on the disk when this block has been left."""
        await self._wait()
        try:
            try:
                await self._line.run(self._group.enter)
                yield Held(self._line)
            except BaseException:
                await asyncio.shield(self._line.run(self._group.undo))
                raise
            commit = self._committing()
        finally:
            self._turn.release()
        await asyncio.shield(commit)

    connect = begin

    async def dispose(self) -> None:
        """Let what has begun end, and close the connection."""
        while self._running:
            await asyncio.wait(set(self._running))
        await self._line.close()
        self.sync_engine.dispose()

    async def _transact(self, work: Work[T]) -> T:
        await self._wait()
        try:
            result = await self._line.run(partial(self._group.run, work))
            commit = self._committing()
        finally:
            self._turn.release()
        await asyncio.shield(commit)
        return result

    async def _wait(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await self._turn.acquire()

    def _committing(self) -> asyncio.Task[None]:
        """The commit that will take along what was just done."""
        if self._commit is None:
            self._commit = self._start(self._commit_all())
        return self._commit

    async def _commit_all(self) -> None:
        # It queues behind all that wait now; they come along.
        async with self._turn:
            self._commit = None
            await self._line.run(self._group.commit)

    def _start(self, coroutine: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; if nobody did, nobody was promised anything


class Group:
    """The transactions that the next commit takes along. All of it is in the writer's thread."""

    def __init__(self) -> None:
        self._lost = False
        self._begun = False

    def run(self, work: Work[T], connection: SyncConnection) -> T:
        """A whole transaction; undone if it fails."""
        self.enter(connection)
        try:
            return drive(work, connection)
        except BaseException:
            self.undo(connection)
            raise

    def enter(self, connection: SyncConnection) -> None:
        """Begin a transaction."""
        if not connection.in_transaction():
            connection.begin()
            self._begun = False
        raw = _raw(connection)
        if self._begun:
            raw.execute("RELEASE one").close()
        raw.execute("SAVEPOINT one").close()
        self._begun = True

    def undo(self, connection: SyncConnection) -> None:
        """Undo what has been done since `enter`."""
        if not connection.in_transaction():
            return
        raw = _raw(connection)
        if raw.in_transaction:
            if self._begun:
                raw.execute("ROLLBACK TO one").close()
        else:
            # A full disk and the like undo everything, also what had ended well before.
            self._lost = True

    def commit(self, connection: SyncConnection) -> None:
        """Make all of them durable, or tell that they are lost."""
        lost = self._lost or not connection.in_transaction() or not _raw(connection).in_transaction
        self._lost = self._begun = False
        if lost:
            connection.rollback()
            raise OperationalError("COMMIT", {}, RuntimeError("the transaction was undone"))
        try:
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def _read(work: Work[T], connection: SyncConnection) -> T:
    try:
        return drive(work, connection)
    finally:
        connection.rollback()


def _raw(connection: SyncConnection) -> Any:
    """The driver's own connection, for what needs no more than SQLite."""
    return connection.connection.dbapi_connection


def _engine(url: URL, *, reads: bool) -> Engine:
    # Each connection is used by one thread after the other at most: its own, and the one that
    # looks at rows which were fetched there.
    given = {"timeout": WAIT_SECONDS, "check_same_thread": False}
    engine = create_engine(url, poolclass=NullPool, connect_args=given)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # else the driver begins transactions when it likes
        for name, value in (
            ("journal_mode", "WAL"),
            ("synchronous", "FULL"),
            ("foreign_keys", "ON"),
            ("temp_store", "MEMORY"),
            ("query_only", "ON" if reads else "OFF"),
        ):
            connection.execute(f"PRAGMA {name}={value}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: SyncConnection) -> None:
        # A transaction that will write says so at once: one that found out later could only fail.
        _raw(connection).execute("BEGIN" if reads else "BEGIN IMMEDIATE").close()

    @event.listens_for(engine, "after_cursor_execute")
    def fetch(_: Any, cursor: Any, __: Any, ___: Any, context: Any, ____: Any) -> None:
        if cursor.description is not None and not context.execution_options.get("yield_per"):
            context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                cursor, initial_buffer=cursor.fetchall()
            )

    return engine
