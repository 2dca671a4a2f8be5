"""A new conversation from a branch of an old one."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from chat.errors import ChatError
from chat.storage.branches import select_branch
from chat.storage.content import clean, seal, unseal
from chat.storage.database import Storage
from chat.storage.drafting import checked, to_row
from chat.storage.limits import MAX_TITLE, at_most
from chat.storage.records import (
    EPHEMERAL,
    Conversation,
    Message,
    NewMessage,
    is_ephemeral,
    is_id,
    new_id,
    now,
)
from chat.storage.rows import indexed, not_found, read_messages
from chat.storage.schema import conversations, message_attachments, messages

MAX_BRANCH = 100_000


async def fork(
    storage: Storage,
    owner: str,
    conversation_id: str,
    message_id: str,
    *,
    title: str = "",
    id: str = "",  # noqa: A002 - the record's own name for it
) -> Conversation:
    """A new conversation that holds a copy of the branch up to this message, its files included.

    Its messages have new ids and the old times. An ephemeral conversation's copy is ephemeral.
    Raises `ChatError`: `not_found`, `exists`, `invalid_request` (id), `too_large`.
    """
    prefix = EPHEMERAL if is_ephemeral(conversation_id) else "conv"
    id_ = id or new_id(prefix)
    if not is_id(id_, prefix):
        raise ChatError("invalid_request", f"such a conversation's id is {prefix}_ and A-Za-z0-9_-")
    conversation_id = clean(conversation_id)
    content = storage.content
    database = storage.of(conversation_id)
    async with database.read() as connection:
        start = messages.c.id == clean(message_id)
        query = select_branch(owner, conversation_id, start, MAX_BRANCH, titled=True)
        rows = (await connection.execute(*query)).all()[::-1]
        if not rows:
            raise not_found("message")
        old = rows[0]
        branch = await read_messages(connection, content, owner, conversation_id, rows)
    named = at_most(title.strip(), MAX_TITLE, "title") or unseal(content, owner, old.title)
    created = now()
    copies = [checked(id_, _copy(message)) for message in branch]
    made = Conversation(
        id=id_,
        title=named,
        title_source="given" if title.strip() else old.title_source,
        pinned=False,
        archived=False,
        tags=(),
        draft="",
        head=copies[-1].id,
        version=1 + len(copies),
        created_at=created,
        updated_at=created,
    )
    values, links, parent = [], [], None
    for position, copy in enumerate(copies, 2):
        values.append(to_row(storage, owner, id_, copy, parent_id=parent, position=position))
        links += [
            {
                "owner": owner,
                "conversation_id": id_,
                "message_id": copy.id,
                "attachment_id": attachment,
                "place": place,
            }
            for place, attachment in enumerate(copy.attachments)
        ]
        parent = copy.id
    try:
        async with database.write() as connection:
            await connection.execute(
                insert(conversations).values(
                    owner=owner,
                    id=id_,
                    title=seal(content, owner, named),
                    title_source=made.title_source,
                    head=made.head,
                    version=made.version,
                    created_at=created,
                    updated_at=created,
                    words=indexed(storage, id_, named),
                )
            )
            await connection.execute(insert(messages), values)
            if links:
                await connection.execute(insert(message_attachments), links)
    except IntegrityError:
        raise ChatError("exists", "there is another conversation with this id") from None
    return made


def _copy(message: Message) -> NewMessage:
    return NewMessage(
        message.role,
        message.text,
        status="interrupted" if message.status == "streaming" else message.status,
        cut=message.cut,
        spoken=message.spoken,
        model=message.model,
        prompt_tokens=message.prompt_tokens,
        completion_tokens=message.completion_tokens,
        timings=message.timings,
        tool_calls=message.tool_calls,
        tool_call_id=message.tool_call_id,
        attachments=tuple(attachment.id for attachment in message.attachments),
        audio=message.audio,
        error=message.error,
        created_at=message.created_at,
    )
