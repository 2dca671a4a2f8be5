"""Jobs run by any of several workers, woken through Redis or Valkey by `saq`.

The rows stay the truth: what travels is only a word that a job is due, so no content leaves the
database, and nothing is lost with the contents of Redis: every worker also looks at the rows now
and then. A worker that is killed is noticed by its heartbeat (saq) and its lease (the row).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from redis.exceptions import RedisError
from saq import Job as Word
from saq import Worker
from saq.queue.redis import RedisQueue
from saq.types import PartialTimersDict

from chat.errors import ChatError
from chat.jobs import Kinds, Pace, Repeated
from chat.jobs.in_process import InProcessJobs
from chat.jobs.working import plan, work
from chat.storage import Storage, jobs
from chat.storage.records import Job, now

log = logging.getLogger(__name__)

NAME = "vivavoce"
WORD = "work"
_DEQUEUE_SECONDS = 1.0
_AWAY = (RedisError, OSError)


class SaqJobs(InProcessJobs):
    """The same queue of rows; who runs a job is settled over Redis. See `Jobs`."""

    def __init__(
        self,
        storage: Storage,
        kinds: Kinds,
        url: str,
        *,
        schedule: Sequence[Repeated] = (),
        pace: Pace | None = None,
        name: str = NAME,
    ) -> None:
        super().__init__(storage, kinds, schedule=schedule, pace=pace)
        self._queue = RedisQueue.from_url(url, name=name)
        self._stopping = False

    async def run(self) -> None:
        """See `Jobs`."""
        sweep = max(1, int(self.pace.lease.total_seconds() / 2))
        worker = _PatientWorker(
            self._queue,
            [(WORD, self._work)],
            concurrency=self.pace.at_once,
            dequeue_timeout=_DEQUEUE_SECONDS,
            timers=PartialTimersDict(sweep=sweep, schedule=1, abort=1, worker_info=10),
            cancellation_hard_deadline_s=10.0,
        )
        worker.SIGNALS = []  # the service stops it
        self._stopping = False
        working = asyncio.create_task(worker.start())
        try:
            while not working.done():
                if not await self._look():
                    await self._work_one()
                await asyncio.wait([working], timeout=self.pace.poll.total_seconds())
            await working
        finally:
            self._stopping = True
            await worker.stop()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def close(self) -> None:
        """Close the connection to Redis."""
        with suppress(*_AWAY):
            await self._queue.disconnect()

    async def _announce(self, job: Job) -> None:
        await self._say(job.id, job.run_at)

    async def _say(self, key: str, at: datetime) -> bool:
        """Have some worker look for work at that time; said twice under one key, it is one word.

        False if Redis is away.
        """
        lease = self.pace.lease.total_seconds()
        later = math.ceil(at.timestamp()) if at > now() else 0
        word = Word(
            WORD,
            key=key,
            scheduled=later,
            timeout=0,
            heartbeat=max(2, int(lease)),
            retries=1000,
            ttl=1,
        )
        try:
            await self._queue.enqueue(word)
        except _AWAY as error:
            # The row is there: a worker that looks by itself will find it.
            log.warning("nobody was told of a job: %s", type(error).__name__)
            return False
        return True

    async def _look(self) -> bool:
        """Say what is due or will be: new periods, retries, and what a lost word was about.

        False if Redis is away.
        """
        try:
            await plan(self.storage, self._schedule, self._planned)
            due = await jobs.next_due(self.storage)
        except ChatError as error:
            log.warning("jobs wait: %s", error.message)
            return True
        return due is None or await self._say(f"due-{math.ceil(due.timestamp())}", due)

    async def _work(self, context: Mapping[str, Any]) -> None:
        word: Word = context["job"]
        beating = asyncio.create_task(self._beat(word))
        try:
            await self._work_one()
            await self._look()
        finally:
            beating.cancel()

    async def _work_one(self) -> None:
        if self._stopping:
            return  # or it would take what it has just given back
        try:
            claimed = await jobs.claim(
                self.storage, lease=self.pace.lease, limit=1, kinds=tuple(self.kinds)
            )
            for job in claimed:
                await work(self.storage, self.kinds, job, self.pace)
        except ChatError as error:
            log.warning("jobs wait: %s", error.message)

    async def _beat(self, word: Word) -> None:
        while True:
            await asyncio.sleep(self.pace.lease.total_seconds() / 3)
            with suppress(*_AWAY):
                await word.update()


class _PatientWorker(Worker[Any]):
    """saq's worker asks again at once when Redis is away; this one takes a breath."""

    async def process(self) -> bool:
        """See `Worker`."""
        try:
            await self.queue.count("queued")
        except _AWAY:
            await asyncio.sleep(_DEQUEUE_SECONDS)
            return False
        return await super().process()
