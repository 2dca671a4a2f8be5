"""Requests that may come twice, and what was answered the first time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from chat.errors import ChatError
from chat.storage.connection import Connection
from chat.storage.content import seal, unseal
from chat.storage.database import Storage
from chat.storage.limits import MAX_NAME, at_most
from chat.storage.records import Answered, now
from chat.storage.schema import idempotency

_I = idempotency.c

ABANDONED = timedelta(minutes=1)
"""After so long whoever began a request and did not finish it is taken for dead: its key is free.
No request takes as long: an import's is over when its file is there, and reading it comes before.
"""


async def begin(
    storage: Storage, owner: str, key: str, request_hash: str, *, ephemeral: bool = False
) -> Answered | None:
    """None: this is the first request of that key, and the caller carries it out and calls
    `finish` or `give_up`. Otherwise what was answered then.

    `ephemeral`: the answer holds what must not touch the disk; it is kept in memory. Raises
    `ChatError`: `idempotency_conflict` (the key came with another request), `in_progress`.
    """
    key = at_most(key, MAX_NAME, "idempotency key")
    moment = now()
    values = {"owner": owner, "key": key, "request_hash": request_hash, "created_at": moment}
    database = storage.kept(ephemeral=ephemeral)

    async def add(connection: Connection) -> None:
        await connection.execute(insert(idempotency), values)

    try:
        await database.transact(add)
    except IntegrityError:
        pass
    else:
        return None
    query = select(*_I).where(_I.owner == owner, _I.key == key)
    async with database.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is not None and row.status is None and row.created_at < moment - ABANDONED:
        left = delete(idempotency).where(
            _I.owner == owner,
            _I.key == key,
            _I.status.is_(None),
            _I.created_at == row.created_at,
        )
        async with database.write() as connection:
            await connection.execute(left)
        return await begin(storage, owner, key, request_hash, ephemeral=ephemeral)
    if row is None or (row.request_hash == request_hash and row.status is None):
        raise ChatError("in_progress", "a request with this idempotency key is being carried out")
    if row.request_hash != request_hash:
        raise ChatError("idempotency_conflict", "this idempotency key came with another request")
    return Answered(row.status, unseal(storage.content, owner, row.body))


async def finish(
    storage: Storage, owner: str, key: str, status: int, body: str, *, ephemeral: bool = False
) -> None:
    """Keep what was answered."""
    query = (
        update(idempotency)
        .where(_I.owner == owner, _I.key == key)
        .values(status=status, body=seal(storage.content, owner, body))
    )

    async def keep(connection: Connection) -> None:
        await connection.execute(query)

    await storage.kept(ephemeral=ephemeral).transact(keep)


async def give_up(storage: Storage, owner: str, key: str, *, ephemeral: bool = False) -> None:
    """It came to nothing: the key may be used again."""
    query = delete(idempotency).where(_I.owner == owner, _I.key == key, _I.status.is_(None))
    async with storage.kept(ephemeral=ephemeral).write() as connection:
        await connection.execute(query)


async def purge(storage: Storage, *, before: datetime) -> int:
    """Forget the keys of every owner that came before that time; returns how many."""
    query = delete(idempotency).where(_I.created_at < before)
    count = 0
    for database in (storage.disk, storage.memory):
        async with database.write() as connection:
            count += (await connection.execute(query)).rowcount
    return count
