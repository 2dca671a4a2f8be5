"""Something that changes, and those who wait for it to: many of them, often, at little cost."""

from __future__ import annotations

import asyncio


class Signal:
    """Like a condition without a lock: whoever waits is woken by the next `notify`."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[bool]] = set()

    def notify(self) -> None:
        """Wake all who wait."""
        waiting, self._waiting = self._waiting, set()
        for one in waiting:
            _wake(one, True)

    async def wait(self, seconds: float | None = None) -> bool:
        """Until `notify`; False if it did not come within so many seconds."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[bool] = loop.create_future()
        self._waiting.add(mine)
        late = None if seconds is None else loop.call_later(seconds, _wake, mine, False)
        try:
            return await mine
        finally:
            self._waiting.discard(mine)
            if late is not None:
                late.cancel()


def _wake(one: asyncio.Future[bool], answer: bool) -> None:
    if not one.done():
        one.set_result(answer)
