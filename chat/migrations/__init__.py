"""Alembic's revisions of the tables in `chat.storage.schema`; `chat.storage.migrate` runs them."""
