"""What every worker does with a job it has claimed, and with the schedule."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from chat.errors import ChatError
from chat.jobs import SYSTEM_OWNER, Hopeless, Kinds, Pace, Repeated, Result
from chat.storage import Storage, jobs
from chat.storage.records import Job, now

log = logging.getLogger(__name__)

_PASSING = {"storage_busy", "storage_failed", "attachment_overloaded", "mail_failed"}
_KEPT = timedelta(days=30)


def is_passing(code: str) -> bool:
    """Whether an error may be gone when the job is tried again."""
    return code in _PASSING or (
        code.startswith("llm_") and code not in {"llm_refused", "llm_unknown"}
    )


def pause(attempts: int, pace: Pace) -> timedelta:
    """How long to wait after so many failed tries: twice as long each time, a little at random so
    that jobs that failed together do not come back together.
    """
    doubled = min(pace.retry_after * 2.0 ** min(attempts - 1, 20), pace.retry_at_most)
    return timedelta(seconds=doubled.total_seconds() * random.uniform(0.8, 1.2))


async def work(storage: Storage, kinds: Kinds, job: Job, pace: Pace) -> None:
    """Run a claimed job and write down how it ended.

    The lease is extended while it runs; if another worker has the job, it is dropped. Cancelled,
    it gives the job back.
    """
    kind = kinds[job.kind]
    if job.attempts > kind.attempts:
        await jobs.fail(storage, job, "it was interrupted too often", retry_at=None)
        return
    task = asyncio.create_task(_limited(kinds, job))
    holding = asyncio.create_task(_hold(storage, job, pace, task))
    try:
        result = await asyncio.shield(task)
    except asyncio.CancelledError:
        lost = task.cancelled()
        task.cancel()
        await asyncio.wait([task])
        if lost:
            log.warning("job %s (%s) went to another worker", job.id, job.kind)
            return
        with suppress(ChatError):
            await jobs.fail(storage, job, "interrupted", retry_at=now())
        raise
    except Exception as error:  # a job's fault must not end the worker
        await _failed(storage, job, error, pace, kind.attempts)
    else:
        await jobs.finish(storage, job, result)
    finally:
        holding.cancel()


async def _limited(kinds: Kinds, job: Job) -> Result:
    kind = kinds[job.kind]
    async with asyncio.timeout(kind.timeout.total_seconds()):
        return await kind.run(job)


async def _hold(storage: Storage, job: Job, pace: Pace, task: asyncio.Task[Result]) -> None:
    while True:
        await asyncio.sleep(pace.lease.total_seconds() / 3)
        with suppress(ChatError):
            if not await jobs.extend(storage, job, pace.lease):
                task.cancel()
                return


async def _failed(storage: Storage, job: Job, error: Exception, pace: Pace, attempts: int) -> None:
    final = job.attempts >= attempts
    if isinstance(error, Hopeless):
        final, words = True, str(error)
    elif isinstance(error, ChatError):
        final, words = final or not is_passing(error.code), f"{error.code}: {error.message}"
    elif isinstance(error, TimeoutError):
        words = "it took too long"
    else:
        log.error("job %s (%s) failed", job.id, job.kind, exc_info=error)
        words = "internal error"
    retry_at = None if final else now() + pause(job.attempts, pace)
    await jobs.fail(storage, job, words, retry_at=retry_at)


async def plan(
    storage: Storage,
    schedule: Sequence[Repeated],
    planned: set[str],
    at: datetime | None = None,
) -> None:
    """Add the repeated jobs that are due. `planned` remembers their ids for the next call.

    A job's id is made from its period, so that of two workers that do this one adds it and the
    other finds it there.
    """
    at = at or now()
    ids = set()
    for one in schedule:
        every, offset = one.every.total_seconds(), one.offset.total_seconds()
        number = int((at.timestamp() - offset) // every)
        name = "".join(c if c.isalnum() else "-" for c in one.kind)[:24]
        id_ = f"job_{name}-{int(every)}-{number}"
        if id_ not in planned:
            start = datetime.fromtimestamp(number * every + offset, at.tzinfo)
            await jobs.add(storage, SYSTEM_OWNER, one.kind, {}, id=id_, run_at=start)
        ids.add(id_)
    planned.clear()
    planned |= ids


async def forget(storage: Storage) -> int:
    """Delete the rows of jobs that were done a month ago: longer than any period of a schedule."""
    return await jobs.purge(storage, before=now() - _KEPT)
