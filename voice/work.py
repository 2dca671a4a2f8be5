"""The tasks of one session, by the revision they work for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from voice.events import Rev


class Work:
    """Starts tasks in `group` and cancels them by revision or by kind; one of a kind a revision."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: dict[Rev, dict[str, asyncio.Task[None]]] = {}

    @property
    def busy(self) -> bool:
        """Something is being done."""
        return bool(self._tasks)

    def launch(self, rev: Rev, kind: str, work: Coroutine[Any, Any, None]) -> None:
        """Start `work` for this revision."""
        task = self._group.create_task(work)
        self._tasks.setdefault(rev, {})[kind] = task
        task.add_done_callback(partial(self._landed, rev, kind))

    def spare(self, rev: Rev, kind: str) -> None:
        """Let this task go on when its revision is stopped."""
        self._tasks.get(rev, {}).pop(kind, None)

    def stop(self, rev: Rev) -> None:
        """Cancel what is done for this revision."""
        for task in self._tasks.pop(rev, {}).values():
            task.cancel()

    def stop_all(self, kind: str) -> None:
        """Cancel what is done of this kind."""
        for tasks in self._tasks.values():
            if task := tasks.get(kind):
                task.cancel()

    def is_live(self, rev: Rev, task: asyncio.Task[Any] | None) -> bool:
        """Whether this task still works for the revision."""
        return task in self._tasks.get(rev, {}).values()

    def _landed(self, rev: Rev, kind: str, task: asyncio.Task[None]) -> None:
        tasks = self._tasks.get(rev, {})
        if tasks.get(kind) is task:
            del tasks[kind]
        if not tasks:
            self._tasks.pop(rev, None)
