"""Reading the messages of a conversation: one, a page of the branch shown, all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, select

from chat.errors import ChatError
from chat.storage.branches import select_branch
from chat.storage.connection import Connection
from chat.storage.content import clean
from chat.storage.database import Storage
from chat.storage.limits import page_size, row_cursor, to_cursor
from chat.storage.records import Message, MessagePage
from chat.storage.rows import MESSAGE, find, not_found, read_messages
from chat.storage.schema import conversations, messages

_C = conversations.c
_M = messages.c


async def get(storage: Storage, owner: str, conversation_id: str, message_id: str) -> Message:
    """One message. Raises `ChatError` (`not_found`)."""
    found = await chosen(storage, owner, conversation_id, _M.id == clean(message_id))
    if not found:
        raise not_found("message")
    return found[0]


async def page(
    storage: Storage,
    owner: str,
    conversation_id: str,
    *,
    cursor: str | None = None,
    limit: int = 50,
    head: str | None = None,
) -> MessagePage:
    """The newest messages of the branch that ends at `head` (the conversation's, if not given).

    `cursor` leads to the ones before them. Raises `ChatError`: `not_found`, `invalid_request`.
    """
    conversation_id = clean(conversation_id)
    limit = page_size(limit)

    async def look(connection: Connection) -> MessagePage:
        row = await find(connection, owner, conversation_id)
        from_head = clean(head) if head else row.head
        if cursor:
            kind, position = row_cursor(cursor)
            if kind != "m":
                raise ChatError("invalid_request", "this is no cursor of such a list")
            start: Any = _M.position == position
        else:
            start = _M.id == from_head
        branch = select_branch(owner, conversation_id, start, limit + 1)
        rows = list((await connection.execute(*branch)).all())
        if head and not rows:
            raise not_found("message")
        more = to_cursor("m", rows[limit].position) if len(rows) > limit else None
        shown = rows[:limit][::-1]
        found = await read_messages(connection, storage.content, owner, conversation_id, shown)
        versions = await _versions(connection, owner, conversation_id, found)
        return MessagePage(found, versions, more)

    return await storage.of(conversation_id).query(look)


async def versions(
    storage: Storage, owner: str, conversation_id: str, message_id: str
) -> tuple[Message, ...]:
    """All versions of a message, itself among them, in the order they were made.

    Raises `ChatError` (`not_found`).
    """
    this = await get(storage, owner, conversation_id, message_id)
    return await chosen(
        storage, owner, conversation_id, _M.parent_id.is_not_distinct_from(this.parent_id)
    )


async def everything(storage: Storage, owner: str, conversation_id: str) -> tuple[Message, ...]:
    """The whole tree in the order it was made: parents come before their children.

    Raises `ChatError` (`not_found`).
    """
    async with storage.of(conversation_id).read() as connection:
        await find(connection, owner, clean(conversation_id))
    return await chosen(storage, owner, conversation_id)


async def chosen(
    storage: Storage, owner: str, conversation_id: str, *which: Any
) -> tuple[Message, ...]:
    """Messages of a conversation that is not deleted, in the order they were made."""
    conversation_id = clean(conversation_id)
    query = (
        select(*MESSAGE)
        .join_from(messages, conversations, (_C.owner == _M.owner) & (_C.id == _M.conversation_id))
        .where(_M.owner == owner, _M.conversation_id == conversation_id, *which)
        .where(_C.deleted_at.is_(None))
        .order_by(_M.position)
    )

    async def look(connection: Connection) -> tuple[Message, ...]:
        rows = (await connection.execute(query)).all()
        return await read_messages(connection, storage.content, owner, conversation_id, rows)

    return await storage.of(conversation_id).query(look)


async def _versions(
    connection: Connection, owner: str, conversation_id: str, found: Sequence[Message]
) -> dict[str, tuple[str, ...]]:
    """For every message the ids of those with the same parent."""
    parents = {message.parent_id for message in found}
    under: ColumnElement[bool] = _M.parent_id.in_([id_ for id_ in parents if id_ is not None])
    if None in parents:
        under |= _M.parent_id.is_(None)
    query = (
        select(_M.parent_id, _M.id)
        .where(_M.owner == owner, _M.conversation_id == conversation_id, under)
        .order_by(_M.position)
    )
    siblings: dict[str | None, list[str]] = {}
    if found:
        for parent, id_ in await connection.execute(query):
            siblings.setdefault(parent, []).append(id_)
    return {message.id: tuple(siblings[message.parent_id]) for message in found}
