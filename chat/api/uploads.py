"""Attachments: bytes that come and go. What a file is, its content decides."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from chat.api import shapes, views
from chat.api.operation import ROOT, Answer, Call
from chat.attachments import accept, files
from chat.errors import ChatError
from chat.storage import attachments, messages
from chat.storage.records import Attachment

SOUNDS = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".webm": "audio/webm",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
}


async def upload(call: Call) -> Answer:
    """The body is the file. Images are encoded anew and lose what they tell of place and camera."""
    asked: shapes.Upload = call.query
    assert call.upload is not None  # noqa: S101  the operation takes a file
    data = await asyncio.to_thread(call.upload.path.read_bytes)
    accepted = await accept(data, asked.name)
    stored = await asyncio.to_thread(files.save, call.core.data_dir, accepted)
    try:
        kept = await attachments.add(
            call.core.storage,
            call.owner,
            id=asked.id or "",
            name=accepted.name,
            media_type=accepted.media_type,
            size=len(accepted.data),
            stored_name=stored,
        )
    except BaseException:
        files.remove(call.core.data_dir, stored)
        raise
    if kept.stored_name != stored:  # the id was there: that file stays
        await asyncio.to_thread(files.remove, call.core.data_dir, stored)
    return Answer(views.file(kept), {"location": f"{ROOT}/attachments/{kept.id}"})


async def get(call: Call) -> Answer:
    """What is known of it."""
    return Answer(views.file(await _attachment(call)))


async def delete(call: Call) -> Answer:
    """Away, unless a message has it."""
    gone = await attachments.remove(call.core.storage, call.owner, call.ids["attachment"])
    await asyncio.to_thread(files.remove, call.core.data_dir, gone.stored_name)
    return Answer(None)


async def content(call: Call) -> Response:
    """The bytes, to be saved or shown by this page and to do nothing else."""
    attachment = await _attachment(call)
    path = await asyncio.to_thread(files.path_of, call.core.data_dir, attachment.stored_name)
    return FileResponse(path, headers=file_headers(attachment.name, attachment.media_type))


async def sound(call: Call) -> Response:
    """What was said, as it was recorded; only where the server keeps recordings."""
    place = (call.owner, call.ids["conversation"], call.ids["message"])
    message = await messages.get(call.core.storage, *place)
    if message.audio is None:
        raise ChatError("not_found", "there is no sound of this message")
    path = await asyncio.to_thread(files.path_of, call.core.data_dir, message.audio)
    kind = SOUNDS.get(path.suffix, "application/octet-stream")
    return FileResponse(path, headers=file_headers(message.id + path.suffix, kind))


def file_headers(name: str, media_type: str) -> dict[str, str]:
    """How a file is given away: under its name, as what it is, and with no right to do anything."""
    return {
        "content-type": f"{media_type}; charset=utf-8"
        if media_type.startswith("text/")
        else media_type,
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cache-control": "private, max-age=3600",
    }


async def _attachment(call: Call) -> Attachment:
    return await attachments.get(call.core.storage, call.owner, call.ids["attachment"])
