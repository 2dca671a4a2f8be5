"""Conversations that are kept in memory leave nothing on the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chat.errors import ChatError
from chat.storage import Storage, conversations, idempotency, messages, search
from chat.storage.records import NewMessage
from tests.databases import opened

ME = "me"
SECRET = "xylophone-secret"


async def test_they_work_like_others_and_are_listed_apart(storage: Storage) -> None:
    made = await conversations.create(storage, ME, title="Hidden", tags=["x"], ephemeral=True)
    assert made.ephemeral
    again = await conversations.create(storage, ME, id="mem_mine")
    assert again.ephemeral
    (question,) = await messages.append(storage, ME, made.id, NewMessage("user", "zebra"))
    await messages.edit(storage, ME, made.id, question.id, "zebras")
    copy = await messages.fork(storage, ME, made.id, question.id)
    assert copy.ephemeral
    page = await messages.page(storage, ME, made.id)
    assert [m.text for m in page.messages] == ["zebras"]
    assert (await conversations.list_page(storage, ME)).conversations == ()
    assert len((await conversations.list_page(storage, ME, ephemeral=True)).conversations) == 3
    assert (await search.search(storage, ME, "zebra")).hits == ()
    assert len((await search.search(storage, ME, "zebra", ephemeral=True)).hits) == 3
    assert await conversations.tags(storage, ME) == ()
    assert (await conversations.list_page(storage, "other", ephemeral=True)).conversations == ()
    for new in (
        NewMessage("user", "x", attachments=("att_1",)),
        NewMessage("user", "x", audio="a.wav"),
    ):
        with pytest.raises(ChatError) as raised:
            await messages.append(storage, ME, made.id, new)
        assert raised.value.code == "ephemeral"
    with pytest.raises(ChatError) as raised:
        await conversations.create(storage, ME, id="conv_x", ephemeral=True)
    assert raised.value.code == "invalid_request"


async def test_nothing_of_them_is_in_any_file(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as storage:
        kept = await conversations.create(storage, ME, title="plainly-stored")
        made = await conversations.create(
            storage, ME, title=SECRET, tags=[SECRET], draft=SECRET, ephemeral=True
        )
        for i in range(50):
            await messages.append(
                storage, ME, made.id, NewMessage("user", f"{SECRET} {i} " * 500, error=SECRET)
            )
        await conversations.update(storage, ME, made.id, draft=SECRET * 100)
        await idempotency.begin(storage, ME, "k", "h", ephemeral=True)
        await idempotency.finish(storage, ME, "k", 200, SECRET, ephemeral=True)
        again = await idempotency.begin(storage, ME, "k", "h", ephemeral=True)
        assert again is not None
        assert again.body == SECRET
        await search.search(storage, ME, SECRET, ephemeral=True)
        files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert {path.name for path in files} >= {"vivavoce.db", "vivavoce.db-wal"}
        assert any(b"plainly-stored" in data for data in files.values()), kept
        for path, data in files.items():
            assert SECRET.encode() not in data, path
            assert b"xylophone" not in data, path
            assert made.id.encode() not in data, path


async def test_a_cancelled_request_costs_nothing(storage: Storage) -> None:
    made = await conversations.create(storage, ME, ephemeral=True)
    kept = await conversations.create(storage, ME)
    for i in range(30):
        for id_ in (made.id, kept.id):
            task = asyncio.create_task(
                messages.append(storage, ME, id_, NewMessage("user", f"cancelled {i}"))
            )
            for _ in range(i):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    for id_ in (made.id, kept.id):
        (last,) = await messages.append(storage, ME, id_, NewMessage("user", "still here"))
        page = await messages.page(storage, ME, id_, limit=200)
        assert page.messages[-1] == last
        assert [m.parent_id for m in page.messages[1:]] == [m.id for m in page.messages[:-1]]


async def test_they_are_gone_when_it_closes(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as storage:
        made = await conversations.create(storage, ME, ephemeral=True)
    async with opened("sqlite", tmp_path) as storage:
        with pytest.raises(ChatError):
            await conversations.get(storage, ME, made.id)
