"""What a page of the client asks for is answered from indexes, on both databases."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import event, text

from bench.library import OWNER, fill
from chat.storage import Storage, conversations, messages, search
from chat.storage.records import NewMessage
from tests.databases import opened

ONE = "conv_000007"
ASKED: dict[str, Callable[[Storage, str], Awaitable[object]]] = {
    "list": lambda s, _: conversations.list_page(s, OWNER),
    "next page": lambda s, cursor: conversations.list_page(s, OWNER, cursor=cursor, limit=5),
    "pinned": lambda s, _: conversations.list_page(s, OWNER, pinned=True),
    "tagged": lambda s, _: conversations.list_page(s, OWNER, tag="a"),
    "open": lambda s, _: conversations.get(s, OWNER, ONE),
    "messages": lambda s, _: messages.page(s, OWNER, ONE),
    "versions": lambda s, _: messages.versions(s, OWNER, ONE, "msg_last"),
    "search": lambda s, _: search.search(s, OWNER, "needle "),
    "search two": lambda s, _: search.search(s, OWNER, "the needle"),
}


async def plans(
    storage: Storage, ask: Callable[[], Awaitable[object]], explain: str = "EXPLAIN"
) -> list[str]:
    """How the database carries out each statement of it."""
    seen: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *rest: object) -> None:
        if statement.startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    engine = storage.disk.reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await ask()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert seen
    postgresql = storage.disk.dialect == "postgresql"
    found = []
    async with storage.disk.read() as connection:
        if postgresql:
            # In a table so small reading all of it is the quickest: the question is whether an
            # index can be used at all.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, parameters in seen:
            how = explain if postgresql else "EXPLAIN QUERY PLAN"
            found.append(await connection.run_sync(plan_of, f"{how} {statement}", parameters))
    return found


def plan_of(connection: SyncConnection, statement: str, parameters: Any) -> str:
    return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(statement, parameters))


async def test_nothing_reads_a_whole_table(storage: Storage) -> None:
    await fill(storage, 0, 60, 4, random.Random(1))
    await conversations.update(storage, OWNER, ONE, tags=["a"])
    await messages.append(storage, OWNER, ONE, NewMessage("user", "needle", id="msg_last"))
    if storage.disk.dialect == "postgresql":
        async with storage.disk.write() as connection:
            await connection.execute(text("ANALYZE"))
    cursor = (await conversations.list_page(storage, OWNER, limit=5)).cursor
    assert cursor is not None
    for name, ask in ASKED.items():
        for plan in await plans(storage, lambda ask=ask: ask(storage, cursor)):  # type: ignore[misc]
            for table in ("conversations", "messages", "conversation_tags", "attachments"):
                whole = (f"SCAN {table}\n", f"Seq Scan on {table} ")
                assert not any(words in f"{plan}\n" for words in whole), f"{name}:\n{plan}"
            assert "index" in plan.lower(), f"{name}:\n{plan}"


async def test_postgresql_walks_for_words_that_are_frequent_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FEW", 20)
    async with opened("postgresql", tmp_path) as storage:
        await fill(storage, 0, 60, 4, random.Random(1))
        for query, walks in (("needle ", False), ("the ", True)):
            ask = partial(search.search, storage, OWNER, query)
            *_, plan = await plans(storage, ask, "EXPLAIN (ANALYZE)")
            reads = [line for line in plan.splitlines() if " on messages " in line]
            assert len(reads) == 2, plan
            assert ("never executed" not in reads[-1]) == walks, plan
