"""One job at a time, in order of priority, none that nobody waits for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from voice.errors import Overloaded
from voice.lane import Lane


async def test_jobs_run_one_after_another_by_priority() -> None:
    lane = Lane("test")
    gate = threading.Event()
    order: list[str] = []
    first = asyncio.create_task(lane.run(gate.wait))
    await asyncio.sleep(0)
    later = [
        asyncio.create_task(lane.run(lambda: order.append("partial"), priority=2)),
        asyncio.create_task(lane.run(lambda: order.append("final"), priority=0)),
        asyncio.create_task(lane.run(lambda: order.append("second final"), priority=0)),
    ]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *later)
    assert order == ["final", "second final", "partial"]
    lane.close()


async def test_a_cancelled_job_is_never_started() -> None:
    lane = Lane("test")
    gate = threading.Event()
    ran: list[int] = []
    running = asyncio.create_task(lane.run(gate.wait))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(lane.run(lambda: ran.append(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.set()
    await running
    assert await lane.run(lambda: "next") == "next"
    assert ran == []
    lane.close()


async def test_a_cancelled_running_job_does_not_block_the_next() -> None:
    lane = Lane("test")
    gate = threading.Event()
    running = asyncio.create_task(lane.run(gate.wait))
    await asyncio.sleep(0)
    running.cancel()
    gate.set()
    assert await lane.run(lambda: 1) == 1
    lane.close()


async def test_a_full_lane_refuses_and_an_error_reaches_its_caller() -> None:
    lane = Lane("test", capacity=1)
    gate = threading.Event()
    running = asyncio.create_task(lane.run(gate.wait))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(lane.run(lambda: 1 / 0))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await lane.run(lambda: None)
    gate.set()
    await running
    with pytest.raises(ZeroDivisionError):
        await waiting
    lane.close()
