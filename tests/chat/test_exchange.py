"""What an answer in the making tells, and to whom, where two things come at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from chat.exchange import Exchange
from chat.signal import Signal
from chat.storage.records import Message, StoredCall

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def answer() -> Message:
    return Message(
        "m", "conv_1", None, "assistant", "", "streaming", False, True, "", 0, 0, {}, (), "", (),
        None, None, AT, 1,
    )  # fmt: skip


async def test_who_is_woken_as_the_time_runs_out_was_woken() -> None:
    signal = Signal()
    waiting = asyncio.create_task(signal.wait(0.0))
    # It begins to wait in the first round of the loop; in the second this comes before its timer.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    signal.notify()
    assert await waiting
    assert not await signal.wait(0.0)


async def test_a_word_on_a_call_counts_once_and_only_while_it_is_waited_for() -> None:
    exchange = Exchange("local", answer())
    exchange.decide("call_1", True)
    assert not exchange.waits("call_1")

    exchange.ask(StoredCall("call_1", "maps", "{}"))
    assert exchange.waits("call_1")
    exchange.decide("call_1", False)
    exchange.decide("call_1", True)
    assert await exchange.decision("call_1") is False
    exchange.settle("call_1")
    assert not exchange.waits("call_1")
