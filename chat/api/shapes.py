"""What requests hold and answers show. Requests are decoded by these very types, and the OpenAPI
document is made from them. `views` fills the answers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Limit = Annotated[int, Meta(ge=1, le=200, description="At most so many")]
Cursor = Annotated[str, Meta(max_length=1000, description="Where to go on: from the page before")]
Title = Annotated[str, Meta(min_length=1, max_length=200)]
Tag = Annotated[str, Meta(min_length=1, max_length=64)]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=32)]
Text = Annotated[str, Meta(min_length=1, max_length=200_000)]
Draft = Annotated[str, Meta(max_length=100_000)]
Id = Annotated[str, Meta(pattern="^[a-z]{2,8}_[A-Za-z0-9_-]{16,56}$", description="Your own id")]
Given = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=16)]
ModelName = Annotated[str, Meta(max_length=200, description="One of /models; empty: the default")]
Time = Annotated[datetime, Meta(tz=True)]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown fields are left aside, so that newer clients work."""


# Requests


class Listing(Shape, frozen=True, kw_only=True):
    """Which conversations; without `archived` those that are not."""

    limit: Limit = 50
    cursor: Cursor | None = None
    pinned: bool | None = None
    archived: bool = False
    deleted: bool = False
    ephemeral: bool = False
    tag: Tag | None = None
    since: Time | None = None
    until: Time | None = None


class Paging(Shape, frozen=True, kw_only=True):
    limit: Limit = 50
    cursor: Cursor | None = None


class Reading(Paging, frozen=True, kw_only=True):
    """`html`: each message with its Markdown rendered."""

    html: bool = False


class NewConversation(Shape, frozen=True, kw_only=True):
    id: Id | None = None
    title: Title | None = None
    tags: Tags = ()
    ephemeral: bool = False


class ConversationPatch(Shape, frozen=True, kw_only=True):
    """What is not named stays as it is."""

    title: Title | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    draft: Draft | UnsetType = UNSET


class Question(Shape, frozen=True, kw_only=True):
    """A message of the user's, to be answered. `id` and `answer_id` are for optimistic pages."""

    text: Text
    id: Id | None = None
    answer_id: Id | None = None
    attachments: Given = ()
    model: ModelName = ""


class Again(Shape, frozen=True, kw_only=True):
    """Answer once more, perhaps by another model."""

    answer_id: Id | None = None
    model: ModelName = ""


class Decision(Shape, frozen=True, kw_only=True):
    """`once` and `no` are for this call, `always` and `never` for every later one as well."""

    allow: Literal["once", "no", "always", "never"]


class ConsentGiven(Shape, frozen=True, kw_only=True):
    """`ask`: every time."""

    consent: Literal["ask", "always", "never"]


class Branching(Shape, frozen=True, kw_only=True):
    id: Id | None = None
    title: Title | None = None


class Other(Shape, frozen=True, kw_only=True):
    other: Annotated[str, Meta(max_length=64, description="The message to compare with")]


class Looking(Shape, frozen=True, kw_only=True):
    q: Annotated[str, Meta(min_length=1, max_length=500, description="The words to look for")]
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Cursor | None = None
    since: Time | None = None
    until: Time | None = None


class Upload(Shape, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=255, description="The file's name")]
    id: Id | None = None


class Format(Shape, frozen=True, kw_only=True):
    """`zip` is the JSON with its attachments."""

    format: Literal["json", "zip", "markdown", "pdf"]


class Export(Shape, frozen=True, kw_only=True):
    """`conversation` null: all of them."""

    format: Literal["json", "zip", "markdown", "pdf"]
    conversation: Annotated[str, Meta(max_length=64)] | None = None


class JobListing(Shape, frozen=True, kw_only=True):
    limit: Limit = 50
    cursor: Cursor | None = None
    state: Literal["queued", "running", "done", "failed", "dead"] | None = None


class Preferences(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """What an owner has set. Empty: as the server does by default."""

    model: ModelName = ""
    prompt: Annotated[str, Meta(max_length=20_000)] = ""
    theme: Literal["system", "light", "dark"] = "system"
    language: Annotated[str, Meta(pattern="^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")] = ""
    voice: Annotated[str, Meta(max_length=100)] = ""


# Answers


class File(Shape, frozen=True, kw_only=True):
    """An attachment; its bytes are at `/attachments/{id}/content`."""

    id: str
    name: str
    media_type: str
    size: int


class Conversation(Shape, frozen=True, kw_only=True):
    id: str
    title: str
    title_source: Literal["temporary", "made", "given"]
    pinned: bool
    archived: bool
    ephemeral: bool
    tags: tuple[str, ...]
    draft: str
    head: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Conversations(Shape, frozen=True, kw_only=True):
    conversations: tuple[Conversation, ...]
    cursor: str | None


class ToolCall(Shape, frozen=True, kw_only=True):
    """`arguments` is a JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


class Tool(Shape, frozen=True, kw_only=True):
    """`consent`: whether each call is asked for, or was decided."""

    name: str
    description: str
    consent: Literal["ask", "always", "never"]


class ToolList(Shape, frozen=True, kw_only=True):
    tools: tuple[Tool, ...]


class Message(Shape, frozen=True, kw_only=True):
    """`versions` are the ids of the messages that stand at this place, itself among them; empty
    where they were not looked up. `html` is the text of an assistant's message as a page may show
    it, sanitised; null where it was not asked for. `audio`: its sound can be had. The answer to a
    call of a tool is a message of the role `tool` with the call's id in `tool_call_id`.
    """

    id: str
    conversation_id: str
    parent_id: str | None
    role: Literal["user", "assistant", "system", "tool"]
    text: str
    status: Literal["complete", "streaming", "interrupted", "failed"]
    cut: bool
    spoken: bool
    model: str
    prompt_tokens: int
    completion_tokens: int
    timings: dict[str, float]
    attachments: tuple[File, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    audio: bool = False
    error: str | None
    created_at: datetime
    versions: tuple[str, ...] = ()
    html: str | None = None


class Messages(Shape, frozen=True, kw_only=True):
    """A stretch of the branch shown, in the order it is read; `cursor` leads to older ones."""

    messages: tuple[Message, ...]
    cursor: str | None


class Versions(Shape, frozen=True, kw_only=True):
    messages: tuple[Message, ...]


class Exchange(Shape, frozen=True, kw_only=True):
    """A question as it is stored (null: it was there before), and the answer that is being made."""

    message: Message | None
    answer: Message


class Pair(Shape, frozen=True, kw_only=True):
    """Two messages side by side."""

    one: Message
    other: Message


class HitPiece(Shape, frozen=True, kw_only=True):
    text: str
    marked: bool


class Hit(Shape, frozen=True, kw_only=True):
    """`message_id` None: it is in the title. `pieces` are plain text, never HTML."""

    conversation_id: str
    title: str
    message_id: str | None
    role: str | None
    pieces: tuple[HitPiece, ...]
    created_at: datetime


class Hits(Shape, frozen=True, kw_only=True):
    hits: tuple[Hit, ...]
    cursor: str | None


class TagCount(Shape, frozen=True, kw_only=True):
    tag: str
    conversations: int


class TagList(Shape, frozen=True, kw_only=True):
    tags: tuple[TagCount, ...]


class Job(Shape, frozen=True, kw_only=True):
    """`download`: where the file it made can be had, when it is done."""

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "dead"]
    attempts: int
    error: str | None
    result: dict[str, Any] | None
    download: str | None
    created_at: datetime
    updated_at: datetime


class JobList(Shape, frozen=True, kw_only=True):
    jobs: tuple[Job, ...]
    cursor: str | None


class Model(Shape, frozen=True, kw_only=True):
    name: str
    tier: str
    default: bool


class ModelList(Shape, frozen=True, kw_only=True):
    models: tuple[Model, ...]


class ModelUsage(Shape, frozen=True, kw_only=True):
    """`cost` in millionths of the currency that the server's prices are in."""

    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: int


class UsageToday(Shape, frozen=True, kw_only=True):
    day: str
    models: tuple[ModelUsage, ...]
    cost: int


class Purged(Shape, frozen=True, kw_only=True):
    conversations: int
