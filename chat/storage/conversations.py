"""Conversations: make, list, rename, pin, archive, tag, delete and restore them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import func, insert, literal, select, tuple_
from sqlalchemy import update as update_of
from sqlalchemy.exc import IntegrityError

from chat.errors import ChatError
from chat.storage.connection import Connection
from chat.storage.content import Content, clean, seal, unseal
from chat.storage.database import Storage
from chat.storage.limits import (
    MAX_DRAFT,
    MAX_TAG,
    MAX_TAGS,
    MAX_TITLE,
    at_most,
    page_size,
    time_cursor,
    to_cursor,
)
from chat.storage.purging import purge
from chat.storage.records import (
    EPHEMERAL,
    Conversation,
    ConversationPage,
    TitleSource,
    VersionConflict,
    is_id,
    new_id,
    now,
)
from chat.storage.rows import CONVERSATION, find, indexed, read_conversation, with_tags
from chat.storage.schema import UtcTime, conversation_tags, conversations

__all__ = ["create", "delete", "get", "list_page", "purge", "restore", "tags", "update"]

TEMPORARY_TITLE = "New chat"
_C = conversations.c
_T = conversation_tags.c


async def create(
    storage: Storage,
    owner: str,
    *,
    id: str = "",  # noqa: A002 - the record's own name for it
    title: str = "",
    title_source: TitleSource = "temporary",
    tags: Sequence[str] = (),
    ephemeral: bool = False,
    pinned: bool = False,
    archived: bool = False,
    draft: str = "",
    created_at: datetime | None = None,
    updated_at: datetime | None = None,
) -> Conversation:
    """Make a conversation, or return the one of that id as it is, so that trying again is safe.

    Without an id one is made; that of an ephemeral conversation begins with `mem_` (and an id that
    does makes it one), others with `conv_`. An empty title becomes "New chat". Raises `ChatError`:
    `invalid_request` (id), `too_large`, `exists` (the id is that of a deleted one).
    """
    id_ = id or new_id(EPHEMERAL if ephemeral else "conv")
    if not is_id(id_, *((EPHEMERAL,) if ephemeral else (EPHEMERAL, "conv"))):
        raise ChatError("invalid_request", "a conversation's id is conv_ (or mem_) and A-Za-z0-9_-")
    title = at_most(title.strip(), MAX_TITLE, "title") or TEMPORARY_TITLE
    draft = at_most(draft, MAX_DRAFT, "draft")
    named = _read_tags(tags)
    created = created_at or now()
    conversation = Conversation(
        id=id_,
        title=title,
        title_source=title_source,
        pinned=pinned,
        archived=archived,
        tags=named,
        draft=draft,
        head=None,
        version=1,
        created_at=created,
        updated_at=updated_at or created,
    )
    values = {
        "owner": owner,
        "id": id_,
        "title": seal(storage.content, owner, title),
        "title_source": title_source,
        "pinned": pinned,
        "archived": archived,
        "draft": seal(storage.content, owner, draft),
        "version": 1,
        "created_at": created,
        "updated_at": conversation.updated_at,
        "words": indexed(storage, id_, title),
    }

    async def add(connection: Connection) -> None:
        await connection.execute(insert(conversations), values)
        await _add_tags(connection, storage.content, owner, id_, named)

    try:
        await storage.of(id_).transact(add)
    except IntegrityError:
        there = await get(storage, owner, id_, deleted=True)
        if there.deleted_at:
            raise ChatError("exists", "a deleted conversation has this id") from None
        return there
    return conversation


async def get(
    storage: Storage, owner: str, conversation_id: str, *, deleted: bool = False
) -> Conversation:
    """The conversation; a deleted one only if asked for. Raises `ChatError` (`not_found`)."""

    async def look(connection: Connection) -> Conversation:
        row = await find(connection, owner, clean(conversation_id), deleted=deleted)
        return (await with_tags(connection, storage.content, owner, [row]))[0]

    return await storage.of(conversation_id).query(look)


async def list_page(
    storage: Storage,
    owner: str,
    *,
    cursor: str | None = None,
    limit: int = 50,
    pinned: bool | None = None,
    archived: bool | None = False,
    deleted: bool = False,
    tag: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ephemeral: bool = False,
) -> ConversationPage:
    """Conversations, those with the newest messages first; `since` <= `updated_at` < `until`.

    `pinned` and `archived` may be None: both kinds. `deleted`: those that can be restored, instead.
    `limit` is 1 to 200. Raises `ChatError` (`invalid_request`) if the cursor is none.
    """
    query = select(*CONVERSATION).where(_C.owner == owner)
    query = query.where(_C.deleted_at.is_not(None) if deleted else _C.deleted_at.is_(None))
    # Written as `IS TRUE`, so that the partial indexes are seen to fit.
    for column, wanted in ((_C.pinned, pinned), (_C.archived, archived)):
        if wanted is not None:
            query = query.where(column.is_(wanted))
    if tag is not None:
        label = storage.content.label(owner, clean(tag))
        query = query.join(
            conversation_tags,
            (_T.owner == _C.owner) & (_T.conversation_id == _C.id) & (_T.tag == label),
        )
    if since:
        query = query.where(_C.updated_at >= since)
    if until:
        query = query.where(_C.updated_at < until)
    if cursor:
        at, id_ = time_cursor(cursor)
        after = tuple_(literal(at, UtcTime), literal(id_))
        query = query.where(tuple_(_C.updated_at, _C.id) < after)
    limit = page_size(limit)
    query = query.order_by(_C.updated_at.desc(), _C.id.desc()).limit(limit + 1)

    async def look(connection: Connection) -> ConversationPage:
        rows = (await connection.execute(query)).all()
        page = await with_tags(connection, storage.content, owner, rows[:limit])
        more = to_cursor(page[-1].updated_at, page[-1].id) if len(rows) > limit else None
        return ConversationPage(page, more)

    return await storage.kept(ephemeral=ephemeral).query(look)


async def update(
    storage: Storage,
    owner: str,
    conversation_id: str,
    *,
    expected_version: int | None = None,
    title: str | None = None,
    title_source: TitleSource | None = None,
    pinned: bool | None = None,
    archived: bool | None = None,
    tags: Sequence[str] | None = None,
    draft: str | None = None,
) -> Conversation:
    """Change what is given. A title without a source is `given`; one that was `made` replaces only
    a temporary one, so that it never overwrites what the user called it.

    Raises `VersionConflict` if `expected_version` is not the version any more, and `ChatError`:
    `not_found`, `too_large`, `invalid_request`.
    """
    changes: dict[str, Any] = {}
    if title is not None:
        title = at_most(title.strip(), MAX_TITLE, "title")
        if not title:
            raise ChatError("invalid_request", "a title has at least one character")
        changes["title"] = seal(storage.content, owner, title)
        changes["title_source"] = title_source or "given"
        changes["words"] = indexed(storage, conversation_id, title)
    if pinned is not None:
        changes["pinned"] = pinned
    if archived is not None:
        changes["archived"] = archived
    if draft is not None:
        changes["draft"] = seal(storage.content, owner, at_most(draft, MAX_DRAFT, "draft"))
    named = None if tags is None else _read_tags(tags)

    async def change(connection: Connection) -> Conversation:
        row = await find(connection, owner, clean(conversation_id), lock=True)
        (now_,) = await with_tags(connection, storage.content, owner, [row])
        if expected_version is not None and now_.version != expected_version:
            raise VersionConflict(now_)
        if title_source == "made" and now_.title_source != "temporary":
            for name in ("title", "title_source", "words"):
                changes.pop(name, None)
        if not changes and named is None:
            return now_
        if named is not None:
            mine = (_T.owner == owner) & (_T.conversation_id == row.id)
            await connection.execute(delete_from(conversation_tags).where(mine))
            await _add_tags(connection, storage.content, owner, row.id, named)
        row = await _change(connection, owner, row.id, changes)
        kept = now_.tags if named is None else named
        return read_conversation(storage.content, owner, row, kept)

    return await storage.of(conversation_id).transact(change)


async def delete(
    storage: Storage, owner: str, conversation_id: str, *, expected_version: int | None = None
) -> Conversation:
    """Put it where `restore` finds it until it is purged; `VersionConflict` as with `update`."""
    async with storage.of(conversation_id).write() as connection:
        row = await find(connection, owner, clean(conversation_id), lock=True)
        (now_,) = await with_tags(connection, storage.content, owner, [row])
        if expected_version is not None and now_.version != expected_version:
            raise VersionConflict(now_)
        row = await _change(connection, owner, row.id, {"deleted_at": now()})
    return read_conversation(storage.content, owner, row, now_.tags)


async def restore(storage: Storage, owner: str, conversation_id: str) -> Conversation:
    """Undo `delete`; harmless if it is not deleted. Raises `ChatError` (`not_found`)."""
    async with storage.of(conversation_id).write() as connection:
        row = await find(connection, owner, clean(conversation_id), deleted=True, lock=True)
        (now_,) = await with_tags(connection, storage.content, owner, [row])
        if now_.deleted_at is None:
            return now_
        row = await _change(connection, owner, row.id, {"deleted_at": None})
    return read_conversation(storage.content, owner, row, now_.tags)


async def tags(storage: Storage, owner: str) -> tuple[tuple[str, int], ...]:
    """Every tag of the owner and how many conversations have it, the most used first."""
    query = (
        select(_T.tag, func.count())
        .join_from(
            conversation_tags,
            conversations,
            (_C.owner == _T.owner) & (_C.id == _T.conversation_id),
        )
        .where(_T.owner == owner, _C.deleted_at.is_(None))
        .group_by(_T.tag)
        .order_by(func.count().desc(), _T.tag)
    )
    async with storage.disk.read() as connection:
        rows = (await connection.execute(query)).all()
    return tuple((unseal(storage.content, owner, tag), count) for tag, count in rows)


async def _change(
    connection: Connection, owner: str, conversation_id: str, changes: dict[str, Any]
) -> Any:
    query = (
        update_of(conversations)
        .where(_C.owner == owner, _C.id == conversation_id)
        .values(changes | {"version": _C.version + 1})
        .returning(*CONVERSATION)
    )
    return (await connection.execute(query)).one()


async def _add_tags(
    connection: Connection,
    content: Content,
    owner: str,
    conversation_id: str,
    named: Sequence[str],
) -> None:
    if named:
        rows = [
            {
                "owner": owner,
                "conversation_id": conversation_id,
                "tag": content.label(owner, name),
                "place": place,
            }
            for place, name in enumerate(named)
        ]
        await connection.execute(insert(conversation_tags), rows)


def _read_tags(given: Sequence[str]) -> tuple[str, ...]:
    """Trimmed, without empty ones and repetitions. Raises `ChatError` (`too_large`)."""
    named = dict.fromkeys(at_most(tag.strip(), MAX_TAG, "tag") for tag in given)
    named.pop("", None)
    if len(named) > MAX_TAGS:
        raise ChatError("too_large", f"a conversation has at most {MAX_TAGS} tags")
    return tuple(named)
