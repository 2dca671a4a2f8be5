"""How Alembic reaches the database: over the connection that it is given.

A new revision is one more file in `versions/`; a test compares what the revisions make with
`chat.storage.schema`, on both databases.
"""

from __future__ import annotations

from alembic import context

from chat.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter most things: Alembic copies the table there instead.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
