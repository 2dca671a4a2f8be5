"""The file format of exported conversations, version 1. `docs/transfer.md` explains it.

Fields may be added within a version; readers ignore what they do not know. A change that older
readers would misunderstand gets a new version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

FORMAT = "vivavoce-conversations"
VERSION = 1

Count = Annotated[int, Meta(ge=0, le=2**53)]


class CallEntry(Struct, kw_only=True, omit_defaults=True):
    """A function the model called; `arguments` is a JSON text."""

    id: str
    name: str
    arguments: str = "{}"


class FileEntry(Struct, kw_only=True, omit_defaults=True):
    """An attachment. `file` is its place in the archive, absent where there is none."""

    name: str
    media_type: str
    size: Count
    file: str | None = None


class MessageEntry(Struct, kw_only=True, omit_defaults=True):
    """A message; what is left out has the value given here.

    `parent` is another message's id, null for a first one; messages with the same parent are
    versions of each other. A parent comes before its children.
    """

    id: str
    parent: str | None = None
    role: Literal["user", "assistant", "system", "tool"]
    text: str
    status: Literal["complete", "streaming", "interrupted", "failed"] = "complete"
    cut: bool = False
    spoken: bool = False
    model: str = ""
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    timings: dict[str, float] = {}
    tool_calls: list[CallEntry] = []
    tool_call_id: str = ""
    attachments: list[FileEntry] = []
    error: str | None = None
    created_at: datetime


class ConversationEntry(Struct, kw_only=True, omit_defaults=True):
    """A conversation; `head` is the newest message of the branch that is shown."""

    id: str
    title: str
    title_source: Literal["temporary", "made", "given"] = "given"
    pinned: bool = False
    archived: bool = False
    tags: list[str] = []
    draft: str = ""
    head: str | None = None
    created_at: datetime
    updated_at: datetime
    messages: list[MessageEntry]


class ConversationsFile(Struct, kw_only=True):
    """The whole file."""

    format: Literal["vivavoce-conversations"]
    version: Literal[1]
    exported_at: datetime
    conversations: list[ConversationEntry]


def json_schema() -> dict[str, object]:
    """The format as JSON Schema."""
    return msgspec.json.schema(ConversationsFile)
