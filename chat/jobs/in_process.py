"""Jobs run inside this process: the default, with nothing to install."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from chat.errors import ChatError
from chat.jobs import Kinds, Pace, Repeated
from chat.jobs.working import plan, work
from chat.storage import Storage, jobs
from chat.storage.records import Job, JobPage, now

log = logging.getLogger(__name__)


class InProcessJobs:
    """A queue whose rows are claimed with a lease: several processes on one database may run it,
    and what one that was killed had begun, another takes over.
    """

    def __init__(
        self,
        storage: Storage,
        kinds: Kinds,
        *,
        schedule: Sequence[Repeated] = (),
        pace: Pace | None = None,
    ) -> None:
        self.storage = storage
        self.kinds = kinds
        self.pace = pace or Pace()
        self._schedule = schedule
        self._planned: set[str] = set()
        self._wake = asyncio.Event()

    async def enqueue(
        self,
        owner: str,
        kind: str,
        payload: Mapping[str, Any],
        *,
        run_at: datetime | None = None,
        key: str | None = None,
    ) -> str:
        """See `Jobs`."""
        if kind not in self.kinds:
            raise ChatError("invalid_request", f"there is no job {kind!r}")
        job = await jobs.add(self.storage, owner, kind, payload, run_at=run_at, key=key)
        await self._announce(job)
        return job.id

    async def get(self, owner: str, job_id: str) -> Job:
        """See `Jobs`."""
        return await jobs.get(self.storage, owner, job_id)

    async def list(self, owner: str, *, cursor: str | None = None, limit: int = 50) -> JobPage:
        """See `Jobs`."""
        return await jobs.list_page(self.storage, owner, cursor=cursor, limit=limit)

    async def dead(self, owner: str, *, cursor: str | None = None, limit: int = 50) -> JobPage:
        """See `Jobs`."""
        return await jobs.list_page(self.storage, owner, state="dead", cursor=cursor, limit=limit)

    async def retry(self, owner: str, job_id: str) -> Job:
        """See `Jobs`."""
        job = await jobs.retry(self.storage, owner, job_id)
        await self._announce(job)
        return job

    async def run(self) -> None:
        """See `Jobs`."""
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._wake.clear()
                try:
                    claimed = await self._step(running)
                    seconds = await self._until_due()
                    if not claimed:  # what is due is of a kind that only other workers know
                        seconds = max(seconds, min(1.0, self.pace.poll.total_seconds()))
                except ChatError as error:  # the storage is away for a while
                    log.warning("jobs wait: %s", error.message)
                    seconds = self.pace.poll.total_seconds()
                await self._rest(running, seconds)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _announce(self, job: Job) -> None:
        self._wake.set()

    async def _step(self, running: set[asyncio.Task[None]]) -> int:
        """Start what is due and there is room for; how many jobs that are."""
        await plan(self.storage, self._schedule, self._planned)
        room = self.pace.at_once - len(running)
        if room <= 0:
            return 0
        claimed = await jobs.claim(
            self.storage, lease=self.pace.lease, limit=room, kinds=tuple(self.kinds)
        )
        for job in claimed:
            task = asyncio.create_task(work(self.storage, self.kinds, job, self.pace))
            running.add(task)
            task.add_done_callback(lambda done: self._end(running, done))
        return len(claimed)

    def _end(self, running: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its row could not be written; the lease will run out and the job be tried again.
            log.warning("a job's end could not be written: %s", error)

    async def _until_due(self) -> float:
        due = await jobs.next_due(self.storage)
        longest = self.pace.poll.total_seconds()
        return longest if due is None else min(longest, (due - now()).total_seconds())

    async def _rest(self, running: set[asyncio.Task[None]], seconds: float) -> None:
        full = len(running) >= self.pace.at_once
        seconds = self.pace.poll.total_seconds() if full else max(seconds, 0.05)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
