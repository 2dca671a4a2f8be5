"""Holding, releasing, dropping and cutting; bounds."""

from __future__ import annotations

import asyncio

import pytest

from voice.errors import Overloaded
from voice.events import Rev
from voice.outbox import Outbox, Outgoing

ONE, TWO = Rev(1, 1), Rev(2, 1)


def box() -> Outbox[str]:
    return Outbox(seconds=1.0, messages=10)


def put(outbox: Outbox[str], message: str, rev: Rev | None = None, seconds: float = 0.0) -> None:
    outbox.put(Outgoing(message, rev, seconds, content=seconds > 0))


async def drain(outbox: Outbox[str]) -> list[str]:
    return [(await outbox.get()).message for _ in range(outbox.depth)]


async def test_what_belongs_to_no_reply_goes_first() -> None:
    outbox = box()
    put(outbox, "audio", ONE, 0.1)
    put(outbox, "error")
    assert await drain(outbox) == ["error", "audio"]


async def test_held_messages_wait_for_their_release() -> None:
    outbox = box()
    outbox.hold(ONE)
    put(outbox, "created", ONE)
    assert outbox.depth == 0
    outbox.release(ONE)
    put(outbox, "more", ONE)
    assert await drain(outbox) == ["created", "more"]


async def test_a_dropped_reply_leaves_nothing_and_may_say_no_more() -> None:
    outbox = box()
    outbox.hold(ONE)
    put(outbox, "created", ONE)
    put(outbox, "other", TWO)
    outbox.drop(ONE)
    put(outbox, "late", ONE)
    outbox.release(ONE)
    assert await drain(outbox) == ["other"]


async def test_a_cut_reply_keeps_its_frame_and_loses_its_content() -> None:
    outbox = box()
    put(outbox, "created", ONE)
    put(outbox, "audio", ONE, 0.3)
    outbox.cut(ONE, ["done"])
    put(outbox, "late audio", ONE, 0.3)
    assert await drain(outbox) == ["created", "done"]
    assert outbox.seconds == 0


async def test_room_waits_until_audio_has_gone_out() -> None:
    outbox = box()
    put(outbox, "a", ONE, 0.6)
    put(outbox, "b", ONE, 0.6)
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await outbox.get()
    await waiting


async def test_held_audio_counts_as_waiting() -> None:
    outbox = box()
    outbox.hold(ONE)
    put(outbox, "a", ONE, 2.0)
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.drop(ONE)
    await waiting


async def test_a_client_that_never_reads_is_refused() -> None:
    outbox = box()
    with pytest.raises(Overloaded) as error:
        for _ in range(20):
            put(outbox, "event")
    assert error.value.code == "client_too_slow"


async def test_get_waits_for_the_next_message() -> None:
    outbox = box()
    getting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    put(outbox, "now")
    assert (await getting).message == "now"
