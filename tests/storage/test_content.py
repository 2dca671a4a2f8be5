"""The seam through which contents go: with a toy cipher nothing readable reaches the disk."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from chat.errors import ChatError
from chat.storage import (
    attachments,
    conversations,
    idempotency,
    jobs,
    messages,
    preferences,
    search,
)
from chat.storage.content import clean
from chat.storage.records import NewMessage, StoredCall
from chat.storage.schema import metadata
from tests.databases import opened

ME = "me"
SECRET = "xylophone"


class Toy:
    """No cipher at all, but what it writes cannot be read by eye or found by `grep`."""

    plain = False

    def seal(self, owner: str, text: str) -> str:
        return self._mixed(owner, text, secrets.token_bytes(8))

    def label(self, owner: str, text: str) -> str:
        return self._mixed(owner, text, b"\1" * 8)

    def open(self, owner: str, stored: str) -> str:
        mixed = base64.b85decode(stored)
        salt, data = mixed[:8], mixed[8:]
        return self._xor(owner, salt, data).decode()

    def _mixed(self, owner: str, text: str, salt: bytes) -> str:
        return base64.b85encode(salt + self._xor(owner, salt, text.encode())).decode()

    def _xor(self, owner: str, salt: bytes, data: bytes) -> bytes:
        key = owner.encode() + salt
        return bytes(byte ^ key[i % len(key)] ^ 0x5A for i, byte in enumerate(data))


async def test_everything_that_people_write_goes_through_it(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path, Toy()) as storage:
        made = await conversations.create(storage, ME, title=f"{SECRET} title", tags=[SECRET])
        changed = await conversations.update(storage, ME, made.id, draft=f"my {SECRET}")
        assert (changed.title, changed.tags) == (f"{SECRET} title", (SECRET,))
        assert len((await conversations.list_page(storage, ME, tag=SECRET)).conversations) == 1
        assert await conversations.tags(storage, ME) == ((SECRET, 1),)
        file = await attachments.add(
            storage, ME, name=f"{SECRET}.png", media_type="image/png", size=1, stored_name="f"
        )
        assert file.name == f"{SECRET}.png"
        new = NewMessage(
            "user",
            f"I play the {SECRET}",
            tool_calls=(StoredCall("c", "f", SECRET),),
            error=SECRET,
            attachments=(file.id,),
        )
        (message,) = await messages.append(storage, ME, made.id, new)
        assert await messages.get(storage, ME, made.id, message.id) == message
        await messages.update(storage, ME, made.id, message.id, text=f"{SECRET} {SECRET}")
        copy = await messages.fork(storage, ME, made.id, message.id)
        assert copy.title == f"{SECRET} title"
        job = await jobs.add(storage, ME, "title", {"say": SECRET})
        (claimed,) = await jobs.claim(storage, lease=timedelta(minutes=1))
        await jobs.fail(storage, claimed, SECRET, retry_at=claimed.run_at)
        (claimed,) = await jobs.claim(storage, lease=timedelta(minutes=1))
        await jobs.finish(storage, claimed, {"said": SECRET})
        assert (await jobs.get(storage, ME, job.id)).result == {"said": SECRET}
        await idempotency.begin(storage, ME, "k", "h")
        await idempotency.finish(storage, ME, "k", 201, SECRET)
        assert (await preferences.write(storage, ME, {"prompt": SECRET})) == {"prompt": SECRET}
        with pytest.raises(ChatError) as raised:
            await search.search(storage, ME, SECRET)
        assert raised.value.code == "search_unavailable"
        async with storage.disk.read() as connection:
            for table in metadata.sorted_tables:
                for row in await connection.execute(select(table)):
                    assert SECRET not in repr(row), table.name
        for path in tmp_path.rglob("*"):
            assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_what_no_database_can_hold_is_left_out() -> None:
    assert clean("a\0b\ud800c\U0001f600d") == "ab�c\U0001f600d"
