"""A body that is a file: on the disk while it comes, hashed on the way, gone afterwards."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from chat.api.reading import bounded
from chat.jobs.transfers import UPLOADS


@dataclass(frozen=True, slots=True)
class Spooled:
    """An upload: where it lies until the request is answered, and the SHA-256 of its bytes."""

    path: Path
    sha256: str
    size: int


@asynccontextmanager
async def spooled(request: Request, data_dir: Path, limit: int) -> AsyncIterator[Spooled]:
    """The body in a file of its own, which is deleted in the end unless somebody moved it.

    Raises `ChatError` `body_too_large`.
    """
    folder = data_dir / UPLOADS
    path = await asyncio.to_thread(_new, folder)
    try:
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as file:
            async for piece in bounded(request, limit):
                digest.update(piece)
                size += len(piece)
                await asyncio.to_thread(file.write, piece)
        yield Spooled(path, digest.hexdigest(), size)
    finally:
        path.unlink(missing_ok=True)


def _new(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix="new-")
    open(handle, "wb").close()  # noqa: PTH123  closes the descriptor
    return Path(name)
