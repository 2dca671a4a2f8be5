from __future__ import annotations

import asyncio

import pytest

from chat.errors import ChatError
from chat.providers import Message, slots
from chat.providers.slots import Slot, Slots, choose

SYSTEM = Message("system", "Be kind.")


def talk(*texts: str) -> list[Message]:
    roles = ("user", "assistant")
    return [SYSTEM, *(Message(roles[n % 2], text) for n, text in enumerate(texts))]  # type: ignore[arg-type]


async def use(places: Slots, *texts: str) -> int:
    slot = await places.take(talk(*texts))
    places.give(slot)
    return slot.number


async def test_a_conversation_keeps_its_slot_among_others() -> None:
    places = Slots(3)
    a = await use(places, "I am Ann")
    b = await use(places, "You know Bob")
    assert a != b
    assert await use(places, "I am Ann", "Hello Ann", "Who am I?") == a
    assert await use(places, "You know Bob", "Yes", "Who is he?") == b
    assert await use(places, "I am Ann", "Hello Ann", "Who am I?", "Ann", "Right") == a


async def test_a_revised_turn_keeps_its_slot() -> None:
    places = Slots(3)
    first = await use(places, "I would like a")
    assert await use(places, "I would like a large cup") == first
    assert await use(places, "I would like a lemonade") == first


async def test_the_same_instructions_do_not_make_the_same_conversation() -> None:
    places = Slots(2)
    first = await use(places, "Hello there, how are you?", "Fine.", "Good to hear.")
    assert await use(places, "What time is it?") != first


async def test_the_least_recently_used_is_given_away() -> None:
    places = Slots(2)
    first = await use(places, "Apples are red")
    second = await use(places, "Bananas bend")
    await use(places, "Apples are red", "Yes", "Why?")
    assert await use(places, "Something else") == second
    assert first != second


def test_a_warmed_slot_comes_before_a_cold_one() -> None:
    cold, warmed = Slot(0), Slot(1, system="Be kind.", used=1)
    assert choose([cold, warmed], "Be kind.", "user: Hi") is warmed
    assert choose([cold, warmed], "Be brief.", "user: Hi") is cold


async def test_warming_goes_round() -> None:
    places = Slots(3)
    taken = []
    while places.unused:
        slot = await places.take([SYSTEM], oldest=True)
        places.give(slot)
        taken.append(slot.number)
    assert taken == [0, 1, 2]


async def test_a_busy_slot_is_waited_for() -> None:
    places = Slots(1)
    slot = await places.take(talk("one"))
    waiting = asyncio.create_task(places.take(talk("two")))
    await asyncio.sleep(0)
    assert not waiting.done()
    places.give(slot)
    assert (await waiting).number == slot.number


async def test_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "BUSY_SECONDS", 0.01)
    places = Slots(1)
    slot = await places.take(talk("one"))
    with pytest.raises(ChatError) as caught:
        await places.take(talk("two"))
    assert caught.value.code == "llm_overloaded"
    places.give(slot)
    assert (await places.take(talk("two"))).number == slot.number


async def test_one_who_stops_waiting_takes_no_slot() -> None:
    places = Slots(1)
    slot = await places.take(talk("one"))
    waiting = asyncio.create_task(places.take(talk("two")))
    await asyncio.sleep(0)
    waiting.cancel()
    places.give(slot)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await places.take(talk("three"))).number == slot.number
