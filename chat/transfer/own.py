"""Our own file format: stored conversations to entries, entries to drafts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from chat.storage.records import Conversation, Message, NewMessage, StoredCall
from chat.transfer.drafts import Draft, DraftFile, DraftMessage, malformed
from chat.transfer.schema import CallEntry, ConversationEntry, FileEntry, MessageEntry

FILE = re.compile(r"attachments/[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
"""What a place in the archive looks like."""


def to_entry(
    conversation: Conversation, messages: Sequence[Message], *, with_files: bool
) -> ConversationEntry:
    """The conversation as it stands in the file. `with_files`: attachments lie beside it."""
    return ConversationEntry(
        id=conversation.id,
        title=conversation.title,
        title_source=conversation.title_source,
        pinned=conversation.pinned,
        archived=conversation.archived,
        tags=list(conversation.tags),
        draft=conversation.draft,
        head=conversation.head,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        messages=[_to_message(message, with_files) for message in messages],
    )


def _to_message(message: Message, with_files: bool) -> MessageEntry:
    return MessageEntry(
        id=message.id,
        parent=message.parent_id,
        role=message.role,
        text=message.text,
        status=message.status,
        cut=message.cut,
        spoken=message.spoken,
        model=message.model,
        prompt_tokens=message.prompt_tokens,
        completion_tokens=message.completion_tokens,
        timings=dict(message.timings),
        tool_calls=[
            CallEntry(id=call.id, name=call.name, arguments=call.arguments)
            for call in message.tool_calls
        ],
        tool_call_id=message.tool_call_id,
        attachments=[
            FileEntry(
                name=attachment.name,
                media_type=attachment.media_type,
                size=attachment.size,
                file=f"attachments/{attachment.stored_name}" if with_files else None,
            )
            for attachment in message.attachments
        ],
        error=message.error,
        created_at=message.created_at,
    )


def encode(entry: ConversationEntry) -> bytes:
    """The entry as JSON."""
    return msgspec.json.encode(entry)


def to_draft(raw: bytes | msgspec.Raw, where: str) -> Draft:
    """One conversation of our format. Raises `ChatError` `import_malformed`."""
    try:
        entry = msgspec.json.decode(raw, type=ConversationEntry)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise malformed(where, str(error)) from None
    seen: dict[str, int] = {}
    messages = []
    for number, message in enumerate(entry.messages):
        place = f"{where}.messages[{number}]"
        if message.id in seen:
            raise malformed(place, "another message has the same id")
        if message.parent is not None and message.parent not in seen:
            raise malformed(place, "its parent does not stand before it")
        seen[message.id] = number
        messages.append(_to_draft_message(message, place))
    if entry.head is not None and entry.head not in seen:
        raise malformed(where, "the head is none of the messages")
    return Draft(
        title=entry.title,
        title_source=entry.title_source,
        messages=tuple(messages),
        head=entry.head,
        created_at=_aware(entry.created_at, where),
        updated_at=_aware(entry.updated_at, where),
        pinned=entry.pinned,
        archived=entry.archived,
        tags=tuple(entry.tags),
        draft=entry.draft,
    )


def _to_draft_message(entry: MessageEntry, where: str) -> DraftMessage:
    files = []
    for attached in entry.attachments:
        if attached.file is not None and not FILE.fullmatch(attached.file):
            raise malformed(where, "an attachment's file is not one in attachments/")
        files.append(DraftFile(attached.name, attached.media_type, attached.size, attached.file))
    message = NewMessage(
        role=entry.role,
        text=entry.text,
        id=entry.id,
        parent_id=entry.parent,
        # Nobody goes on with it any more.
        status="interrupted" if entry.status == "streaming" else entry.status,
        cut=entry.cut,
        spoken=entry.spoken,
        model=entry.model,
        prompt_tokens=entry.prompt_tokens,
        completion_tokens=entry.completion_tokens,
        timings=_finite(entry.timings),
        tool_calls=tuple(
            StoredCall(call.id, call.name, call.arguments) for call in entry.tool_calls
        ),
        tool_call_id=entry.tool_call_id,
        error=entry.error,
        created_at=_aware(entry.created_at, where),
    )
    return DraftMessage(message, tuple(files))


def _finite(timings: Mapping[str, float]) -> Mapping[str, float]:
    return {name: float(value) for name, value in timings.items()}


def _aware(moment: datetime, where: str) -> datetime:
    if moment.tzinfo is None:
        raise malformed(where, "a time has no zone")
    return moment
