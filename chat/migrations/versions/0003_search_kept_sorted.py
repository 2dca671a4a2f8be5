"""On PostgreSQL words are sorted into the full-text index as they come, not put off in a list.

A search reads that list from end to end, so it grew slower with every message until a vacuum came.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = ("ix_conversations_words", "ix_messages_words")


def upgrade() -> None:
    """Without the list; what is in it is sorted in."""
    if op.get_bind().dialect.name == "postgresql":
        for index in INDEXES:
            op.execute(f"ALTER INDEX {index} SET (fastupdate = off)")
            op.execute(f"SELECT gin_clean_pending_list('{index}')")


def downgrade() -> None:
    """With it, as indexes are made by default."""
    if op.get_bind().dialect.name == "postgresql":
        for index in INDEXES:
            op.execute(f"ALTER INDEX {index} RESET (fastupdate)")
