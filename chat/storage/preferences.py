"""An owner's settings for the pages: names and JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from chat.errors import ChatError
from chat.storage.connection import Connection
from chat.storage.content import clean, seal_json, unseal_json
from chat.storage.database import Storage
from chat.storage.records import now
from chat.storage.schema import preferences

MAX_VALUE = 20_000
MAX_NAMES = 100
MAX_PREFERENCE = 64
_P = preferences.c


async def read(storage: Storage, owner: str) -> dict[str, Any]:
    """All of them."""
    query = select(_P.name, _P.value).where(_P.owner == owner)

    async def look(connection: Connection) -> dict[str, Any]:
        rows = await connection.execute(query)
        return {name: unseal_json(storage.content, owner, value) for name, value in rows}

    return await storage.disk.query(look)


async def write(storage: Storage, owner: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set those that are given, remove those that are None, and return all.

    Raises `ChatError` (`too_large`): names of at most 64 characters, 100 of them at once, values
    of at most 20,000 characters of JSON.
    """
    given = {clean(name): value for name, value in values.items()}
    stored = {
        name: seal_json(storage.content, owner, value)
        for name, value in given.items()
        if value is not None
    }
    if len(given) > MAX_NAMES or any(
        not 1 <= len(name) <= MAX_PREFERENCE or len(value) > MAX_VALUE
        for name, value in stored.items()
    ):
        raise ChatError("too_large", "there are too many preferences, or one is too large")
    moment = now()
    rows = [
        {"owner": owner, "name": name, "value": value, "updated_at": moment}
        for name, value in stored.items()
    ]
    gone = [name for name, value in given.items() if value is None]
    add = postgresql_insert if storage.disk.dialect == "postgresql" else sqlite_insert
    async with storage.disk.write() as connection:
        if gone:
            mine = (_P.owner == owner, _P.name.in_(gone))
            await connection.execute(delete(preferences).where(*mine))
        if rows:
            query = add(preferences)
            new = {"value": query.excluded.value, "updated_at": query.excluded.updated_at}
            query = query.on_conflict_do_update(index_elements=["owner", "name"], set_=new)
            await connection.execute(query, rows)
    return await read(storage, owner)
