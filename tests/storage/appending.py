"""A program that appends messages and reports the id of each once it has been acknowledged."""

from __future__ import annotations

import asyncio
from multiprocessing.connection import Connection
from pathlib import Path

from chat.storage import messages, open_storage
from chat.storage.records import NewMessage

LINES = 3


def append_forever(url: str, folder: Path, conversation: str, told: Connection) -> None:
    """Append to `conversation` from three tasks until the process is killed."""
    asyncio.run(_append(url, folder, conversation, told))


async def _append(url: str, folder: Path, conversation: str, told: Connection) -> None:
    storage = await open_storage(url, data_dir=folder)

    async def write(line: int) -> None:
        count = 0
        while True:
            count += 1
            new = NewMessage("user", f"line {line}, message {count}")
            (made,) = await messages.append(storage, "me", conversation, new)
            told.send_bytes(made.id.encode())

    await asyncio.gather(*(write(line) for line in range(LINES)))
