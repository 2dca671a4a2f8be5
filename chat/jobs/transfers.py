"""The jobs `export` and `import`."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from chat.attachments import Limits
from chat.errors import ChatError
from chat.jobs import Hopeless, Result, Run
from chat.storage import Storage
from chat.storage.records import Job
from chat.transfer.archives import ImportLimits
from chat.transfer.exporting import ExportFormat, export
from chat.transfer.importing import import_file

EXPORTS = "exports"
UPLOADS = "uploads"
_UPLOADED = re.compile(rf"{UPLOADS}/[A-Za-z0-9_-]{{1,100}}")


def make_exports(storage: Storage, data_dir: Path) -> Run:
    """The job `export`, payload `{"format", "conversation_id" (or null: all)}`.

    It writes `exports/<job id>` in the data folder; the result has `file` (that name), `name` (for
    whoever downloads it), `media_type` and `size`. Cleaning up deletes it some time later.
    """

    async def run(job: Job) -> Result:
        form: ExportFormat = job.payload["format"]
        if form not in get_args(ExportFormat):
            raise Hopeless("there is no such format")
        made = await export(storage, job.owner, form, job.payload.get("conversation_id"))
        folder = data_dir / EXPORTS
        path, part = folder / job.id, folder / f"{job.id}.part"
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        size = 0
        try:
            with part.open("wb") as file:
                async for chunk in made.chunks:
                    size += len(chunk)
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return {"file": job.id, "name": made.name, "media_type": made.media_type, "size": size}

    return run


def make_imports(
    storage: Storage,
    data_dir: Path,
    *,
    limits: ImportLimits | None = None,
    attachment_limits: Limits | None = None,
) -> Run:
    """The job `import`, payload `{"file": "uploads/..."}` in the data folder, which is deleted at
    the end. Its result says what came in. Run twice, it imports once.
    """

    async def run(job: Job) -> Result:
        place = str(job.payload["file"])
        if not _UPLOADED.fullmatch(place):
            raise Hopeless("there is no such upload")
        path = data_dir / place
        if not await asyncio.to_thread(path.is_file):
            raise Hopeless("the uploaded file is gone")
        try:
            done = await import_file(
                storage,
                job.owner,
                path,
                limits=limits,
                attachment_limits=attachment_limits,
                once=job.id,
            )
        except ChatError as error:
            if error.code.startswith("import_"):
                path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)
        found = asdict(done)
        found["conversations"] = len(found.pop("conversation_ids"))
        return found

    return run
