"""How many statements an operation costs: no more for many rows than for one."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from chat.storage import (
    Storage,
    attachments,
    conversations,
    idempotency,
    jobs,
    messages,
    preferences,
    search,
    usage,
)
from chat.storage.records import NewMessage

ME = "me"
MOST = 5


@contextmanager
def counted(storage: Storage) -> Iterator[list[str]]:
    """The statements that are executed meanwhile, without the marks of transactions."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *rest: object) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            seen.append(statement)

    engines = {storage.disk.reader.sync_engine, storage.disk.writer.sync_engine}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


async def filled(storage: Storage) -> str:
    """Thirty conversations, one of them with forty messages, files and versions."""
    for i in range(30):
        made = await conversations.create(storage, ME, title=f"Fruit {i}", tags=["a", f"t{i}"])
    files = [
        await attachments.add(
            storage,
            ME,
            name="x",
            media_type="text/plain",
            size=1,
            stored_name=f"s{i}",
            id=f"att_{i}",
        )
        for i in range(3)
    ]
    new = [
        NewMessage("user", f"apple {i}", id=f"msg_{i}", attachments=tuple(f.id for f in files))
        for i in range(40)
    ]
    await messages.append(storage, ME, made.id, *new)
    await messages.append(storage, ME, made.id, NewMessage("user", "v", parent_id="msg_38"))
    return made.id


Operation = Callable[[Storage, str], Awaitable[object]]
OPERATIONS: dict[str, Operation] = {
    "create": lambda s, _: conversations.create(s, ME, title="x", tags=["a", "b"]),
    "create again": lambda s, id_: conversations.create(s, ME, id=id_),
    "get": lambda s, id_: conversations.get(s, ME, id_),
    "list": lambda s, _: conversations.list_page(s, ME, tag="a"),
    "update": lambda s, id_: conversations.update(s, ME, id_, title="x", tags=["c", "d"]),
    "delete": lambda s, id_: conversations.delete(s, ME, id_),
    "restore": lambda s, id_: conversations.restore(s, ME, id_),
    "tags": lambda s, _: conversations.tags(s, ME),
    "append": lambda s, id_: messages.append(
        s, ME, id_, *(NewMessage("user", "x", attachments=("att_1", "att_2")) for _ in range(9))
    ),
    "append again": lambda s, id_: messages.append(
        s, ME, id_, NewMessage("user", "apple 1", id="msg_1")
    ),
    "page": lambda s, id_: messages.page(s, ME, id_),
    "message": lambda s, id_: messages.get(s, ME, id_, "msg_1"),
    "change a message": lambda s, id_: messages.update(s, ME, id_, "msg_1", text="x"),
    "versions": lambda s, id_: messages.versions(s, ME, id_, "msg_39"),
    "everything": lambda s, id_: messages.everything(s, ME, id_),
    "choose": lambda s, id_: messages.choose(s, ME, id_, "msg_39"),
    "search": lambda s, _: search.search(s, ME, "apple"),
    "search titles": lambda s, _: search.search(s, ME, "fruit"),
    "attachments": lambda s, _: attachments.list_ids(s, ME, ["att_1", "att_2"]),
    "add a job": lambda s, _: jobs.add(s, ME, "title", {}, key="k"),
    "jobs": lambda s, _: jobs.list_page(s, ME),
    "claim": lambda s, _: jobs.claim(s, lease=timedelta(1), limit=9),
    "count usage": lambda s, _: usage.record(
        s, ME, model="m", prompt_tokens=1, completion_tokens=1
    ),
    "usage": lambda s, _: usage.day_total(s, ME),
    "begin": lambda s, _: idempotency.begin(s, ME, "k", "h"),
    "preferences": lambda s, _: preferences.write(s, ME, {"a": 1, "b": None}),
}


async def test_no_operation_takes_more_than_five(storage: Storage) -> None:
    id_ = await filled(storage)
    counts = {}
    for name, operation in OPERATIONS.items():
        with counted(storage) as seen:
            await operation(storage, id_)
        counts[name] = len(seen)
    sys.stdout.write(f"statements: {counts}\n")
    assert min(counts.values()) >= 1
    assert {name: count for name, count in counts.items() if count > MOST} == {}


@pytest.mark.parametrize("more", [40])
async def test_copying_takes_no_more_for_more(storage: Storage, more: int) -> None:
    id_ = await filled(storage)
    sizes = []
    for message in ("msg_1", f"msg_{more - 1}"):
        with counted(storage) as seen:
            await messages.fork(storage, ME, id_, message)
        sizes.append(len(seen))
    assert sizes[0] == sizes[1]
