"""From a new message to the row that is stored and the record that is returned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chat.errors import ChatError
from chat.storage.content import clean, seal, seal_json
from chat.storage.database import Storage
from chat.storage.limits import MAX_NAME, MAX_TEXT, MAX_TOKENS, at_most
from chat.storage.records import (
    Attachment,
    Message,
    NewMessage,
    StoredCall,
    is_ephemeral,
    is_id,
    new_id,
    now,
)
from chat.storage.rows import indexed


def check_tokens(*counts: int | None) -> None:
    """Raises `ChatError` (`invalid_request`) if a number of tokens cannot be one."""
    if any(count is not None and not 0 <= count < MAX_TOKENS for count in counts):
        raise ChatError("invalid_request", f"a number of tokens is from 0 to {MAX_TOKENS - 1}")


def checked(conversation_id: str, message: NewMessage) -> NewMessage:
    """`message` with an id and a time, its texts cleaned. Raises `ChatError`: `invalid_request`,
    `too_large`, `ephemeral`.
    """
    if message.id and not is_id(message.id, "msg"):
        raise ChatError("invalid_request", "a message's id is msg_ and A-Za-z0-9_-")
    if is_ephemeral(conversation_id) and (message.attachments or message.audio):
        raise ChatError("ephemeral", "a conversation that is not stored can hold no files")
    check_tokens(message.prompt_tokens, message.completion_tokens)
    parent = message.parent_id
    return replace(
        message,
        id=message.id or new_id("msg"),
        text=at_most(message.text, MAX_TEXT, "text"),
        model=at_most(message.model, MAX_NAME, "model"),
        tool_call_id=at_most(message.tool_call_id, MAX_NAME, "call's id"),
        parent_id=None if parent is None else clean(parent),
        attachments=tuple(dict.fromkeys(map(clean, message.attachments))),
        created_at=message.created_at or now(),
    )


def to_row(
    storage: Storage,
    owner: str,
    conversation_id: str,
    message: NewMessage,
    *,
    parent_id: str | None,
    position: int,
) -> dict[str, Any]:
    """The row of a checked message."""
    return {
        "owner": owner,
        "conversation_id": conversation_id,
        "id": message.id,
        "parent_id": parent_id,
        "position": position,
        "role": message.role,
        "text": seal(storage.content, owner, message.text),
        "status": message.status,
        "cut": message.cut,
        "spoken": message.spoken,
        "model": message.model,
        "prompt_tokens": message.prompt_tokens,
        "completion_tokens": message.completion_tokens,
        "timings": json.dumps(dict(message.timings)),
        "tool_calls": seal_calls(storage, owner, message.tool_calls),
        "tool_call_id": message.tool_call_id,
        "audio": message.audio,
        "error": None if message.error is None else seal(storage.content, owner, message.error),
        "created_at": message.created_at,
        "words": indexed(storage, conversation_id, message.text),
    }


def to_record(
    conversation_id: str,
    message: NewMessage,
    *,
    parent_id: str | None,
    position: int,
    files: tuple[Attachment, ...],
) -> Message:
    """The record of a checked message."""
    return Message(
        id=message.id,
        conversation_id=conversation_id,
        parent_id=parent_id,
        role=message.role,
        text=message.text,
        status=message.status,
        cut=message.cut,
        spoken=message.spoken,
        model=message.model,
        prompt_tokens=message.prompt_tokens,
        completion_tokens=message.completion_tokens,
        timings=dict(message.timings),
        tool_calls=tuple(message.tool_calls),
        tool_call_id=message.tool_call_id,
        attachments=files,
        audio=message.audio,
        error=message.error,
        created_at=message.created_at or now(),
        position=position,
    )


def seal_calls(storage: Storage, owner: str, calls: Sequence[StoredCall]) -> str:
    """Calls as they are stored; empty for none."""
    if not calls:
        return ""
    rows = [[call.id, call.name, call.arguments] for call in calls]
    return seal_json(storage.content, owner, rows)
