"""The tables. Every row has an owner, and every key and reference begins with it.

So no reference can lead from one owner's row to another's, whatever a query forgets. Rows that can
be searched have an integer `row`, which SQLite's full-text index needs, and a column `words` that
`chat.storage.words` fills.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC. SQLite has no time zones: there it is stored without, and sorts."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`timestamptz` on PostgreSQL."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware again."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(64)
_OWNER = String(128)
_ROW = BigInteger().with_variant(Integer, "sqlite")
_WORDS = Text().with_variant(TSVECTOR(), "postgresql")


def _row() -> Column[Any]:
    return Column("row", _ROW, Identity(), primary_key=True)


def _owner() -> Column[Any]:
    return Column("owner", _OWNER, nullable=False)


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, UtcTime, nullable=nullable)


def _count(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


conversations = Table(
    "conversations",
    metadata,
    _row(),
    _owner(),
    Column("id", _ID, nullable=False),
    Column("title", Text, nullable=False),
    Column("title_source", String(16), nullable=False),
    _flag("pinned"),
    _flag("archived"),
    Column("draft", Text, nullable=False, server_default=""),
    # No reference: messages refer to conversations already, and a circle could not be loaded.
    Column("head", _ID),
    Column("version", Integer, nullable=False),
    _time("created_at"),
    _time("updated_at"),
    _time("deleted_at", nullable=True),
    Column("words", _WORDS),
    UniqueConstraint("owner", "id"),
    CheckConstraint("title_source IN ('temporary', 'made', 'given')", name="title_source"),
    CheckConstraint("version >= 1", name="version"),
    Index("ix_conversations_owner_updated_at", "owner", "updated_at", "id"),
    Index("ix_conversations_owner_created_at", "owner", "created_at"),
    Index("ix_conversations_deleted_at", "deleted_at"),
)
Index(
    "ix_conversations_pinned",
    conversations.c.owner,
    conversations.c.updated_at,
    conversations.c.id,
    sqlite_where=conversations.c.pinned.is_(True),
    postgresql_where=conversations.c.pinned.is_(True),
)
Index(
    "ix_conversations_archived",
    conversations.c.owner,
    conversations.c.updated_at,
    conversations.c.id,
    sqlite_where=conversations.c.archived.is_(True),
    postgresql_where=conversations.c.archived.is_(True),
)

conversation_tags = Table(
    "conversation_tags",
    metadata,
    Column("owner", _OWNER, primary_key=True),
    Column("conversation_id", _ID, primary_key=True),
    Column("tag", String(512), primary_key=True),
    Column("place", Integer, nullable=False),
    ForeignKeyConstraint(
        ["owner", "conversation_id"],
        ["conversations.owner", "conversations.id"],
        ondelete="CASCADE",
    ),
    Index("ix_conversation_tags_owner_tag", "owner", "tag", "conversation_id"),
)

messages = Table(
    "messages",
    metadata,
    _row(),
    _owner(),
    Column("conversation_id", _ID, nullable=False),
    Column("id", _ID, nullable=False),
    Column("parent_id", _ID),
    Column("position", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("status", String(16), nullable=False),
    _flag("cut"),
    _flag("spoken"),
    Column("model", String(256), nullable=False, server_default=""),
    _count("prompt_tokens"),
    _count("completion_tokens"),
    Column("timings", Text, nullable=False, server_default="{}"),
    Column("tool_calls", Text, nullable=False, server_default=""),
    Column("tool_call_id", String(256), nullable=False, server_default=""),
    Column("audio", String(256)),
    Column("error", Text),
    _time("created_at"),
    Column("words", _WORDS),
    UniqueConstraint("owner", "conversation_id", "id"),
    UniqueConstraint("owner", "conversation_id", "position"),
    ForeignKeyConstraint(
        ["owner", "conversation_id"],
        ["conversations.owner", "conversations.id"],
        ondelete="CASCADE",
    ),
    ForeignKeyConstraint(
        ["owner", "conversation_id", "parent_id"],
        ["messages.owner", "messages.conversation_id", "messages.id"],
        ondelete="CASCADE",
    ),
    CheckConstraint("role IN ('user', 'assistant', 'system', 'tool')", name="role"),
    CheckConstraint("status IN ('complete', 'streaming', 'interrupted', 'failed')", name="status"),
    CheckConstraint("parent_id IS NULL OR parent_id <> id", name="parent"),
    CheckConstraint("prompt_tokens >= 0 AND completion_tokens >= 0", name="tokens"),
    Index("ix_messages_parent", "owner", "conversation_id", "parent_id", "position"),
    Index("ix_messages_owner_created_at", "owner", "created_at"),
)
Index(
    "ix_messages_streaming",
    messages.c.created_at,
    sqlite_where=messages.c.status == text("'streaming'"),
    postgresql_where=messages.c.status == text("'streaming'"),
)
Index(
    "ix_messages_audio",
    messages.c.audio,
    sqlite_where=messages.c.audio.is_not(None),
    postgresql_where=messages.c.audio.is_not(None),
)

attachments = Table(
    "attachments",
    metadata,
    Column("owner", _OWNER, primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored_name", String(256), nullable=False, unique=True),
    _time("created_at"),
    CheckConstraint("size >= 0", name="size"),
    Index("ix_attachments_created_at", "created_at"),
)

message_attachments = Table(
    "message_attachments",
    metadata,
    Column("owner", _OWNER, primary_key=True),
    Column("conversation_id", _ID, primary_key=True),
    Column("message_id", _ID, primary_key=True),
    Column("attachment_id", _ID, primary_key=True),
    Column("place", Integer, nullable=False),
    ForeignKeyConstraint(
        ["owner", "conversation_id", "message_id"],
        ["messages.owner", "messages.conversation_id", "messages.id"],
        ondelete="CASCADE",
    ),
    ForeignKeyConstraint(["owner", "attachment_id"], ["attachments.owner", "attachments.id"]),
    Index("ix_message_attachments_attachment", "owner", "attachment_id"),
)

summaries = Table(
    "summaries",
    metadata,
    Column("owner", _OWNER, primary_key=True),
    Column("conversation_id", _ID, primary_key=True),
    Column("message_id", _ID, primary_key=True),
    Column("text", Text, nullable=False),
    _time("created_at"),
    ForeignKeyConstraint(
        ["owner", "conversation_id", "message_id"],
        ["messages.owner", "messages.conversation_id", "messages.id"],
        ondelete="CASCADE",
    ),
    Index("ix_summaries_created_at", "created_at"),
)

usage = Table(
    "usage",
    metadata,
    Column("owner", _OWNER, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("model", String(256), primary_key=True),
    _count("requests"),
    _count("prompt_tokens"),
    _count("completion_tokens"),
    _count("cost"),
    CheckConstraint("requests >= 0 AND prompt_tokens >= 0", name="counts"),
    CheckConstraint("completion_tokens >= 0 AND cost >= 0", name="costs"),
    Index("ix_usage_day", "day"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", _OWNER, primary_key=True),
    Column("key", String(256), primary_key=True),
    Column("request_hash", String(128), nullable=False),
    Column("status", Integer),
    Column("body", Text),
    _time("created_at"),
    Index("ix_idempotency_created_at", "created_at"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("owner", _OWNER, primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _time("run_at"),
    _time("leased_until", nullable=True),
    Column("key", String(256)),
    Column("error", Text),
    Column("result", Text),
    _time("created_at"),
    _time("updated_at"),
    CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'dead')", name="state"),
    CheckConstraint("attempts >= 0", name="attempts"),
    Index("ix_jobs_leased_until", "leased_until"),
    Index("ix_jobs_owner_created_at", "owner", "created_at", "id"),
    Index("ix_jobs_updated_at", "updated_at"),
)
OPEN_JOB = text("state IN ('queued', 'running', 'failed')")
Index(
    "uq_jobs_key",
    jobs.c.owner,
    jobs.c.kind,
    jobs.c.key,
    unique=True,
    sqlite_where=OPEN_JOB,
    postgresql_where=OPEN_JOB,
)
Index("ix_jobs_due", jobs.c.run_at, sqlite_where=OPEN_JOB, postgresql_where=OPEN_JOB)

preferences = Table(
    "preferences",
    metadata,
    Column("owner", _OWNER, primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    _time("updated_at"),
    Index("ix_preferences_updated_at", "updated_at"),
)

SEARCHED = ("conversations", "messages")
"""The tables with a column `words`."""


def full_text(table: str, dialect: str) -> tuple[list[str], list[str]]:
    """The statements that make and that drop the full-text index over `table.words`.

    On SQLite an FTS5 table that keeps no copy of the text, and the three triggers which its
    documentation gives for that. `ascii` takes every character beyond ASCII as part of a word: the
    words were separated before they came here.
    """
    index = f"{table}_index"
    if dialect == "postgresql":
        # Without the list of what is not sorted in yet, which a search would have to read whole.
        return (
            [f"CREATE INDEX ix_{table}_words ON {table} USING gin (words) WITH (fastupdate = off)"],
            [f"DROP INDEX ix_{table}_words"],
        )
    add = f'INSERT INTO {index} (rowid, words) SELECT new."row", new.words'
    take = f"INSERT INTO {index} ({index}, rowid, words) SELECT 'delete', old.\"row\", old.words"
    add += " WHERE new.words IS NOT NULL;"
    take += " WHERE old.words IS NOT NULL;"
    made = [
        f"CREATE VIRTUAL TABLE {index} USING fts5"
        f"(words, content='{table}', content_rowid='row', tokenize='ascii', prefix='1 2 3')",
        f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN {add} END",
        f"CREATE TRIGGER {table}_gone AFTER DELETE ON {table} BEGIN {take} END",
        f"CREATE TRIGGER {table}_worded AFTER UPDATE OF words ON {table} BEGIN {take} {add} END",
    ]
    triggers = [f"DROP TRIGGER {table}_{name}" for name in ("added", "gone", "worded")]
    return made, [*triggers, f"DROP TABLE {index}"]


for _table in SEARCHED:
    for _dialect in ("sqlite", "postgresql"):
        for _statement in full_text(_table, _dialect)[0]:
            event.listen(
                metadata.tables[_table],
                "after_create",
                DDL(_statement).execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
            )
