"""Summaries of the beginnings of branches, for models whose context they no longer fit in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table of summaries."""
    op.create_table(
        "summaries",
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", "conversation_id", "message_id", name="pk_summaries"),
        sa.ForeignKeyConstraint(
            ["owner", "conversation_id", "message_id"],
            ["messages.owner", "messages.conversation_id", "messages.id"],
            name="fk_summaries_messages",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_summaries_created_at", "summaries", ["created_at"], unique=False)


def downgrade() -> None:
    """Without it."""
    op.drop_table("summaries")
