"""The rows of background jobs: added, claimed for a while, finished, tried again or given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from chat.errors import ChatError
from chat.storage.connection import Connection
from chat.storage.content import Content, clean, seal, seal_json, unseal, unseal_json
from chat.storage.database import Storage
from chat.storage.limits import MAX_NAME, at_most, page_size, time_cursor, to_cursor
from chat.storage.records import Job, JobPage, JobState, is_id, new_id, now
from chat.storage.rows import not_found
from chat.storage.schema import OPEN_JOB, UtcTime, jobs

_J = jobs.c


async def add(
    storage: Storage,
    owner: str,
    kind: str,
    payload: Mapping[str, Any],
    *,
    id: str = "",  # noqa: A002 - the record's own name for it
    run_at: datetime | None = None,
    key: str | None = None,
) -> Job:
    """Add a job. If one of the same id, or of the same kind and `key` that is not over yet, is
    there, that one is returned instead. Raises `ChatError`: `invalid_request` (id).
    """
    id_ = id or new_id("job")
    if not is_id(id_, "job"):
        raise ChatError("invalid_request", "a job's id is job_ and A-Za-z0-9_-")
    key = None if key is None else at_most(key, MAX_NAME, "job's key")
    moment = now()
    values = {
        "owner": owner,
        "id": id_,
        "kind": kind,
        "payload": seal_json(storage.content, owner, dict(payload)),
        "state": "queued",
        "run_at": run_at or moment,
        "key": key,
        "created_at": moment,
        "updated_at": moment,
    }

    async def add_one(connection: Connection) -> Row[*tuple[Any, ...]]:
        return (await connection.execute(insert(jobs).returning(*_J), values)).one()

    try:
        row = await storage.disk.transact(add_one)
    except IntegrityError:
        same = and_(_J.kind == kind, _J.key == key, OPEN_JOB)
        there = select(*_J).where(_J.owner == owner, or_(_J.id == id_, same))
        async with storage.disk.read() as connection:
            found = (await connection.execute(there)).first()
        if found is None:  # it ended between the two
            return await add(storage, owner, kind, payload, id=id, run_at=run_at, key=key)
        row = found
    return _read(storage.content, row)


async def get(storage: Storage, owner: str, job_id: str) -> Job:
    """The job. Raises `ChatError` (`not_found`)."""
    query = select(*_J).where(_J.owner == owner, _J.id == clean(job_id))
    async with storage.disk.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise not_found("job")
    return _read(storage.content, row)


async def list_page(
    storage: Storage,
    owner: str,
    *,
    state: JobState | None = None,
    kind: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> JobPage:
    """Jobs, the newest first; `limit` is 1 to 200. Raises `ChatError` (`invalid_request`)."""
    query = select(*_J).where(_J.owner == owner)
    if state:
        query = query.where(_J.state == state)
    if kind:
        query = query.where(_J.kind == kind)
    if cursor:
        at, id_ = time_cursor(cursor)
        after = tuple_(literal(at, UtcTime), literal(id_))
        query = query.where(tuple_(_J.created_at, _J.id) < after)
    limit = page_size(limit)
    query = query.order_by(_J.created_at.desc(), _J.id.desc()).limit(limit + 1)
    async with storage.disk.read() as connection:
        rows = (await connection.execute(query)).all()
    found = tuple(_read(storage.content, row) for row in rows[:limit])
    more = to_cursor(found[-1].created_at, found[-1].id) if len(rows) > limit else None
    return JobPage(found, more)


async def claim(
    storage: Storage, *, lease: timedelta, limit: int = 1, kinds: Sequence[str] | None = None
) -> tuple[Job, ...]:
    """Take up to `limit` jobs of any owner that are due, or whose lease has run out.

    They are `running` for the length of `lease`, and no other claim gets them until it is over.
    """
    moment = now()
    due = or_(
        and_(_J.state.in_(("queued", "failed")), _J.run_at <= moment),
        and_(_J.state == "running", _J.leased_until <= moment),
    )
    picked = select(_J.owner, _J.id).where(OPEN_JOB, due).order_by(_J.run_at).limit(limit)
    if kinds is not None:
        picked = picked.where(_J.kind.in_(list(kinds)))
    # On PostgreSQL others' rows are stepped over; SQLite has one writer at a time.
    picked = picked.with_for_update(skip_locked=True)

    async def take(connection: Connection) -> tuple[Job, ...]:
        keys = [tuple(row) for row in await connection.execute(picked)]
        if not keys:
            return ()
        query = (
            update(jobs)
            .where(tuple_(_J.owner, _J.id).in_(keys))
            .values(
                state="running",
                attempts=_J.attempts + 1,
                leased_until=moment + lease,
                updated_at=moment,
            )
            .returning(*_J)
        )
        rows = (await connection.execute(query)).all()
        order = {key: place for place, key in enumerate(keys)}
        rows = sorted(rows, key=lambda row: order[row.owner, row.id])
        return tuple(_read(storage.content, row) for row in rows)

    return await storage.disk.transact(take)


async def extend(storage: Storage, job: Job, lease: timedelta) -> bool:
    """Hold a claimed job for `lease` from now. False: another worker has it."""
    return await _end(storage, job, leased_until=now() + lease)


async def finish(storage: Storage, job: Job, result: Mapping[str, Any] | None = None) -> bool:
    """The claimed job is done. False: another worker has it, and this result is not kept."""
    stored = None if result is None else seal_json(storage.content, job.owner, dict(result))
    return await _end(storage, job, state="done", result=stored, error=None, leased_until=None)


async def fail(storage: Storage, job: Job, error: str, *, retry_at: datetime | None) -> bool:
    """The claimed job failed; it is due again at `retry_at`, or `dead` if that is None.

    False: another worker has it.
    """
    changes: dict[str, Any] = {"state": "dead" if retry_at is None else "failed"}
    if retry_at is not None:
        changes["run_at"] = retry_at
    stored = seal(storage.content, job.owner, error)
    return await _end(storage, job, error=stored, leased_until=None, **changes)


async def retry(storage: Storage, owner: str, job_id: str) -> Job:
    """Let a dead job run again, its attempts forgotten.

    Raises `ChatError`: `not_found`, `invalid_request` (it is not dead, or its like is queued).
    """
    again = {"state": "queued", "attempts": 0, "run_at": now(), "error": None}
    return await _turn(storage, owner, job_id, ("dead",), again)


async def cancel(storage: Storage, owner: str, job_id: str) -> Job:
    """Let a job that waits never run: it is `dead`.

    Raises `ChatError`: `not_found`, `invalid_request` (it does not wait).
    """
    stored = seal(storage.content, owner, "cancelled")
    return await _turn(
        storage, owner, job_id, ("queued", "failed"), {"state": "dead", "error": stored}
    )


async def next_due(storage: Storage) -> datetime | None:
    """When the next job will be due, or its lease be over; None if nothing waits or runs."""
    at = func.coalesce(_J.leased_until, _J.run_at)
    query = select(func.min(at, type_=UtcTime)).where(OPEN_JOB)

    async def look(connection: Connection) -> datetime | None:
        found: datetime | None = (await connection.execute(query)).scalar_one()
        return found

    return await storage.disk.query(look)


async def purge(storage: Storage, *, before: datetime) -> int:
    """Forget jobs that were done before that time; dead ones stay. Returns how many."""
    query = delete(jobs).where(_J.state == "done", _J.updated_at < before)
    async with storage.disk.write() as connection:
        return (await connection.execute(query)).rowcount


async def _end(storage: Storage, job: Job, **changes: Any) -> bool:
    query = (
        update(jobs)
        .where(
            _J.owner == job.owner,
            _J.id == job.id,
            _J.state == "running",
            _J.attempts == job.attempts,
        )
        .values(changes | {"updated_at": now()})
    )

    async def end(connection: Connection) -> bool:
        return (await connection.execute(query)).rowcount == 1

    return await storage.disk.transact(end)


async def _turn(
    storage: Storage, owner: str, job_id: str, states: Sequence[str], changes: dict[str, Any]
) -> Job:
    mine = (_J.owner == owner, _J.id == clean(job_id))
    query = (
        update(jobs)
        .where(*mine, _J.state.in_(states))
        .values(changes | {"updated_at": now()})
        .returning(*_J)
    )
    try:
        async with storage.disk.write() as connection:
            row = (await connection.execute(query)).one_or_none()
    except IntegrityError:
        raise ChatError("invalid_request", "a job of the same key waits already") from None
    if row is None:
        there = await get(storage, owner, job_id)
        raise ChatError("invalid_request", f"the job is {there.state}")
    return _read(storage.content, row)


def _read(content: Content, row: Any) -> Job:
    result = None if row.result is None else unseal_json(content, row.owner, row.result)
    return Job(
        id=row.id,
        owner=row.owner,
        kind=row.kind,
        payload=unseal_json(content, row.owner, row.payload),
        state=row.state,
        attempts=row.attempts,
        run_at=row.run_at,
        leased_until=row.leased_until,
        key=row.key,
        error=None if row.error is None else unseal(content, row.owner, row.error),
        result=result,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
