"""Background jobs: what must happen, but not while somebody waits for an answer.

A job is a row of the storage, whichever backend runs it: so its state, its retries and its failure
are known after a crash, and it belongs to an owner like everything else. A backend decides who
runs it when: `in_process` inside the service, `saq_queue` in any of several workers that Redis or
Valkey wakes. What each kind of job does is a function in a table of `Kind`s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from chat.storage.records import Job, JobPage

SYSTEM_OWNER = "system"
"""Owns the jobs that are nobody's: cleaning up, backups."""

Result = Mapping[str, Any] | None
Run = Callable[[Job], Awaitable[Result]]
"""Does a job of one kind. It may run twice (a worker that was killed had perhaps done all of it),
so it must be harmless to do again. What it returns is kept as the job's result."""


class Hopeless(Exception):
    """A job will not succeed by being tried again; the text is shown to its owner."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: what it does, how often it is tried and how long one try may take."""

    run: Run
    attempts: int = 5
    timeout: timedelta = timedelta(minutes=10)


Kinds = Mapping[str, Kind]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A job that is done again and again: once in every period of that length since 1970, at
    `offset` into it. If the service was away then, it is done when it is back.
    """

    kind: str
    every: timedelta
    offset: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How jobs are run. `lease`: how long a worker that says nothing is believed to live.
    `at_once`: jobs running at the same time. `poll`: the longest time until a job that came by
    another way is seen. `retry_after`, `retry_at_most`: the pause before the second try, which
    doubles, and its end.
    """

    lease: timedelta = timedelta(seconds=60)
    at_once: int = 2
    poll: timedelta = timedelta(seconds=15)
    retry_after: timedelta = timedelta(seconds=2)
    retry_at_most: timedelta = timedelta(minutes=10)


class Jobs(Protocol):
    """A queue of jobs, and a worker that runs them."""

    async def enqueue(
        self,
        owner: str,
        kind: str,
        payload: Mapping[str, Any],
        *,
        run_at: datetime | None = None,
        key: str | None = None,
    ) -> str:
        """Add a job and return its id; it is on the disk then. One of the same kind and `key` that
        is not over yet is returned instead. Raises `ChatError` `invalid_request` (no such kind).
        """
        ...

    async def get(self, owner: str, job_id: str) -> Job:
        """How a job stands. Raises `ChatError` `not_found`."""
        ...

    async def list(self, owner: str, *, cursor: str | None = None, limit: int = 50) -> JobPage:
        """The owner's jobs, the newest first."""
        ...

    async def dead(self, owner: str, *, cursor: str | None = None, limit: int = 50) -> JobPage:
        """Those that were given up."""
        ...

    async def retry(self, owner: str, job_id: str) -> Job:
        """Try a dead one again. Raises `ChatError` `not_found`, `invalid_request`."""
        ...

    async def run(self) -> None:
        """Work until cancelled; what is running then is given back."""
        ...
