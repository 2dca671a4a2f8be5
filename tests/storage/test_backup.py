"""Backups of either database, restored into either, encrypted, damaged and refused."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from chat.errors import ChatError
from chat.storage import (
    Storage,
    attachments,
    backup,
    conversations,
    jobs,
    messages,
    search,
    usage,
)
from chat.storage.archive import pack
from chat.storage.records import NewMessage, now
from chat.storage.schema import metadata
from tests.databases import DATABASES, empty, opened

ME = "me"


async def fill(storage: Storage) -> str:
    made = await conversations.create(storage, ME, title="Café", tags=["x", "y"], pinned=True)
    (storage.files / "stored-1").write_bytes(b"picture")
    file = await attachments.add(
        storage, ME, name="ü.png", media_type="image/png", size=7, stored_name="stored-1"
    )
    first, _ = await messages.append(
        storage,
        ME,
        made.id,
        NewMessage("user", "hello wörld", attachments=(file.id,)),
        NewMessage("assistant", "hi", timings={"total": 3.5}),
    )
    await messages.edit(storage, ME, made.id, first.id, "hello again")
    await conversations.delete(storage, ME, (await conversations.create(storage, ME)).id)
    await jobs.add(storage, ME, "title", {"a": 1})
    await usage.record(
        storage, ME, model="m", prompt_tokens=1, completion_tokens=2, day=date(2026, 1, 2)
    )
    return made.id


async def contents(storage: Storage) -> dict[str, list[object]]:
    """Every row of every table, without how it is indexed."""
    found: dict[str, list[object]] = {}
    async with storage.disk.read() as connection:
        for table in metadata.sorted_tables:
            columns = [c for c in table.c if c.name not in {"row", "words"}]
            rows = await connection.execute(select(*columns))
            found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    return found


@pytest.fixture(params=DATABASES)
def other(request: pytest.FixtureRequest) -> str:
    """The database into which it is restored."""
    name: str = request.param
    return name


async def test_a_backup_is_restored_into_either_database(
    database: str, other: str, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    target = tmp_path / "kept" / "one.backup"
    async with opened(database, here) as storage:
        id_ = await fill(storage)
        before = await contents(storage)
        made = await backup.back_up(storage, target)
        assert made.rows["messages"] == 3
        if database == "postgresql":
            await empty(storage)
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["one.backup"]
    assert backup.verify(target) == made
    async with opened(other, there) as storage:
        await backup.restore(storage, target)
        assert await contents(storage) == before
        assert (storage.files / "stored-1").read_bytes() == b"picture"
        assert [hit.title for hit in (await search.search(storage, ME, "world")).hits] == ["Café"]
        (more,) = await messages.append(storage, ME, id_, NewMessage("user", "go on"))
        assert (await conversations.get(storage, ME, id_)).head == more.id


async def test_it_is_one_moment_while_others_write(storage: Storage, tmp_path: Path) -> None:
    made = await conversations.create(storage, ME)
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            await messages.append(storage, ME, made.id, NewMessage("user", "x"))

    writer = asyncio.create_task(write())
    target = tmp_path / "kept.backup"
    for _ in range(3):
        await asyncio.sleep(0.02)
        await backup.back_up(storage, target, force=True)
    stop.set()
    await writer
    kept = backup.verify(target).rows["messages"]
    written = len(await messages.everything(storage, ME, made.id))
    await backup.restore(storage, target, force=True)
    found = await conversations.get(storage, ME, made.id)
    assert found.version == kept + 1  # what was written later is gone, what was before is whole
    assert 0 < kept <= written


async def test_what_is_there_is_replaced_only_by_force(storage: Storage, tmp_path: Path) -> None:
    id_ = await fill(storage)
    target = tmp_path / "one.backup"
    await backup.back_up(storage, target)
    with pytest.raises(ChatError) as raised:
        await backup.back_up(storage, target)
    assert raised.value.code == "backup_exists"
    await conversations.update(storage, ME, id_, title="Later")
    (storage.files / "later").write_bytes(b"later")
    with pytest.raises(ChatError) as raised:
        await backup.restore(storage, target)
    assert raised.value.code == "restore_not_empty"
    await backup.restore(storage, target, force=True)
    assert (await conversations.get(storage, ME, id_)).title == "Café"
    assert [path.name for path in storage.files.iterdir()] == ["stored-1"]


def remade(change: Callable[[dict[str, bytes]], object]) -> Callable[[Path], object]:
    """Changes the members of an archive, but not what its manifest says."""

    def run(path: Path) -> None:
        with tarfile.open(path) as tar:
            members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
        change(members)
        with tarfile.open(path, "w:gz") as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))

    return run


def with_wrong_row(path: Path) -> None:
    """An archive whose manifest is right and whose rows belong to nothing."""
    rows = path.parent / "rows"
    rows.mkdir()
    with tarfile.open(path) as tar:
        for info in tar:
            if info.name.startswith("rows/"):
                (path.parent / info.name).write_bytes(tar.extractfile(info).read())  # type: ignore[union-attr]
        told = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
    (rows / "conversations.jsonl").write_text("")
    counts = told["rows"] | {"conversations": 0}
    pack(path, rows, rows / "none", made_at="", revision=told["revision"], counts=counts)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "no archive": lambda path: path.write_bytes(b"hello"),
    "empty": lambda path: path.write_bytes(b""),
    "a changed row": remade(lambda m: m.update({"rows/messages.jsonl": b"{}\n"})),
    "a changed file": remade(lambda m: m.update({"attachments/stored-1": b"virus"})),
    "a missing file": remade(lambda m: m.pop("attachments/stored-1")),
    "a missing table": remade(lambda m: m.pop("rows/messages.jsonl")),
    "no manifest": remade(lambda m: m.pop("manifest.json")),
    "another manifest": remade(lambda m: m.update({"manifest.json": b'{"format": 1}'})),
    "a way out": remade(lambda m: m.update({"attachments/../../x": b"x"})),
    "rows of nothing": with_wrong_row,
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_backup_changes_nothing(tmp_path: Path, damage: str) -> None:
    (tmp_path / "data").mkdir()
    async with opened("sqlite", tmp_path / "data") as storage:
        await fill(storage)
        target = tmp_path / "one.backup"
        await backup.back_up(storage, target)
        DAMAGES[damage](target)
        before = await contents(storage)
        with pytest.raises(ChatError) as raised:
            await backup.restore(storage, target, force=True)
        assert raised.value.code == "backup_damaged"
        assert await contents(storage) == before
        assert (storage.files / "stored-1").read_bytes() == b"picture"
        assert not (tmp_path / "x").exists()


@pytest.mark.slow  # each costs a second on purpose
async def test_passphrases(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as storage:
        target = tmp_path / "one.backup"
        await fill(storage)
        before = await contents(storage)
        await backup.back_up(storage, target, passphrase="right")
        for wrong in (None, "wrong"):
            with pytest.raises(ChatError) as raised:
                backup.verify(target, passphrase=wrong)
            assert raised.value.code == "backup_passphrase"
        await conversations.create(storage, ME)
        await backup.restore(storage, target, passphrase="right", force=True)
        assert await contents(storage) == before
        with tarfile.open(target, "r:") as tar:
            assert tar.getnames() == ["key.age", "archive.age"]
            at = tar.getmember("archive.age").offset_data + 500
        data = bytearray(target.read_bytes())
        data[at] ^= 1
        target.write_bytes(data)
        with pytest.raises(ChatError) as raised:
            backup.verify(target, passphrase="right")
        assert raised.value.code == "backup_damaged"


async def test_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as storage:
        with pytest.raises(ChatError) as raised:
            await backup.restore(storage, tmp_path / "none")
        assert raised.value.code == "backup_not_found"
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(ChatError) as raised:
            await backup.back_up(storage, tmp_path / "file" / "one.backup")
        assert raised.value.code == "backup_failed"


async def test_only_the_last_are_kept(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as storage:
        folder = tmp_path / "backups"
        made = [await backup.back_up_into(storage, folder, keep=2) for _ in range(3)]
        (folder / "notes.txt").write_text("mine")
        made.append(await backup.back_up_into(storage, folder, keep=2))
        assert sorted(folder.glob(f"*{backup.SUFFIX}")) == made[-2:]
        assert (folder / "notes.txt").exists()
        assert backup.verify(made[-1]).made_at <= now().isoformat()
