"""What models did for whom, summed by UTC day and model."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from chat.storage.connection import Connection
from chat.storage.database import Storage
from chat.storage.drafting import check_tokens
from chat.storage.limits import MAX_NAME, at_most
from chat.storage.records import Usage
from chat.storage.schema import usage

_U = usage.c
_SUMMED = ("requests", "prompt_tokens", "completion_tokens", "cost")


def today() -> date:
    """The day, in UTC."""
    return datetime.now(UTC).date()


async def record(
    storage: Storage,
    owner: str,
    *,
    model: str,
    prompt_tokens: int,
    completion_tokens: int,
    cost: int = 0,
    day: date | None = None,
) -> None:
    """Count one request. `cost` is in millionths of the currency. Raises `ChatError`."""
    check_tokens(prompt_tokens, completion_tokens, cost)
    add = postgresql_insert if storage.disk.dialect == "postgresql" else sqlite_insert
    query = add(usage).values(
        owner=owner,
        day=day or today(),
        model=at_most(model, MAX_NAME, "model"),
        requests=1,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost=cost,
    )
    summed = {name: _U[name] + query.excluded[name] for name in _SUMMED}
    query = query.on_conflict_do_update(index_elements=["owner", "day", "model"], set_=summed)

    async def count(connection: Connection) -> None:
        await connection.execute(query)

    await storage.disk.transact(count)


async def day_total(storage: Storage, owner: str, day: date | None = None) -> Usage:
    """All models of one day together; `model` is empty."""
    day = day or today()
    # PostgreSQL sums bigints as numerics, which come as decimals.
    sums = [func.coalesce(func.sum(_U[name]), 0) for name in _SUMMED]
    query = select(*sums).where(_U.owner == owner, _U.day == day)

    async def look(connection: Connection) -> Usage:
        row = (await connection.execute(query)).one()
        return Usage(day, "", *(int(value) for value in row))

    return await storage.disk.query(look)


async def by_day(storage: Storage, owner: str, *, since: date, until: date) -> tuple[Usage, ...]:
    """Each day and model from `since` to `until`, both included, the newest day first."""
    query = (
        select(_U.day, _U.model, *(_U[name] for name in _SUMMED))
        .where(_U.owner == owner, _U.day >= since, _U.day <= until)
        .order_by(_U.day.desc(), _U.model)
    )
    async with storage.disk.read() as connection:
        rows = (await connection.execute(query)).all()
    return tuple(Usage(*row) for row in rows)
