"""Bringing a database's tables up to this release, from inside the package."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text

from chat.errors import ChatError
from chat.storage.connection import Connection

SCRIPTS = Path(__file__).parent.parent / "migrations"
_LOCK = 7_246_201_118
"""Any number of our own: PostgreSQL's advisory lock, so that two servers do not migrate at once."""


Begin = Callable[[], AbstractAsyncContextManager[Connection]]


async def migrate(begin: Begin, revision: str = "head") -> None:
    """Upgrade (or, to an older `revision` or `base`, downgrade) the tables in one transaction.

    Raises `ChatError` (`storage_newer`) if a later release made them.
    """
    async with begin() as connection:
        await connection.run_sync(_migrate, revision)


def _migrate(connection: SyncConnection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    known = [script.revision for script in scripts.walk_revisions()]
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise ChatError("storage_newer", "the database was made by a later release of Vivavoce")
    target = scripts.get_current_head() if revision == "head" else revision
    if current == target:
        return
    if target == "base" or (current in known and known.index(current) < known.index(target or "")):
        command.downgrade(config, target or "base")
    else:
        command.upgrade(config, target or "head")
