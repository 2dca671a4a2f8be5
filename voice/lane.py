"""A bounded worker in front of a model: one thread, jobs by priority, refusal when full.

A model runs one job at a time and cannot be interrupted, so what matters is which job it takes
next and that it never takes one nobody waits for.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any, Generic, TypeVar

from voice import metrics
from voice.errors import Overloaded

T = TypeVar("T")


def on_loop(call: Callable[[T], object]) -> Callable[[T], None]:
    """`call`, but on this event loop, from whatever thread."""
    loop = asyncio.get_running_loop()

    def hand_over(value: T) -> None:
        loop.call_soon_threadsafe(call, value)

    return hand_over


class _Job(Generic[T]):
    __slots__ = ("future", "order", "work")

    def __init__(self, order: tuple[int, int], work: Callable[[], T]) -> None:
        self.order = order
        self.work = work
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def __lt__(self, other: _Job[Any]) -> bool:
        return self.order < other.order


class Lane:
    """Runs jobs one after another on a thread of its own; used from one event loop.

    At most `capacity` jobs wait; the next is refused with `Overloaded`. A lower `priority` number
    goes first, equal ones in order of arrival. A job whose caller was cancelled while it waited is
    never started; one that runs already is finished and its result dropped.
    """

    def __init__(self, name: str, *, capacity: int = 32) -> None:
        self.name = name
        self.capacity = capacity
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._waiting: list[_Job[Any]] = []
        self._busy = False
        self._numbers = count()

    @property
    def depth(self) -> int:
        """How many jobs wait, the running one not counted."""
        return sum(1 for job in self._waiting if not job.future.cancelled())

    async def run(self, work: Callable[[], T], *, priority: int = 0) -> T:
        """Run `work` on the lane's thread and return its result or raise its exception.

        Raises `Overloaded` at once if `capacity` jobs wait already. Cancellable while waiting.
        """
        if self.depth >= self.capacity:
            raise Overloaded(f"{self.name} is busy; try again in a moment")
        job = _Job((priority, next(self._numbers)), work)
        heapq.heappush(self._waiting, job)
        self._start_next()
        return await job.future

    def close(self) -> None:
        """Refuse further work; waits for the running job."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _start_next(self) -> None:
        metrics.QUEUE.labels(self.name).set(len(self._waiting))
        while self._waiting and not self._busy:
            job = heapq.heappop(self._waiting)
            if job.future.cancelled():
                continue
            self._busy = True
            running = asyncio.get_running_loop().run_in_executor(self._thread, job.work)
            running.add_done_callback(partial(self._finish, job))

    def _finish(self, job: _Job[Any], done: asyncio.Future[Any]) -> None:
        self._busy = False
        error = done.exception()
        if not job.future.cancelled():
            if error is not None:
                job.future.set_exception(error)
            else:
                job.future.set_result(done.result())
        self._start_next()
