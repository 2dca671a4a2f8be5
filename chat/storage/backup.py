"""Backups: made while the server runs, verified before anything is replaced.

Rows are written as JSON, the same from SQLite and PostgreSQL, so that a backup of the one can be
restored into the other. Stored contents stay sealed as they are.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Date, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from chat.errors import ChatError
from chat.storage import archive as archives
from chat.storage.archive import Manifest
from chat.storage.connection import Connection
from chat.storage.database import Storage
from chat.storage.records import now
from chat.storage.schema import UtcTime, metadata
from chat.storage.words import index_of

BATCH = 500
SUFFIX = ".vivavoce-backup"
_WORDS_OF = {"conversations": "title", "messages": "text"}


async def back_up(
    storage: Storage, target: Path, *, passphrase: str | None = None, force: bool = False
) -> Manifest:
    """Write the database as it is at one moment, and the attachments, into the file `target`.

    Others may read and write meanwhile. The file appears when it is complete, readable for its
    owner only. What is kept in memory is not in it. Raises `ChatError`: `backup_exists` (without
    `force`), `backup_failed`.
    """
    if not force and await asyncio.to_thread(target.exists):
        raise ChatError("backup_exists", f"{target} exists already")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as scratch:
            work = Path(scratch)
            (work / "rows").mkdir()
            revision, counts = await _dump(storage, work / "rows")
            made_at = now().isoformat()
            plain = work / "archive.tar.gz"
            manifest = await asyncio.to_thread(
                archives.pack,
                plain,
                work / "rows",
                storage.files,
                made_at=made_at,
                revision=revision,
                counts=counts,
            )
            await asyncio.to_thread(_put, plain, target, passphrase)
    except OSError as error:
        raise ChatError("backup_failed", f"{target} cannot be written: {error}") from None
    return manifest


async def restore(
    storage: Storage, source: Path, *, passphrase: str | None = None, force: bool = False
) -> Manifest:
    """Replace everything in `storage` with what is in the backup `source`.

    Nothing is touched before the whole archive is verified, and the rows are replaced in one
    transaction: they are the old ones or the new ones. No server may be running on it meanwhile.

    Raises `ChatError`: `restore_not_empty` (there are conversations or files; `force` replaces
    them), `restore_newer` (a later release made it), `backup_not_found`, `backup_passphrase`,
    `backup_damaged`.
    """
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=storage.files.parent) as scratch:
        work = Path(scratch)
        if not force and await _has_content(storage):
            raise ChatError("restore_not_empty", "there are conversations or files already")
        manifest = await asyncio.to_thread(_open, source, passphrase, work)
        try:
            async with storage.disk.write() as connection:
                if await _revision(connection) != manifest.revision:
                    raise ChatError("restore_newer", "the backup is of another release's database")
                await _replace_rows(connection, storage, manifest, work / "rows")
        except (IntegrityError, ValueError, KeyError, TypeError, AttributeError):
            raise archives.damaged("its rows do not fit together") from None
        await asyncio.to_thread(_replace_files, work / "attachments", storage.files)
    return manifest


def verify(source: Path, *, passphrase: str | None = None) -> Manifest:
    """Read a backup through and compare it with its manifest (blocking). Raises `ChatError`."""
    with tempfile.TemporaryDirectory(prefix="vivavoce-verify-") as scratch:
        return _open(source, passphrase, Path(scratch))


async def back_up_into(
    storage: Storage, folder: Path, *, keep: int, passphrase: str | None = None
) -> Path:
    """Write one more backup into `folder`, named by the time, and remove all but the last `keep`.

    For a schedule. Raises what `back_up` does.
    """
    target = folder / f"{now():%Y%m%dT%H%M%S%f}Z{SUFFIX}"
    await back_up(storage, target, passphrase=passphrase)
    await asyncio.to_thread(_keep_last, folder, max(keep, 1))
    return target


def _keep_last(folder: Path, keep: int) -> None:
    for old in sorted(folder.glob(f"*{SUFFIX}"))[:-keep]:
        old.unlink(missing_ok=True)


async def _revision(connection: Connection) -> str:
    query = text("SELECT version_num FROM alembic_version")
    return str((await connection.execute(query)).scalar_one())


async def _dump(storage: Storage, folder: Path) -> tuple[str, dict[str, int]]:
    """Every table as a file of JSON lines, all as of one moment. Returns revision and counts."""
    async with storage.disk.read() as connection:
        if storage.disk.dialect == "postgresql":
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        revision = await _revision(connection)
        return revision, await connection.run_sync(_dump_rows, folder)


def _dump_rows(connection: SyncConnection, folder: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for table in metadata.sorted_tables:
        # Rows that refer to rows of their own table were made after those.
        query = select(*(c for c in table.c if c.name != "row"))
        query = query.order_by(*([table.c.row] if "row" in table.c else table.primary_key))
        counts[table.name] = 0
        rows = connection.execute(query.execution_options(yield_per=BATCH))
        with (folder / f"{table.name}.jsonl").open("w", encoding="utf-8") as out:
            for batch in rows.mappings().partitions():
                out.writelines(f"{json.dumps(_plain(row))}\n" for row in batch)
                counts[table.name] += len(batch)
    return counts


def _plain(row: Any) -> dict[str, Any]:
    """A row as JSON has it; of its index only whether it has one."""
    return {
        name: value.isoformat()
        if isinstance(value, date)
        else value is not None
        if name == "words"
        else value
        for name, value in row.items()
    }


def _put(plain: Path, target: Path, passphrase: str | None) -> None:
    """Move the archive to where it belongs, encrypted if there is a passphrase."""
    done = plain
    if passphrase:
        done = plain.with_name("encrypted")
        archives.encrypt(plain, done, passphrase)
    done.chmod(0o600)
    with done.open("rb") as written:
        os.fsync(written.fileno())
    done.replace(target)


def _open(source: Path, passphrase: str | None, work: Path) -> Manifest:
    with archives.decrypted(source, passphrase, work) as plain:
        manifest = archives.unpack(plain, work)
    for name in metadata.tables:
        if f"rows/{name}.jsonl" not in manifest.files:
            raise archives.damaged(f"there are no rows of {name} in it")
    return manifest


async def _has_content(storage: Storage) -> bool:
    async with storage.disk.read() as connection:
        query = select(func.count()).select_from(metadata.tables["conversations"])
        count = (await connection.execute(query)).scalar_one()
    return bool(count) or any(storage.files.iterdir())


async def _replace_rows(
    connection: Connection, storage: Storage, manifest: Manifest, folder: Path
) -> None:
    for table in reversed(metadata.sorted_tables):
        await connection.execute(table.delete())
    for table in metadata.sorted_tables:
        count = 0
        for batch in _batches(folder / f"{table.name}.jsonl", table, storage.disk.dialect):
            await connection.execute(insert(table), batch)
            count += len(batch)
        if count != manifest.rows.get(table.name):
            raise archives.damaged(f"there are {count} rows of {table.name}")


def _batches(path: Path, table: Table, dialect: str) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            batch.append(_row(json.loads(line), table, dialect))
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _row(plain: dict[str, Any], table: Table, dialect: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in plain.items():
        kind = table.c[name].type
        if value is not None and isinstance(kind, UtcTime):
            row[name] = datetime.fromisoformat(value)
        elif value is not None and isinstance(kind, Date):
            row[name] = date.fromisoformat(value)
        elif name == "words":
            row[name] = index_of(plain[_WORDS_OF[table.name]], dialect) if value else None
        else:
            row[name] = value
    return row


def _replace_files(new: Path, files: Path) -> None:
    """Put the files of the backup in place of those that are there."""
    new.mkdir(exist_ok=True)
    kept = {path.name for path in new.iterdir()}
    for path in new.iterdir():
        path.replace(files / path.name)
    for path in files.iterdir():
        if path.is_file() and path.name not in kept:
            path.unlink()
