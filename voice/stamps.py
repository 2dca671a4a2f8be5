"""When things happened in a turn, for the times of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from voice import metrics

REMEMBERED = 8
"""Turns whose stamps are kept: those of one that is never answered must not stay."""


class Stamps:
    """Moments of a session's turns on its event loop's clock; names as in `metrics.stages`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._turns: dict[int, dict[str, float]] = {}

    def note(self, turn: int, name: str, *, ago: float = 0.0) -> None:
        """Something happens now, or happened `ago` seconds before."""
        for old in list(self._turns)[:-REMEMBERED]:
            del self._turns[old]
        self._turns.setdefault(turn, {})[name] = self._loop.time() - ago

    def report(self, turn: int, reply: Mapping[str, float], sent: float) -> dict[str, float]:
        """The turn's reply became audible at `sent`: count how long each stage took, in seconds."""
        took = metrics.stages({**self._turns.pop(turn, {}), **reply, "sent": sent})
        for stage, value in took.items():
            metrics.STAGE.labels(stage).observe(max(0.0, value))
        return took
