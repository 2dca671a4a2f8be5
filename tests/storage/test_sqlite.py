"""Group commit: many transactions, one commit; each is told after it, and fails by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, insert, select, text

from chat.errors import ChatError
from chat.storage import Storage, preferences, sqlite
from chat.storage.connection import Connection
from chat.storage.records import now
from chat.storage.schema import preferences as table
from tests.databases import opened


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened("sqlite", tmp_path) as storage:
        yield storage


def stored(storage: Storage) -> set[str]:
    """What another program sees in the file."""
    path = storage.files.parent / "vivavoce.db"
    with sqlite3.connect(path) as other:
        return {name for (name,) in other.execute("SELECT name FROM preferences")}


@contextmanager
def commits(storage: Storage) -> Iterator[list[int]]:
    seen: list[int] = []
    engine = storage.disk.writer.sync_engine

    def note(_: object) -> None:
        seen.append(1)

    event.listen(engine, "commit", note)
    try:
        yield seen
    finally:
        event.remove(engine, "commit", note)


async def add(storage: Storage, name: str) -> None:
    async def work(connection: Connection) -> None:
        row = {"owner": "me", "name": name, "value": "1", "updated_at": now()}
        await connection.execute(insert(table), row)

    await storage.disk.transact(work)


async def test_what_waits_is_committed_together_and_told_afterwards(kept: Storage) -> None:
    async def add_and_look(name: str) -> None:
        await add(kept, name)
        assert name in stored(kept)

    with commits(kept) as seen:
        await asyncio.gather(*(add_and_look(f"n{i}") for i in range(50)))
    assert 1 <= len(seen) <= 10
    assert len(stored(kept)) == 50
    with commits(kept) as seen:
        await add(kept, "alone")
    assert len(seen) == 1


async def test_what_fails_is_undone_alone(kept: Storage) -> None:
    async def fail(number: int) -> None:
        async def work(connection: Connection) -> None:
            row = {"owner": "me", "name": f"bad{number}", "value": "1", "updated_at": now()}
            await connection.execute(insert(table), row)
            raise ValueError(number)

        await kept.disk.transact(work)

    async def fail_held(number: int) -> None:
        async with kept.disk.write() as connection:
            row = {"owner": "me", "name": f"held{number}", "value": "1", "updated_at": now()}
            await connection.execute(insert(table), row)
            raise ValueError(number)

    work = [f(i) for i in range(10) for f in (lambda i: add(kept, f"n{i}"), fail, fail_held)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(result, ValueError) for result in results) == 20
    assert stored(kept) == {f"n{i}" for i in range(10)}


async def test_a_group_that_is_undone_as_a_whole_is_told_to_nobody(kept: Storage) -> None:
    async def undo(connection: Connection) -> None:
        # What SQLite does by itself when the disk is full.
        await connection.run_sync(lambda sync: sync.connection.dbapi_connection.rollback())
        raise ValueError

    before = [add(kept, f"n{i}") for i in range(3)]
    results = await asyncio.gather(*before, kept.disk.transact(undo), return_exceptions=True)
    codes = [result.code for result in results[:3] if isinstance(result, ChatError)]
    assert codes == ["storage_failed"] * 3
    assert stored(kept) == set()
    await add(kept, "later")
    assert stored(kept) == {"later"}


async def test_who_stops_waiting_leaves_nothing_half_done(kept: Storage) -> None:
    tasks = [asyncio.create_task(add(kept, f"n{i}")) for i in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.wait(tasks)

    async def hold() -> None:
        async with kept.disk.write() as connection:
            row = {"owner": "me", "name": "held", "value": "1", "updated_at": now()}
            await connection.execute(insert(table), row)
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    holding.cancel()
    await asyncio.wait((holding,))
    await add(kept, "last")
    assert {f"n{i}" for i in range(1, 20, 2)} | {"last"} <= stored(kept)
    assert "held" not in stored(kept)


async def test_a_transaction_awaits_nothing_else(kept: Storage) -> None:
    async def work(connection: Connection) -> None:
        await asyncio.sleep(0)

    for run in (kept.disk.transact, kept.disk.query, kept.memory.query):
        with pytest.raises(RuntimeError, match="awaits"):
            await run(work)
    await add(kept, "a")
    assert stored(kept) == {"a"}


async def test_a_reader_sees_one_moment_and_writes_nothing(kept: Storage) -> None:
    async with kept.disk.read() as connection:
        assert (await connection.execute(select(table.c.name))).all() == []
        await add(kept, "a")
        assert (await connection.execute(select(table.c.name))).all() == []
    assert set(await preferences.read(kept, "me")) == {"a"}

    async def write(connection: Connection) -> None:
        await connection.execute(text("DELETE FROM preferences"))

    with pytest.raises(ChatError):
        await kept.disk.query(write)
    assert stored(kept) == {"a"}


async def test_who_waits_too_long_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "WAIT_SECONDS", 0.05)
    async with opened("sqlite", tmp_path) as storage:
        other = sqlite3.connect(tmp_path / "vivavoce.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ChatError) as raised:
            await add(storage, "a")
        assert raised.value.code == "storage_busy"
        other.execute("ROLLBACK")
        other.close()
        await add(storage, "b")
        async with storage.disk.write():
            with pytest.raises(ChatError) as raised:
                await add(storage, "c")
        assert raised.value.code == "storage_busy"
        assert stored(storage) == {"b"}
