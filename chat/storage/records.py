"""The vocabulary of what is stored: frozen records that hold no connection and load nothing later.

All times are aware datetimes in UTC. Ids are a prefix and url-safe random characters; whoever
creates something may give its id, which makes creating it twice harmless.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from chat.errors import ChatError

HEAD = "head"
"""As a new message's parent: the newest message of the branch that is shown."""

TitleSource = Literal["temporary", "made", "given"]
Role = Literal["user", "assistant", "system", "tool"]
MessageStatus = Literal["complete", "streaming", "interrupted", "failed"]
JobState = Literal["queued", "running", "done", "failed", "dead"]

EPHEMERAL = "mem"
"""Prefix of the ids of conversations that are kept in memory only."""

_ID = re.compile(r"[a-z]{2,8}_[A-Za-z0-9_-]{1,56}")


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """`prefix`, an underscore and 128 random bits; prefixes: conv mem msg att job."""
    return f"{prefix}_{secrets.token_urlsafe(16)}"


def is_id(text: str, *prefixes: str) -> bool:
    """Whether `text` could be an id that begins with one of `prefixes`."""
    return bool(_ID.fullmatch(text)) and text.split("_", 1)[0] in prefixes


def is_ephemeral(conversation_id: str) -> bool:
    """Whether the conversation of that id is one that never touches the disk."""
    return conversation_id.startswith(EPHEMERAL + "_")


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation, without its messages.

    `head` is the newest message of the branch that is shown; `version` grows by one with every
    change (for ETags); `updated_at` moves when messages do, not when it is renamed or pinned;
    what has `deleted_at` can be restored until it is purged.
    """

    id: str
    title: str
    title_source: TitleSource
    pinned: bool
    archived: bool
    tags: tuple[str, ...]
    draft: str
    head: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def ephemeral(self) -> bool:
        """Whether it is kept in memory only."""
        return is_ephemeral(self.id)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that was given; it lies at `attachments/<stored_name>` of the data folder."""

    id: str
    name: str
    media_type: str
    size: int
    stored_name: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A function the model called; `arguments` is a JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation's tree; messages with the same parent are versions.

    `cut`: the text is what was heard of it. `spoken`: it came by voice. `timings` are
    milliseconds. `audio` is the stored name of its sound. `position` grows within the
    conversation in the order of creation.
    """

    id: str
    conversation_id: str
    parent_id: str | None
    role: Role
    text: str
    status: MessageStatus
    cut: bool
    spoken: bool
    model: str
    prompt_tokens: int
    completion_tokens: int
    timings: Mapping[str, float]
    tool_calls: tuple[StoredCall, ...]
    tool_call_id: str
    attachments: tuple[Attachment, ...]
    audio: str | None
    error: str | None
    created_at: datetime
    position: int


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What `messages.append` is given. `id` empty: the storage chooses one.

    `parent_id`: HEAD, another message's id, or None for a new root. `attachments` are ids of
    attachments that were added before. `created_at` is for imports.
    """

    role: Role
    text: str
    id: str = ""
    parent_id: str | None = HEAD
    status: MessageStatus = "complete"
    cut: bool = False
    spoken: bool = False
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    tool_calls: tuple[StoredCall, ...] = ()
    tool_call_id: str = ""
    attachments: tuple[str, ...] = ()
    audio: str | None = None
    error: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Conversations, newest first, and where to go on (None: that was all)."""

    conversations: tuple[Conversation, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class MessagePage:
    """A stretch of one branch in the order it is read (oldest first).

    `versions` has for every message the ids of its versions (itself among them) in the order
    they were made. `cursor` leads to the older messages before these (None: there are none).
    """

    messages: tuple[Message, ...]
    versions: Mapping[str, tuple[str, ...]]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of plain text, never HTML; `marked` where it is what was looked for."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message, or a title (then `message_id` is None), in which everything was found."""

    conversation_id: str
    title: str
    message_id: str | None
    role: Role | None
    pieces: tuple[Piece, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Hits, newest first, and where to go on (None: that was all)."""

    hits: tuple[SearchHit, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model did for an owner on one UTC day; `cost` is in millionths of the currency."""

    day: date
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered to a request with an idempotency key."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `attempts` counts its claims, the present one included, and fences late workers."""

    id: str
    owner: str
    kind: str
    payload: Mapping[str, Any]
    state: JobState
    attempts: int
    run_at: datetime
    leased_until: datetime | None
    key: str | None
    error: str | None
    result: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first, and where to go on (None: that was all)."""

    jobs: tuple[Job, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Purged:
    """What is gone for good, and the stored names of files that nothing refers to any more."""

    conversations: int
    files: tuple[str, ...]


class VersionConflict(ChatError):
    """Someone else changed the conversation first; `current` is how it is now."""

    def __init__(self, current: Conversation) -> None:
        super().__init__(
            "version_conflict", f"the conversation was changed meanwhile: version {current.version}"
        )
        self.current = current
