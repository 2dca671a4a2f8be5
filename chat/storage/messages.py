"""The messages of a conversation: a tree by `parent_id`, of which one branch is shown.

An edited question and a regenerated answer are siblings of what they replace, so every version
stays; the conversation's `head` says which branch is shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy import update as update_of
from sqlalchemy.exc import IntegrityError

from chat.errors import ChatError
from chat.storage.branches import select_newest_below
from chat.storage.connection import Connection
from chat.storage.content import clean, seal
from chat.storage.copying import fork
from chat.storage.database import Storage
from chat.storage.drafting import check_tokens, checked, seal_calls, to_record, to_row
from chat.storage.growing import settle
from chat.storage.limits import MAX_NAME, MAX_TEXT, at_most
from chat.storage.reading import chosen, everything, get, page, versions
from chat.storage.records import (
    HEAD,
    Conversation,
    Message,
    MessageStatus,
    NewMessage,
    StoredCall,
    now,
)
from chat.storage.rows import (
    CONVERSATION,
    MESSAGE,
    find,
    indexed,
    not_found,
    read_attachments,
    read_messages,
    with_tags,
)
from chat.storage.schema import attachments, conversations, message_attachments, messages

__all__ = [
    "append",
    "choose",
    "edit",
    "everything",
    "fork",
    "get",
    "page",
    "settle",
    "update",
    "versions",
]

_C = conversations.c
_M = messages.c
_A = attachments.c


async def append(
    storage: Storage,
    owner: str,
    conversation_id: str,
    *new: NewMessage,
    move_head: bool = True,
) -> tuple[Message, ...]:
    """Add messages in one transaction; they are on the disk when this returns.

    With the parent HEAD the first goes under the conversation's head and each further one under
    the one before. The head moves to the last. Adding a message whose id is there already returns
    the stored ones and changes nothing, so that trying again is safe.

    Raises `ChatError`: `not_found` (conversation, parent or attachment), `exists` (one of the ids
    is there with another text, or only some of them are), `too_large`, `invalid_request` (an id),
    `ephemeral` (a file in a conversation that never touches the disk).
    """
    if not new:
        return ()
    conversation_id = clean(conversation_id)
    given = [checked(conversation_id, message) for message in new]

    async def add(connection: Connection) -> tuple[Message, ...]:
        row = await find(connection, owner, conversation_id, lock=True)
        return await _append(connection, storage, owner, row, given, move_head=move_head)

    try:
        return await storage.of(conversation_id).transact(add)
    except IntegrityError:
        named = all(message.id for message in new)
        return await _already(storage, owner, conversation_id, given, named=named)


async def edit(
    storage: Storage,
    owner: str,
    conversation_id: str,
    message_id: str,
    text: str,
    *,
    id: str = "",  # noqa: A002 - the record's own name for it
) -> Message:
    """Another version of a message: a sibling with its role and attachments, which is shown now.

    Raises what `append` does.
    """
    old = await get(storage, owner, conversation_id, message_id)
    (made,) = await append(
        storage,
        owner,
        conversation_id,
        NewMessage(
            old.role,
            text,
            id=id,
            parent_id=old.parent_id,
            attachments=tuple(attachment.id for attachment in old.attachments),
        ),
    )
    return made


async def update(
    storage: Storage,
    owner: str,
    conversation_id: str,
    message_id: str,
    *,
    text: str | None = None,
    status: MessageStatus | None = None,
    cut: bool | None = None,
    model: str | None = None,
    prompt_tokens: int | None = None,
    completion_tokens: int | None = None,
    timings: Mapping[str, float] | None = None,
    tool_calls: Sequence[StoredCall] | None = None,
    audio: str | None = None,
    error: str | None = None,
) -> Message:
    """Change what is given, as a reply grows and ends. Raises `ChatError`: `not_found`,
    `too_large`.
    """
    check_tokens(prompt_tokens, completion_tokens)
    content = storage.content
    if model is not None:
        model = at_most(model, MAX_NAME, "model")
    plain: dict[str, Any] = {"status": status, "cut": cut, "model": model, "audio": audio}
    plain |= {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    changes = {name: value for name, value in plain.items() if value is not None}
    if text is not None:
        text = at_most(text, MAX_TEXT, "text")
        changes["text"] = seal(content, owner, text)
        changes["words"] = indexed(storage, conversation_id, text)
    if timings is not None:
        changes["timings"] = json.dumps(dict(timings))
    if tool_calls is not None:
        changes["tool_calls"] = seal_calls(storage, owner, tool_calls)
    if error is not None:
        changes["error"] = seal(content, owner, error)
    conversation_id = clean(conversation_id)
    mine = (_M.owner == owner, _M.conversation_id == conversation_id, _M.id == clean(message_id))

    async def change(connection: Connection) -> Message:
        await _touch(connection, owner, conversation_id, updated_at=now())
        query = update_of(messages).where(*mine).values(changes).returning(*MESSAGE)
        if not changes:
            query = select(*MESSAGE).where(*mine)  # type: ignore[assignment]
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise not_found("message")
        return (await read_messages(connection, content, owner, conversation_id, [row]))[0]

    return await storage.of(conversation_id).transact(change)


async def choose(
    storage: Storage, owner: str, conversation_id: str, message_id: str
) -> Conversation:
    """Show this version: the head becomes the newest message below it, or itself.

    Raises `ChatError` (`not_found`).
    """
    conversation_id = clean(conversation_id)

    async def show(connection: Connection) -> Conversation:
        row = await find(connection, owner, conversation_id, lock=True)
        newest = select_newest_below(owner, conversation_id, clean(message_id))
        head = (await connection.execute(newest)).scalar_one_or_none()
        if head is None:
            raise not_found("message")
        if head != row.head:
            row = await _touch(connection, owner, conversation_id, head=head)
        return (await with_tags(connection, storage.content, owner, [row]))[0]

    return await storage.of(conversation_id).transact(show)


async def _append(
    connection: Connection,
    storage: Storage,
    owner: str,
    conversation: Row[Any],
    given: Sequence[NewMessage],
    *,
    move_head: bool,
) -> tuple[Message, ...]:
    wanted = {id_ for message in given for id_ in message.attachments}
    attached = await read_attachments(connection, storage.content, owner, wanted)
    parent, values, made = conversation.head, [], []
    for position, message in enumerate(given, conversation.version + 1):
        under = parent if message.parent_id == HEAD else message.parent_id
        files = tuple(attached[id_] for id_ in message.attachments)
        row = to_row(storage, owner, conversation.id, message, parent_id=under, position=position)
        values.append(row)
        made.append(
            to_record(conversation.id, message, parent_id=under, position=position, files=files)
        )
        parent = message.id
    await connection.execute(insert(messages), values)
    if links := [
        {
            "owner": owner,
            "conversation_id": conversation.id,
            "message_id": message.id,
            "attachment_id": id_,
            "place": place,
        }
        for message in given
        for place, id_ in enumerate(message.attachments)
    ]:
        await connection.execute(insert(message_attachments), links)
    newest = max(message.created_at for message in given if message.created_at)
    await connection.execute(
        update_of(conversations)
        .where(_C.owner == owner, _C.id == conversation.id)
        .values(
            version=conversation.version + len(given),
            head=given[-1].id if move_head else conversation.head,
            updated_at=max(newest, conversation.updated_at),
        )
    )
    return tuple(made)


async def _already(
    storage: Storage,
    owner: str,
    conversation_id: str,
    given: Sequence[NewMessage],
    *,
    named: bool,
) -> tuple[Message, ...]:
    """What is stored under the ids that a constraint refused. Raises `ChatError`."""
    ids = [message.id for message in given]
    stored = {m.id: m for m in await chosen(storage, owner, conversation_id, _M.id.in_(ids))}
    if not stored:
        raise not_found("message to answer")
    if not named or any(
        message.id not in stored or stored[message.id].text != message.text for message in given
    ):
        raise ChatError("exists", "there is another message with this id")
    return tuple(stored[id_] for id_ in ids)


async def _touch(
    connection: Connection, owner: str, conversation_id: str, **changes: Any
) -> Row[Any]:
    """Count a change of the conversation (and lock it). Raises `ChatError` (`not_found`)."""
    query = (
        update_of(conversations)
        .where(_C.owner == owner, _C.id == conversation_id, _C.deleted_at.is_(None))
        .values(changes | {"version": _C.version + 1})
        .returning(*CONVERSATION)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise not_found()
    return row
