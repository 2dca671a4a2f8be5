"""What the revisions make is what the program expects, on both databases, forth and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Date, DateTime, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from chat.errors import ChatError
from chat.storage import Storage, conversations, messages, open_storage
from chat.storage.database import Database, connect, read_url
from chat.storage.migrate import migrate
from chat.storage.records import NewMessage
from chat.storage.schema import metadata
from tests.databases import opened, postgresql_url


@pytest.fixture
async def bare(database: str, tmp_path: Path) -> AsyncIterator[tuple[str, Database]]:
    """The address of a database without any table, and the database."""
    if database == "sqlite":
        url = f"sqlite:///{tmp_path / 'bare.db'}"
        opened = connect(read_url(url, tmp_path))
        yield url, opened
        await opened.close()
        return
    server = connect(read_url(postgresql_url(), tmp_path))
    async with server.writer.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("CREATE DATABASE bare"))
        url = make_url(postgresql_url()).set(database="bare").render_as_string(False)
        opened = connect(read_url(url, tmp_path))
        yield url, opened
        await opened.close()
        await connection.execute(text("DROP DATABASE bare"))
    await server.close()


def tables(connection: Connection) -> set[str]:
    names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    return {name for name in names if "_index" not in name}


async def test_up_and_down_and_up_again(bare: tuple[str, Database]) -> None:
    _, database = bare
    for _ in range(2):
        await migrate(database.writer.begin)
        await migrate(database.writer.begin)
        async with database.read() as connection:
            assert await connection.run_sync(tables) == set(metadata.tables)
        await migrate(database.writer.begin, "base")
        async with database.read() as connection:
            assert await connection.run_sync(lambda c: inspect(c).get_table_names()) == [
                "alembic_version"
            ]


async def test_revisions_and_schema_say_the_same(storage: Storage) -> None:
    def ours(thing: Any, name: str | None, kind: str, _: bool, __: Any) -> bool:
        searches = kind == "table" and "_index" in str(name)
        return not searches and not str(name).endswith("_words")

    def differences(connection: Connection) -> list[Any]:
        options = {"include_object": ours}
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        )

    async with storage.disk.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_sqlites_search_is_made_alike_by_both(tmp_path: Path) -> None:
    query = text(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' OR sql LIKE '%fts5%' ORDER BY 1"
    )
    storage = await open_storage("", data_dir=tmp_path)
    found = []
    for database in (storage.disk, storage.memory):
        async with database.read() as connection:
            found.append((await connection.execute(query)).all())
    await storage.close()
    assert len(found[0]) == 8
    assert found[0] == found[1]


async def test_postgresqls_search_has_no_list_to_read_through(tmp_path: Path) -> None:
    query = text("SELECT reloptions FROM pg_class WHERE relname LIKE 'ix%words' AND relkind = 'i'")
    async with opened("postgresql", tmp_path) as storage, storage.disk.read() as connection:
        options = [row.reloptions for row in await connection.execute(query)]
    assert options == [["fastupdate=off"]] * 2


async def test_every_reference_and_every_time_has_an_index(storage: Storage) -> None:
    def missing(connection: Connection) -> list[str]:
        seen, lacking = inspect(connection), []
        for name in metadata.tables:
            leads = [seen.get_pk_constraint(name)["constrained_columns"]]
            leads += [index["column_names"] for index in seen.get_indexes(name)]
            leads += [unique["column_names"] for unique in seen.get_unique_constraints(name)]
            for key in seen.get_foreign_keys(name):
                columns = key["constrained_columns"]
                if not any(lead[: len(columns)] == columns for lead in leads):
                    lacking.append(f"{name}{columns}")
            # A query of an owner's rows by time is one of an index that begins with both.
            led = {lead[1 if lead[0] == "owner" and len(lead) > 1 else 0] for lead in leads}
            lacking += [
                f"{name}.{column['name']}"
                for column in seen.get_columns(name)
                if isinstance(column["type"], DateTime | Date) and column["name"] not in led
            ]
        return lacking

    async with storage.disk.read() as connection:
        assert await connection.run_sync(missing) == []


async def test_sqlite_is_set_up_to_lose_nothing(tmp_path: Path) -> None:
    storage = await open_storage("", data_dir=tmp_path)
    async with storage.disk.write() as connection:
        found = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    await storage.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET role = 'judge'",
        "UPDATE messages SET status = 'lost'",
        "UPDATE messages SET parent_id = id",
        "UPDATE messages SET parent_id = 'msg_none'",
        "UPDATE messages SET conversation_id = 'conv_none'",
        "UPDATE messages SET owner = 'other'",
        "UPDATE messages SET prompt_tokens = -1",
        "UPDATE messages SET position = 2",
        "UPDATE conversations SET version = 0",
        "UPDATE conversations SET title_source = 'stolen'",
        "INSERT INTO message_attachments (owner, conversation_id, message_id, attachment_id, place)"
        " SELECT owner, conversation_id, id, 'att_none', 0 FROM messages",
    ],
)
async def test_what_cannot_be_is_refused_by_the_database(storage: Storage, statement: str) -> None:
    made = await conversations.create(storage, "me")
    await messages.append(storage, "me", made.id, NewMessage("user", "a"), NewMessage("user", "b"))
    with pytest.raises(IntegrityError):
        async with storage.disk.write() as connection:
            await connection.execute(text(statement))


async def test_a_later_releases_database_is_left_alone(
    bare: tuple[str, Database], tmp_path: Path
) -> None:
    url, database = bare
    await migrate(database.writer.begin)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ChatError) as raised:
        await open_storage(url, data_dir=tmp_path)
    assert raised.value.code == "storage_newer"


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "///", "x"])
async def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ChatError) as raised:
        await open_storage(url, data_dir=tmp_path)
    assert raised.value.code == "storage_url"


async def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is no database at all" * 100)
    for url in (
        f"sqlite:///{tmp_path}/broken.db",
        f"sqlite:///{tmp_path}/no/such/folder.db",
        f"postgresql://nobody:secret@/none?host={tmp_path}",
    ):
        with pytest.raises(ChatError) as raised:
            await open_storage(url, data_dir=tmp_path)
        assert raised.value.code == "storage_failed"
        assert "secret" not in raised.value.message
