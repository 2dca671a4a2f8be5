"""Between rows and records: what several modules read and write alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Row, Select, select

from chat.errors import ChatError
from chat.storage.connection import Connection
from chat.storage.content import Content, Plain, unseal, unseal_json
from chat.storage.database import Storage
from chat.storage.records import Attachment, Conversation, Message, StoredCall
from chat.storage.schema import (
    attachments,
    conversation_tags,
    conversations,
    message_attachments,
    messages,
)
from chat.storage.words import index_of

_C = conversations.c
_T = conversation_tags.c
_A = attachments.c
_L = message_attachments.c

CONVERSATION = [column for column in _C if column.name not in {"row", "owner", "words"}]
MESSAGE = [column for column in messages.c if column.name not in {"row", "owner", "words"}]


def not_found(what: str = "conversation") -> ChatError:
    """What is raised for what is not there, or is another owner's."""
    return ChatError("not_found", f"there is no such {what}")


def indexed(storage: Storage, conversation_id: str, text: str) -> str | None:
    """What goes into the column `words` for `text`; None if stored texts cannot be searched."""
    if not storage.content.plain:
        return None
    return index_of(text, storage.of(conversation_id).dialect)


def one_conversation(owner: str, conversation_id: str, *, deleted: bool = False) -> Select[Any]:
    """Selects the conversation of that id; a deleted one only if asked for."""
    query = select(*CONVERSATION).where(_C.owner == owner, _C.id == conversation_id)
    return query if deleted else query.where(_C.deleted_at.is_(None))


async def find(
    connection: Connection,
    owner: str,
    conversation_id: str,
    *,
    deleted: bool = False,
    lock: bool = False,
) -> Row[Any]:
    """The conversation's row, locked for this transaction if it will change.

    Raises `ChatError` (`not_found`).
    """
    query = one_conversation(owner, conversation_id, deleted=deleted)
    found = await connection.execute(query.with_for_update() if lock else query)
    row: Row[Any] | None = found.one_or_none()
    if row is None:
        raise not_found()
    return row


async def with_tags(
    connection: Connection, content: Content, owner: str, rows: Sequence[Row[Any]]
) -> tuple[Conversation, ...]:
    """The conversations of `rows`, with their tags."""
    tags: dict[str, list[str]] = {}
    if rows:
        query = select(_T.conversation_id, _T.tag).where(
            _T.owner == owner, _T.conversation_id.in_([row.id for row in rows])
        )
        for id_, tag in await connection.execute(query.order_by(_T.place)):
            tags.setdefault(id_, []).append(unseal(content, owner, tag))
    return tuple(read_conversation(content, owner, row, tags.get(row.id, ())) for row in rows)


def read_conversation(
    content: Content, owner: str, row: Row[Any], tags: Iterable[str]
) -> Conversation:
    """The record of a row."""
    return Conversation(
        row.id,
        unseal(content, owner, row.title),
        row.title_source,
        row.pinned,
        row.archived,
        tuple(tags),
        unseal(content, owner, row.draft),
        row.head,
        row.version,
        row.created_at,
        row.updated_at,
        row.deleted_at,
    )


def read_attachment(content: Content, owner: str, row: Row[Any]) -> Attachment:
    """The record of a row."""
    return Attachment(
        row.id,
        unseal(content, owner, row.name),
        row.media_type,
        row.size,
        row.stored_name,
        row.created_at,
    )


async def read_attachments(
    connection: Connection, content: Content, owner: str, wanted: Collection[str]
) -> dict[str, Attachment]:
    """The attachments of these ids, by id. Raises `ChatError` (`not_found`) if one is missing."""
    if not wanted:
        return {}
    query = select(*_A).where(_A.owner == owner, _A.id.in_(wanted))
    rows = await connection.execute(query)
    found = {row.id: read_attachment(content, owner, row) for row in rows}
    if len(found) < len(wanted):
        raise not_found("attachment")
    return found


async def read_messages(
    connection: Connection,
    content: Content,
    owner: str,
    conversation_id: str,
    rows: Sequence[Any],
) -> tuple[Message, ...]:
    """The messages of `rows`, with their attachments."""
    attached: dict[str, list[Attachment]] = {}
    if rows:
        query = (
            select(_L.message_id, *_A)
            .join_from(
                message_attachments,
                attachments,
                (_A.owner == _L.owner) & (_A.id == _L.attachment_id),
            )
            .where(
                _L.owner == owner,
                _L.conversation_id == conversation_id,
                _L.message_id.in_([row.id for row in rows]),
            )
            .order_by(_L.place)
        )
        for row in await connection.execute(query):
            attached.setdefault(row.message_id, []).append(read_attachment(content, owner, row))
    return tuple(read_message(content, owner, row, attached.get(row.id, ())) for row in rows)


def read_message(content: Content, owner: str, row: Any, attached: Iterable[Attachment]) -> Message:
    """The record of a row."""
    calls = unseal_json(content, owner, row.tool_calls) if row.tool_calls else ()
    return Message(
        row.id,
        row.conversation_id,
        row.parent_id,
        row.role,
        unseal(content, owner, row.text),
        row.status,
        row.cut,
        row.spoken,
        row.model,
        row.prompt_tokens,
        row.completion_tokens,
        unseal_json(Plain(), owner, row.timings),
        tuple(StoredCall(*call) for call in calls),
        row.tool_call_id,
        tuple(attached),
        row.audio,
        None if row.error is None else unseal(content, owner, row.error),
        row.created_at,
        row.position,
    )
