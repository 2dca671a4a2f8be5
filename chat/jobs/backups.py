"""The job `backup`: one more backup of everything, of which the newest few are kept."""

from __future__ import annotations

from pathlib import Path

from chat.jobs import Result, Run
from chat.storage import Storage
from chat.storage.backup import back_up_into
from chat.storage.records import Job


def make_backups(
    storage: Storage, folder: Path, *, keep: int, passphrase: str | None = None
) -> Run:
    """The job `backup`; its result has `file` (the name in `folder`) and `size`."""

    async def run(_: Job) -> Result:
        path = await back_up_into(storage, folder, keep=keep, passphrase=passphrase)
        return {"file": path.name, "size": path.stat().st_size}

    return run
