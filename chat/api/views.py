"""Records as answers show them. Stored names, owners and job payloads stay inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from chat.api import shapes
from chat.api.operation import ROOT
from chat.rendering import render
from chat.storage import records


def conversation(record: records.Conversation) -> shapes.Conversation:
    """One conversation."""
    return shapes.Conversation(
        id=record.id,
        title=record.title,
        title_source=record.title_source,
        pinned=record.pinned,
        archived=record.archived,
        ephemeral=record.ephemeral,
        tags=record.tags,
        draft=record.draft,
        head=record.head,
        version=record.version,
        created_at=record.created_at,
        updated_at=record.updated_at,
        deleted_at=record.deleted_at,
    )


RENDERED = 512
"""The newest so many texts are kept rendered: a page asks for the same ones again and again."""


@lru_cache(maxsize=RENDERED)
def _rendered(text: str) -> str:
    return render(text)


def message(
    record: records.Message, versions: Sequence[str] = (), *, html: bool = False
) -> shapes.Message:
    """One message, perhaps with the ids that stand at its place, perhaps rendered."""
    return shapes.Message(
        id=record.id,
        conversation_id=record.conversation_id,
        parent_id=record.parent_id,
        role=record.role,
        text=record.text,
        status=record.status,
        cut=record.cut,
        spoken=record.spoken,
        model=record.model,
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        timings=dict(record.timings),
        attachments=tuple(map(file, record.attachments)),
        tool_calls=tuple(
            shapes.ToolCall(id=call.id, name=call.name, arguments=call.arguments)
            for call in record.tool_calls
        ),
        tool_call_id=record.tool_call_id,
        audio=record.audio is not None,
        error=record.error,
        created_at=record.created_at,
        versions=tuple(versions),
        html=_rendered(record.text) if html and record.role == "assistant" else None,
    )


def file(record: records.Attachment) -> shapes.File:
    """One attachment."""
    return shapes.File(
        id=record.id, name=record.name, media_type=record.media_type, size=record.size
    )


def hit(record: records.SearchHit) -> shapes.Hit:
    """One hit of a search."""
    return shapes.Hit(
        conversation_id=record.conversation_id,
        title=record.title,
        message_id=record.message_id,
        role=record.role,
        pieces=tuple(
            shapes.HitPiece(text=piece.text, marked=piece.marked) for piece in record.pieces
        ),
        created_at=record.created_at,
    )


def job(record: records.Job) -> shapes.Job:
    """One job. What it was told and where its files lie stays inside."""
    done = record.state == "done"
    result = {k: v for k, v in (record.result or {}).items() if k not in INSIDE}
    return shapes.Job(
        id=record.id,
        kind=record.kind,
        state=record.state,
        attempts=record.attempts,
        error=record.error,
        result=result if done else None,
        download=f"{ROOT}/exports/{record.id}/content"
        if done and record.kind == "export"
        else None,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


INSIDE = frozenset({"stored_name", "path", "file"})
"""What of a job's result is not shown."""


def told(value: Any) -> Any:
    """What live updates tell of a record, or of a mapping of records."""
    match value:
        case records.Conversation():
            return conversation(value)
        case records.Message():
            return message(value)
        case Mapping():
            return {key: told(inner) for key, inner in value.items()}
        case _:
            return value
