"""Export, import, and the jobs behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response, StreamingResponse

from chat.api import shapes, views
from chat.api.operation import ROOT, Answer, Call
from chat.api.uploads import file_headers
from chat.errors import ChatError
from chat.jobs.transfers import EXPORTS, UPLOADS
from chat.storage import conversations, jobs
from chat.storage.records import Job
from chat.transfer.exporting import export


async def export_one(call: Call) -> Response:
    """One conversation as a file, as it is read."""
    asked: shapes.Format = call.query
    made = await export(call.core.storage, call.owner, asked.format, call.ids["conversation"])
    return StreamingResponse(made.chunks, headers=file_headers(made.name, made.media_type))


async def export_all(call: Call) -> Answer:
    """A job that writes one conversation, or all, into a file."""
    given: shapes.Export = call.body
    if given.conversation is not None:
        await conversations.get(call.core.storage, call.owner, given.conversation)
    payload = {"format": given.format, "conversation_id": given.conversation}
    return await _enqueued(call, "export", payload)


async def import_file(call: Call) -> Answer:
    """The body is a file of conversations; a job reads it."""
    upload = call.upload
    assert upload is not None  # noqa: S101  the operation takes a file
    if not upload.size:
        raise ChatError("invalid_value", "the file is empty")
    kept = upload.path.with_name(f"import-{upload.path.name.removeprefix('new-')}")
    await asyncio.to_thread(upload.path.rename, kept)
    try:
        return await _enqueued(call, "import", {"file": f"{UPLOADS}/{kept.name}"})
    except BaseException:
        kept.unlink(missing_ok=True)
        raise


async def download(call: Call) -> Response:
    """What an export made."""
    job = await call.core.jobs.get(call.owner, call.ids["job"])
    if job.kind != "export":
        raise ChatError("not_found", "there is no such export")
    if job.state != "done" or job.result is None:
        raise ChatError("not_finished", f"the export is {job.state}")
    path = call.core.data_dir / EXPORTS / Path(str(job.result["file"])).name
    if not await asyncio.to_thread(path.is_file):
        raise ChatError("not_found", "the file is not kept any more")
    headers = file_headers(str(job.result["name"]), str(job.result["media_type"]))
    return FileResponse(path, headers=headers)


async def list_jobs(call: Call) -> Answer:
    """Newest first."""
    asked: shapes.JobListing = call.query
    page = await jobs.list_page(
        call.core.storage, call.owner, cursor=asked.cursor, limit=asked.limit, state=asked.state
    )
    return Answer(shapes.JobList(jobs=tuple(map(views.job, page.jobs)), cursor=page.cursor))


async def get_job(call: Call) -> Answer:
    """How it stands."""
    return Answer(views.job(await call.core.jobs.get(call.owner, call.ids["job"])))


async def retry_job(call: Call) -> Answer:
    """Once more, what had failed for good."""
    return Answer(views.job(await call.core.jobs.retry(call.owner, call.ids["job"])))


async def _enqueued(call: Call, kind: str, payload: Mapping[str, Any]) -> Answer:
    job_id = await call.core.jobs.enqueue(call.owner, kind, payload)
    job: Job = await call.core.jobs.get(call.owner, job_id)
    return Answer(views.job(job), {"location": f"{ROOT}/jobs/{job_id}"})
