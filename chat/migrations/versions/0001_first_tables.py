"""The first tables: conversations and messages, files, usage, idempotency, jobs, preferences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
WORDS = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def full_text_sqlite(table: str) -> list[str]:
    """An index without a copy of the text, kept in step by three triggers."""
    index = f"{table}_index"
    add = f'INSERT INTO {index} (rowid, words) SELECT new."row", new.words'
    take = f"INSERT INTO {index} ({index}, rowid, words) SELECT 'delete', old.\"row\", old.words"
    add += " WHERE new.words IS NOT NULL;"
    take += " WHERE old.words IS NOT NULL;"
    return [
        f"CREATE VIRTUAL TABLE {index} USING fts5"
        f"(words, content='{table}', content_rowid='row', tokenize='ascii', prefix='1 2 3')",
        f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN {add} END",
        f"CREATE TRIGGER {table}_gone AFTER DELETE ON {table} BEGIN {take} END",
        f"CREATE TRIGGER {table}_worded AFTER UPDATE OF words ON {table} BEGIN {take} {add} END",
    ]


def upgrade() -> None:
    """All tables, and the full-text index of each database."""
    op.create_table(
        "attachments",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(length=128), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored_name", sa.String(length=256), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("size >= 0", name=op.f("ck_attachments_size")),
        sa.PrimaryKeyConstraint("owner", "id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("stored_name", name=op.f("uq_attachments_stored_name")),
    )
    op.create_index("ix_attachments_created_at", "attachments", ["created_at"], unique=False)
    op.create_table(
        "conversations",
        sa.Column("row", ROW, sa.Identity(always=False), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_source", sa.String(length=16), nullable=False),
        sa.Column("pinned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("archived", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("draft", sa.Text(), server_default="", nullable=False),
        sa.Column("head", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.Column("words", WORDS, nullable=True),
        sa.CheckConstraint(
            "title_source IN ('temporary', 'made', 'given')",
            name=op.f("ck_conversations_title_source"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_conversations_version")),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_conversations")),
        sa.UniqueConstraint("owner", "id", name=op.f("uq_conversations_owner_id")),
    )
    op.create_index(
        "ix_conversations_archived",
        "conversations",
        ["owner", "updated_at", "id"],
        unique=False,
        sqlite_where=sa.text("archived IS 1"),
        postgresql_where=sa.text("archived IS true"),
    )
    op.create_index("ix_conversations_deleted_at", "conversations", ["deleted_at"], unique=False)
    op.create_index(
        "ix_conversations_owner_created_at", "conversations", ["owner", "created_at"], unique=False
    )
    op.create_index(
        "ix_conversations_owner_updated_at",
        "conversations",
        ["owner", "updated_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_conversations_pinned",
        "conversations",
        ["owner", "updated_at", "id"],
        unique=False,
        sqlite_where=sa.text("pinned IS 1"),
        postgresql_where=sa.text("pinned IS true"),
    )
    op.create_table(
        "idempotency",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("request_hash", sa.String(length=128), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("run_at", TIME, nullable=False),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("key", sa.String(length=256), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'dead')", name=op.f("ck_jobs_state")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_jobs_attempts")),
        sa.PrimaryKeyConstraint("owner", "id", name=op.f("pk_jobs")),
    )
    op.create_index(
        "ix_jobs_due",
        "jobs",
        ["run_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'running', 'failed')"),
        postgresql_where=sa.text("state IN ('queued', 'running', 'failed')"),
    )
    op.create_index("ix_jobs_leased_until", "jobs", ["leased_until"], unique=False)
    op.create_index("ix_jobs_owner_created_at", "jobs", ["owner", "created_at", "id"], unique=False)
    op.create_index("ix_jobs_updated_at", "jobs", ["updated_at"], unique=False)
    op.create_index(
        "uq_jobs_key",
        "jobs",
        ["owner", "kind", "key"],
        unique=True,
        sqlite_where=sa.text("state IN ('queued', 'running', 'failed')"),
        postgresql_where=sa.text("state IN ('queued', 'running', 'failed')"),
    )
    op.create_table(
        "preferences",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name=op.f("pk_preferences")),
    )
    op.create_index("ix_preferences_updated_at", "preferences", ["updated_at"], unique=False)
    op.create_table(
        "usage",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("completion_tokens >= 0 AND cost >= 0", name=op.f("ck_usage_costs")),
        sa.CheckConstraint("requests >= 0 AND prompt_tokens >= 0", name=op.f("ck_usage_counts")),
        sa.PrimaryKeyConstraint("owner", "day", "model", name=op.f("pk_usage")),
    )
    op.create_index("ix_usage_day", "usage", ["day"], unique=False)
    op.create_table(
        "conversation_tags",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.String(length=512), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner", "conversation_id"],
            ["conversations.owner", "conversations.id"],
            name=op.f("fk_conversation_tags_conversations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "owner", "conversation_id", "tag", name=op.f("pk_conversation_tags")
        ),
    )
    op.create_index(
        "ix_conversation_tags_owner_tag",
        "conversation_tags",
        ["owner", "tag", "conversation_id"],
        unique=False,
    )
    op.create_table(
        "messages",
        sa.Column("row", ROW, sa.Identity(always=False), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("cut", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("spoken", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("model", sa.String(length=256), server_default="", nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("timings", sa.Text(), server_default="{}", nullable=False),
        sa.Column("tool_calls", sa.Text(), server_default="", nullable=False),
        sa.Column("tool_call_id", sa.String(length=256), server_default="", nullable=False),
        sa.Column("audio", sa.String(length=256), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("words", WORDS, nullable=True),
        sa.CheckConstraint(
            "role IN ('user', 'assistant', 'system', 'tool')", name=op.f("ck_messages_role")
        ),
        sa.CheckConstraint(
            "status IN ('complete', 'streaming', 'interrupted', 'failed')",
            name=op.f("ck_messages_status"),
        ),
        sa.CheckConstraint("parent_id IS NULL OR parent_id <> id", name=op.f("ck_messages_parent")),
        sa.CheckConstraint(
            "prompt_tokens >= 0 AND completion_tokens >= 0", name=op.f("ck_messages_tokens")
        ),
        sa.ForeignKeyConstraint(
            ["owner", "conversation_id", "parent_id"],
            ["messages.owner", "messages.conversation_id", "messages.id"],
            name=op.f("fk_messages_messages"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner", "conversation_id"],
            ["conversations.owner", "conversations.id"],
            name=op.f("fk_messages_conversations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "owner", "conversation_id", "id", name=op.f("uq_messages_owner_conversation_id_id")
        ),
        sa.UniqueConstraint(
            "owner",
            "conversation_id",
            "position",
            name=op.f("uq_messages_owner_conversation_id_position"),
        ),
    )
    op.create_index(
        "ix_messages_audio",
        "messages",
        ["audio"],
        unique=False,
        sqlite_where=sa.text("audio IS NOT NULL"),
        postgresql_where=sa.text("audio IS NOT NULL"),
    )
    op.create_index(
        "ix_messages_owner_created_at", "messages", ["owner", "created_at"], unique=False
    )
    op.create_index(
        "ix_messages_parent",
        "messages",
        ["owner", "conversation_id", "parent_id", "position"],
        unique=False,
    )
    op.create_index(
        "ix_messages_streaming",
        "messages",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("status = 'streaming'"),
        postgresql_where=sa.text("status = 'streaming'"),
    )
    op.create_table(
        "message_attachments",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("attachment_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner", "attachment_id"],
            ["attachments.owner", "attachments.id"],
            name=op.f("fk_message_attachments_attachments"),
        ),
        sa.ForeignKeyConstraint(
            ["owner", "conversation_id", "message_id"],
            ["messages.owner", "messages.conversation_id", "messages.id"],
            name=op.f("fk_message_attachments_messages"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "owner",
            "conversation_id",
            "message_id",
            "attachment_id",
            name=op.f("pk_message_attachments"),
        ),
    )
    op.create_index(
        "ix_message_attachments_attachment",
        "message_attachments",
        ["owner", "attachment_id"],
        unique=False,
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in ("conversations", "messages"):
        if sqlite:
            for statement in full_text_sqlite(table):
                op.execute(statement)
        else:
            op.execute(f"CREATE INDEX ix_{table}_words ON {table} USING gin (words)")


def downgrade() -> None:
    """None of them."""
    if op.get_bind().dialect.name == "sqlite":
        for table in ("conversations", "messages"):
            op.execute(f"DROP TABLE {table}_index")
            for name in ("added", "gone", "worded"):
                op.execute(f"DROP TRIGGER {table}_{name}")
    op.drop_table("message_attachments")
    op.drop_table("messages")
    op.drop_table("conversation_tags")
    op.drop_table("usage")
    op.drop_table("preferences")
    op.drop_table("jobs")
    op.drop_table("idempotency")
    op.drop_table("conversations")
    op.drop_table("attachments")
