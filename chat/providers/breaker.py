"""When to leave a failing provider alone: a circuit breaker. Pure; times are the caller's, seconds.

Closed: it is asked. After `FAILURES` requests in a row that failed it is open: nobody waits for it
any more. After `REST_SECONDS` it is half open: one request probes it, and decides. (M. Nygard,
"Release It!", chapter "Stability Patterns".)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FAILURES = 5
REST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state; `since` is when it opened, or when the probe began."""

    state: Literal["closed", "open", "half_open"] = "closed"
    failures: int = 0
    since: float = 0.0


CLOSED = Breaker()


def rest(breaker: Breaker, now: float) -> float:
    """How long the provider is still left alone; 0 if it may be asked now."""
    # A probe that never told how it went must not close the way for good.
    waiting = breaker.state != "closed"
    return max(0.0, breaker.since + REST_SECONDS - now) if waiting else 0.0


def ask(breaker: Breaker, now: float) -> Breaker:
    """A request begins; only when `rest` is 0."""
    return breaker if breaker.state == "closed" else Breaker("half_open", breaker.failures, now)


def begin(breaker: Breaker) -> Breaker:
    """A probe's reply has begun: others may be asked too, though one failure opens it again."""
    return Breaker("closed", FAILURES - 1) if breaker.state == "half_open" else breaker


def succeed(_: Breaker) -> Breaker:
    """A request was answered."""
    return CLOSED


def fail(breaker: Breaker, now: float) -> Breaker:
    """A request failed through no fault of its own."""
    failures = breaker.failures + 1
    if breaker.state != "closed" or failures >= FAILURES:
        return Breaker("open", failures, now)
    return Breaker("closed", failures)


def abandon(breaker: Breaker) -> Breaker:
    """A request was called off, or was at fault itself: a probe is still to be made."""
    if breaker.state != "half_open":
        return breaker
    return Breaker("open", breaker.failures, breaker.since - REST_SECONDS)
