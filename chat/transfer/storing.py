"""Store imported conversations: all of them or none.

They are written in batches as deleted ones, which nobody sees, and shown together by one
transaction at the end. So other writers wait for a batch at most, and what an import left behind
that was killed is cleaned up with other deleted conversations.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import Text, bindparam, cast, delete, insert, select, update
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import Insert

from chat.errors import ChatError
from chat.storage import Storage
from chat.storage.content import seal, seal_json
from chat.storage.conversations import TEMPORARY_TITLE
from chat.storage.records import Attachment, new_id, now
from chat.storage.schema import (
    attachments,
    conversation_tags,
    conversations,
    message_attachments,
    messages,
)
from chat.storage.words import index_of
from chat.transfer.drafts import Draft

BATCH = 100
"""Conversations written in one transaction."""

CHUNK = 500
"""Ids named in one statement."""

_TABLES = (conversations, conversation_tags, attachments, messages, message_attachments)


@dataclass(frozen=True, slots=True)
class Ready:
    """A conversation to be stored: its draft, and the files of its messages by their place."""

    draft: Draft
    files: Mapping[int, Sequence[Attachment]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """What was stored; `before` says that it had been already."""

    conversation_ids: tuple[str, ...]
    messages: int
    before: bool = False


async def store_all(
    storage: Storage, owner: str, ready: Iterator[Ready], *, once: str = ""
) -> Stored:
    """Store the conversations `ready` yields (it may block: it is run on a thread).

    `once`: a name; what was stored under it is not stored again. Raises what `ready` raises, and
    `ChatError` of the storage; nothing is stored then.
    """
    ids: list[str] = []
    count = 0
    if once and (done := await _done(storage, owner, once)):
        return done
    try:
        while batch := await asyncio.to_thread(list, islice(ready, BATCH)):
            made = [_id_of(once, len(ids) + place) for place in range(len(batch))]
            if once:
                await _forget(storage, owner, made)  # the rest of a try that was killed
            rows = await asyncio.to_thread(
                _rows, storage, owner, list(zip(made, batch, strict=True))
            )
            ids += made
            await _write(storage, rows)
            count += sum(len(one.draft.messages) for one in batch)
        await _show(storage, owner, ids)
    except BaseException:
        await asyncio.shield(_forget(storage, owner, ids))
        raise
    return Stored(tuple(ids), count)


def _id_of(once: str, place: int) -> str:
    """A new id, or the one that the conversation at that place has whenever it is imported."""
    if not once:
        return new_id("conv")
    return f"conv_{sha256(f'{once} {place}'.encode()).hexdigest()[:32]}"


async def _done(storage: Storage, owner: str, once: str) -> Stored | None:
    """What was stored under that name, if it was: all became visible at once."""
    async with storage.disk.read() as connection:
        query = select(conversations.c.id).where(
            conversations.c.owner == owner,
            conversations.c.id == _id_of(once, 0),
            conversations.c.deleted_at.is_(None),
        )
        found = (await connection.execute(query)).scalar_one_or_none()
    return None if found is None else Stored((found,), 0, before=True)


async def _write(storage: Storage, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    try:
        async with storage.disk.write() as connection:
            for table in _TABLES:
                if rows[table.name]:
                    statement = _insert(table, storage.disk.dialect)
                    await connection.execute(statement, list(rows[table.name]))
    except IntegrityError:
        raise ChatError("import_malformed", "the conversations contradict themselves") from None


def _insert(table: Any, dialect: str) -> Insert:
    statement = insert(table)
    if "words" in table.c and dialect == "postgresql":
        return statement.values(words=cast(cast(bindparam("words_text"), Text), TSVECTOR))
    return statement


async def _show(storage: Storage, owner: str, ids: Sequence[str]) -> None:
    mine = conversations.c.owner == owner
    async with storage.disk.write() as connection:
        for chunk in _chunks(ids):
            await connection.execute(
                update(conversations)
                .where(mine, conversations.c.id.in_(chunk))
                .values(deleted_at=None)
            )


async def _forget(storage: Storage, owner: str, ids: Sequence[str]) -> None:
    mine = conversations.c.owner == owner
    for chunk in _chunks(ids):
        async with storage.disk.write() as connection:
            await connection.execute(
                delete(conversations).where(mine, conversations.c.id.in_(chunk))
            )


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK))


def _rows(
    storage: Storage, owner: str, batch: Sequence[tuple[str, Ready]]
) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {table.name: [] for table in _TABLES}
    at = now()
    for one in batch:
        _add_conversation(rows, storage, owner, one, at)
    return rows


def _add_conversation(
    rows: dict[str, list[dict[str, Any]]],
    storage: Storage,
    owner: str,
    one: tuple[str, Ready],
    at: datetime,
) -> None:
    id_, ready = one
    draft, content = ready.draft, storage.content
    times = [item.message.created_at for item in draft.messages if item.message.created_at]
    created = draft.created_at or (min(times) if times else at)
    title = draft.title.strip() or TEMPORARY_TITLE
    ids = {item.message.id: new_id("msg") for item in draft.messages}
    rows["conversations"].append(
        {
            "owner": owner,
            "id": id_,
            "title": seal(content, owner, title),
            "title_source": draft.title_source,
            "pinned": draft.pinned,
            "archived": draft.archived,
            "draft": seal(content, owner, draft.draft),
            "head": ids[draft.head] if draft.head is not None else None,
            # The next message's position is beyond the version.
            "version": len(draft.messages) + 1,
            "created_at": created,
            "updated_at": draft.updated_at or (max(times) if times else created),
            "deleted_at": at,
            **_words(storage, title),
        }
    )
    tags = dict.fromkeys(tag.strip() for tag in draft.tags if tag.strip())
    rows["conversation_tags"] += [
        {
            "owner": owner,
            "conversation_id": id_,
            "tag": content.label(owner, tag),
            "place": place,
        }
        for place, tag in enumerate(tags)
    ]
    last = created
    for position, item in enumerate(draft.messages):
        message = item.message
        last = message.created_at or last
        calls = [[call.id, call.name, call.arguments] for call in message.tool_calls]
        rows["messages"].append(
            {
                "owner": owner,
                "conversation_id": id_,
                "id": ids[message.id],
                "parent_id": ids[message.parent_id] if message.parent_id is not None else None,
                "position": position + 1,
                "role": message.role,
                "text": seal(content, owner, message.text),
                "status": message.status,
                "cut": message.cut,
                "spoken": message.spoken,
                "model": message.model.replace("\0", ""),
                "prompt_tokens": message.prompt_tokens,
                "completion_tokens": message.completion_tokens,
                "timings": json.dumps(dict(message.timings)),
                "tool_calls": seal_json(content, owner, calls) if calls else "",
                "tool_call_id": message.tool_call_id.replace("\0", ""),
                "error": None if message.error is None else seal(content, owner, message.error),
                "created_at": last,
                **_words(storage, message.text),
            }
        )
        for place, file in enumerate(ready.files.get(position, ())):
            rows["attachments"].append(
                {
                    "owner": owner,
                    "id": file.id,
                    "name": seal(content, owner, file.name),
                    "media_type": file.media_type,
                    "size": file.size,
                    "stored_name": file.stored_name,
                    "created_at": at,
                }
            )
            rows["message_attachments"].append(
                {
                    "owner": owner,
                    "conversation_id": id_,
                    "message_id": ids[message.id],
                    "attachment_id": file.id,
                    "place": place,
                }
            )


def _words(storage: Storage, text: str) -> dict[str, Any]:
    dialect = storage.disk.dialect
    found = index_of(text, dialect) if storage.content.plain else None
    return {"words_text" if dialect == "postgresql" else "words": found}
