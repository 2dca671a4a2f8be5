"""What replies cost, who may still ask, and what is written down however a reply ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.errors import ChatError
from chat.providers import ChatOptions, Finished, Message, TextDelta, Tool, ToolCall, Usage
from chat.providers.metered import Metered, utc_day
from chat.providers.priced import Priced
from chat.usage import Caps, Price, Spent, check_caps, cost, total
from tests.provider_stub import HELLO, Exchange, call_piece, collect, failure, listening
from tests.providers.servers import SHAPES, answering, chained, entry
from tests.providers.test_chain import Scripted

SHAPE = SHAPES["ollama"]
TODAY = date(2026, 11, 21)


class Ledger:
    """Usage kept in a list."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, date, Usage]] = []

    async def add(self, owner: str, day: date, usage: Usage) -> None:
        self.rows.append((owner, day, usage))

    async def spent(self, owner: str, day: date) -> Spent:
        return total(row[2] for row in self.rows if row[:2] == (owner, day))


def used(prompt: int, completion: int, money: str = "0") -> Usage:
    return Usage("a", "m", prompt, completion, Decimal(money), estimated=False)


tokens = st.integers(0, 10**9)
prices = st.builds(Price, st.decimals(0, 1000, places=4), st.decimals(0, 1000, places=4))


@given(tokens, tokens, tokens, tokens, prices)
def test_costs_add_up_exactly(a: int, b: int, c: int, d: int, price: Price) -> None:
    assert cost(a, b, price) + cost(c, d, price) == cost(a + c, b + d, price)


def test_sums() -> None:
    assert total([]) == Spent()
    assert total([used(3, 4, "0.1"), used(1, 1, "0.2")]) == Spent(9, Decimal("0.3"))
    assert cost(1_000_000, 2_000_000, Price(Decimal(3), Decimal(15))) == 33


@pytest.mark.parametrize(
    ("spent", "caps", "allowed"),
    [
        (Spent(10**9, Decimal(10**6)), Caps(), True),
        (Spent(99, Decimal("0.99")), Caps(100, Decimal(1)), True),
        (Spent(100, Decimal(0)), Caps(100), False),
        (Spent(0, Decimal(1)), Caps(None, Decimal(1)), False),
        (Spent(0), Caps(0), False),
    ],
)
def test_caps(spent: Spent, caps: Caps, allowed: bool) -> None:
    if allowed:
        check_caps(spent, caps)
        return
    with pytest.raises(ChatError) as caught:
        check_caps(spent, caps)
    assert caught.value.code == "usage_exceeded"


async def test_whoever_reached_a_cap_sends_nothing_until_tomorrow() -> None:
    ledger, day = Ledger(), TODAY
    async with (
        listening(answering(SHAPE)) as (address, stub),
        chained(entry("a", SHAPE, address)) as llm,
    ):
        caps = Caps(tokens_per_day=150)

        def asked_by(owner: str) -> Metered:
            return Metered(llm, owner, ledger, caps, today=lambda: day)

        for _ in range(2):  # 110 tokens each: the second passes the cap, and is still answered
            await collect(asked_by("ann"))
        _, error = await failure(asked_by("ann"))
        assert (error.code, len(stub.exchanges)) == ("usage_exceeded", 2)
        await collect(asked_by("bob"))
        day = date(2026, 11, 22)
        await collect(asked_by("ann"))
    assert await ledger.spent("ann", TODAY) == Spent(220, Decimal("0.00091"))
    assert await ledger.spent("bob", TODAY) == Spent(110, Decimal("0.000455"))
    assert abs((utc_day() - date.today()).days) <= 1  # noqa: DTZ011  near enough, anywhere


async def test_what_a_server_does_not_count_is_estimated_and_marked() -> None:
    async def uncounted(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text("Hello there.")
        await exchange.event(call_piece(0, id="c1", name="look", arguments="{}"))
        await exchange.reason("tool_calls")
        await exchange.done()

    tool = Tool("look", "Looks.", {})
    async with (
        listening(uncounted) as (address, _),
        chained(entry("a", SHAPE, address)) as llm,
    ):
        with_tool = await collect(llm, HELLO, ChatOptions(tools=(tool,)))
        without = await collect(llm)
    end, plain = with_tool[-1], without[-1]
    assert isinstance(end, Finished)
    assert isinstance(plain, Finished)
    assert with_tool[1] == ToolCall("c1", "look", "{}")
    assert end.usage is not None
    assert end.usage.estimated
    assert (end.prompt_tokens, end.completion_tokens) == (
        end.usage.prompt_tokens,
        end.usage.completion_tokens,
    )
    assert end.completion_tokens == 5  # 18 characters
    assert end.prompt_tokens > plain.prompt_tokens > 0


async def test_an_interrupted_reply_is_written_down_even_if_writing_is_interrupted() -> None:
    ledger, told, writing = Ledger(), list[Usage](), asyncio.Event()
    write = ledger.add

    async def slowly(owner: str, day: date, usage: Usage) -> None:
        writing.set()
        await asyncio.sleep(0.01)
        await write(owner, day, usage)

    ledger.add = slowly  # type: ignore[method-assign]

    async def one_word(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text("Hello")
        await exchange.hang()

    async def read(llm: Metered) -> None:
        options = ChatOptions(on_usage=told.append)
        async with aclosing(llm.respond(HELLO, options)) as deltas:
            async for _ in deltas:
                reading.set()

    reading = asyncio.Event()
    async with (
        listening(one_word) as (address, stub),
        chained(entry("a", SHAPE, address)) as llm,
    ):
        task = asyncio.create_task(read(Metered(llm, "ann", ledger, Caps(), today=lambda: TODAY)))
        await reading.wait()
        task.cancel()
        await writing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stub.exchanges[0].gone.wait()
    while not ledger.rows:
        await asyncio.sleep(0.001)
    [(owner, day, usage)] = ledger.rows
    assert (owner, day, usage.estimated, usage.completion_tokens) == ("ann", TODAY, True, 2)
    assert told == [usage]


async def test_a_failed_provider_and_the_one_that_answered() -> None:
    ledger = Ledger()

    async def broken(exchange: Exchange) -> None:
        await exchange.refuse("401 No")

    async with (
        listening(broken) as (address, _),
        listening(answering(SHAPE)) as (second, _),
        chained(entry("a", SHAPE, address, 'fallback=["b"]') + entry("b", SHAPE, second)) as llm,
    ):
        await collect(Metered(llm, "ann", ledger, Caps()))
    assert [row[2].provider for row in ledger.rows] == ["b"]


async def test_a_store_that_is_down_takes_no_reply_back(caplog: pytest.LogCaptureFixture) -> None:
    class Down(Ledger):
        async def add(self, owner: str, day: date, usage: Usage) -> None:
            raise OSError("disk full")

    llm = Metered(Priced(Scripted("Hi"), "a", Price()), "ann", Down(), Caps())
    assert (await collect(llm))[0] == TextDelta("Hi")
    assert "could not be written down" in caplog.text


async def test_the_rest_goes_through() -> None:
    inner = Scripted()
    priced = Priced(inner, "a", Price())
    metered: Any = Metered(priced, "ann", Ledger(), Caps())
    system = [Message("system", "Be kind.")]
    await metered.warm(system)
    await metered.expect(system)
    assert (inner.warmed, inner.expected) == (1, 1)
    assert (metered.name, metered.device) == ("scripted", "nowhere")
    await metered.close()
    assert not inner.closed
    await priced.close()
    assert inner.closed
