"""The job `clean-up`: what was deleted long enough ago goes for good, and so do its files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from chat.attachments import files
from chat.jobs import Result, Run
from chat.jobs.transfers import EXPORTS, UPLOADS
from chat.jobs.working import forget
from chat.storage import Storage, idempotency, purging
from chat.storage.records import Job, now
from chat.storage.schema import attachments, messages


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long things are kept: `deleted` conversations (to be restored until then), `unused`
    attachments that no message has, `files` of exports, unfinished uploads and orphans, answers
    to idempotent `requests`.
    """

    deleted: timedelta = timedelta(days=7)
    unused: timedelta = timedelta(hours=24)
    files: timedelta = timedelta(hours=24)
    requests: timedelta = timedelta(hours=48)


def make_cleaning(storage: Storage, data_dir: Path, keeping: Keeping | None = None) -> Run:
    """The job `clean-up`; its result says how much went."""
    keep = keeping or Keeping()

    async def run(_: Job) -> Result:
        at = now()
        purged = await purging.purge(storage, before=at - keep.deleted)
        unused = await purging.purge_unused(storage, before=at - keep.unused)
        for stored in (*purged.files, *unused.files):
            await asyncio.to_thread(files.remove, data_dir, stored)
        known = await _known(storage)
        orphans = await asyncio.to_thread(
            files.remove_orphans, data_dir, known, older_than=keep.files
        )
        folders = [data_dir / EXPORTS, data_dir / UPLOADS]
        old = await asyncio.to_thread(_remove_old, folders, at - keep.files)
        return {
            "conversations": purged.conversations,
            "attachments": len(purged.files) + len(unused.files),
            "orphans": orphans,
            "files": old,
            "requests": await idempotency.purge(storage, before=at - keep.requests),
            "jobs": await forget(storage),
        }

    return run


async def _known(storage: Storage) -> set[str]:
    """The stored names of all attachments and sounds, of all owners."""
    sounds = select(messages.c.audio).where(messages.c.audio.is_not(None))
    async with storage.disk.read() as connection:
        known = set((await connection.execute(select(attachments.c.stored_name))).scalars())
        return known | set((await connection.execute(sounds)).scalars())


def _remove_old(folders: Sequence[Path], before: datetime) -> int:
    count = 0
    for folder in folders:
        for path in folder.iterdir() if folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if datetime.fromtimestamp(path.lstat().st_mtime, UTC) < before:
                    path.unlink()
                    count += 1
    return count
