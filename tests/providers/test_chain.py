"""Asking again, asking the next, leaving alone: the parts of a chain, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.errors import ChatError
from chat.prompts import UNSEEN
from chat.providers import (
    ChatOptions,
    Delta,
    Finished,
    Image,
    Message,
    ProviderOptions,
    TextDelta,
    pool,
)
from chat.providers.breaker import FAILURES, REST_SECONDS
from chat.providers.config import Shown, shown
from chat.providers.fallback import Fallback
from chat.providers.guarded import Circuit, Guarded
from chat.providers.retrying import (
    LONGEST_WAIT_SECONDS,
    PATIENCE_SECONDS,
    Retrying,
    wait_before,
)
from chat.usage import Caps
from tests.provider_stub import HELLO, Exchange, collect, failure, listening
from tests.providers.servers import SHAPES, answering, chained, close_body, entry, pooled, refusing

SHAPE = SHAPES["llama-server"]


class Scripted:
    """A language model that does what its script says, one line a request."""

    def __init__(self, *lines: str, name: str = "scripted") -> None:
        self.name = name
        self.device = "nowhere"
        self.lines = list(lines)
        self.warmed = 0
        self.expected = 0
        self.closed = False
        self.asked = 0

    async def warm(self, messages: Sequence[Message]) -> None:
        self.warmed += 1
        if self.lines:
            raise ChatError(self.lines[0], "not now")

    async def expect(self, messages: Sequence[Message]) -> None:
        self.expected += 1

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        self.asked += 1
        line = self.lines.pop(0)
        if line.startswith("llm_") or line == "unsupported_parameter":
            raise ChatError(line, "not now")
        yield TextDelta(line.removesuffix("..."))
        if line.endswith("..."):
            raise ChatError("llm_dropped", "broke off")
        yield Finished("stop")

    async def close(self) -> None:
        self.closed = True


@given(st.integers(0, 20), st.floats(0, 1))
def test_waits_grow_and_are_never_all_the_same(attempt: int, chance: float) -> None:
    wait = wait_before(attempt, chance, None)
    assert wait is not None
    assert 0.15 * min(2.0**attempt, 13) <= wait <= LONGEST_WAIT_SECONDS
    assert wait_before(attempt, chance, 4.5) == max(wait, 4.5)
    assert wait_before(attempt, chance, PATIENCE_SECONDS + 1) is None


async def test_retry_after_is_honoured_if_it_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    acts = (
        refusing(SHAPE, "429 No", "Retry-After: 2"),
        refusing(SHAPE, "503 No"),
        answering(SHAPE),
    )
    monkeypatch.setattr(pool, "Retrying", partial(Retrying, sleep=sleep))
    async with (
        listening(*acts) as (address, stub),
        chained(entry("a", SHAPE, address, "retries = 2")) as llm,
    ):
        assert (await collect(llm))[0] == TextDelta("Hello")
    assert waited[0] == 2
    assert 0.3 <= waited[1] <= 0.6
    assert stub.connections == 1


async def test_a_long_retry_after_is_left_to_the_next_provider() -> None:
    async with (
        listening(refusing(SHAPE, "429 No", "Retry-After: 60")) as (address, stub),
        chained(entry("a", SHAPE, address, "retries = 5")) as llm,
    ):
        _, error = await failure(llm)
    assert (error.code, error.retry_after, len(stub.exchanges)) == ("llm_overloaded", 60, 1)


@pytest.mark.parametrize("code", ["llm_refused", "llm_timeout", "llm_empty"])
async def test_what_would_not_change_is_not_asked_again(code: str) -> None:
    llm = Scripted(code, "never")
    _, error = await failure(Retrying(llm, 5))
    assert (error.code, llm.asked) == (code, 1)


async def test_the_next_one_is_asked_in_order() -> None:
    first, second, third = (
        Scripted("llm_refused", name="first"),
        Scripted("llm_timeout"),
        Scripted("Hi"),
    )
    chain = Fallback([first, second, third])
    assert await collect(chain) == [TextDelta("Hi"), Finished("stop")]
    assert (chain.name, chain.device) == ("first", "nowhere")
    await chain.close()
    assert all(llm.closed for llm in (first, second, third))


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [("One...", "llm_dropped", "One"), ("unsupported_parameter", "unsupported_parameter", "")],
)
async def test_the_next_one_is_not_asked(line: str, code: str, text: str) -> None:
    second = Scripted("never")
    said, error = await failure(Fallback([Scripted(line), second]))
    assert (said, error.code, second.asked) == (text, code, 0)


async def test_the_last_ones_error_is_told() -> None:
    _, error = await failure(Fallback([Scripted("llm_refused"), Scripted("llm_timeout")]))
    assert error.code == "llm_timeout"


async def test_warming_and_expecting() -> None:
    down, up, spare = Scripted("llm_unreachable"), Scripted(), Scripted()
    chain = Fallback([Retrying(Guarded(each, Circuit()), 1) for each in (down, up, spare)])
    await chain.warm(HELLO)
    await chain.expect(HELLO)
    assert [each.warmed for each in (down, up, spare)] == [1, 1, 0]
    assert [each.expected for each in (down, up, spare)] == [1, 0, 0]
    with pytest.raises(ChatError) as caught:
        await Fallback([down, Scripted("llm_timeout")]).warm(HELLO)
    assert caught.value.code == "llm_unreachable"
    assert Retrying(Guarded(up, Circuit()), 1).device == "nowhere"
    await Retrying(Guarded(up, Circuit()), 1).close()
    assert up.closed


async def test_a_provider_that_fails_is_left_alone_and_tried_again() -> None:
    now = 0.0
    llm = Scripted(*["llm_failed"] * FAILURES, "llm_timeout", "Hi", "there")
    guarded = Guarded(llm, Circuit(lambda: now))
    for _ in range(FAILURES):
        assert (await failure(guarded))[1].code == "llm_failed"
    _, error = await failure(guarded)
    assert (error.code, error.retry_after) == ("llm_unreachable", REST_SECONDS)
    assert llm.asked == FAILURES
    now += REST_SECONDS
    assert (await failure(guarded))[1].code == "llm_timeout"
    now += REST_SECONDS
    for _ in range(2):
        await collect(guarded)
    assert llm.asked == FAILURES + 3


async def test_what_is_no_fault_of_the_provider_does_not_open_the_circuit() -> None:
    circuit = Circuit()
    llm = Scripted(*["llm_refused"] * 2 * FAILURES)
    for _ in range(2 * FAILURES):
        assert (await failure(Guarded(llm, circuit)))[1].code == "llm_refused"
    assert circuit.breaker.failures == 0


async def test_a_reply_that_is_called_off_settles_nothing() -> None:
    circuit = Circuit()
    replies = Guarded(Scripted("Hi"), circuit).respond(HELLO, ChatOptions())
    await anext(replies)
    await replies.aclose()
    assert circuit.breaker.state == "closed"


async def test_models_at_one_place_share_a_circuit(quick: None) -> None:
    async with (
        listening(refusing(SHAPE, "500 No")) as (address, stub),
        pooled(
            entry("a", SHAPE, address, "retries = 5") + entry("b", SHAPE, address, "retries = 0")
        ) as loaded,
    ):
        assert (await failure(loaded.llm("a")))[1].retry_after is not None
        assert (await failure(loaded.llm("b")))[1].retry_after is not None
    assert len(stub.exchanges) == FAILURES


async def test_chains_share_connections() -> None:
    async with (
        listening(answering(SHAPE)) as (address, stub),
        pooled(
            entry("a", SHAPE, address, 'fallback = ["b"]\ncontext_tokens = 9000')
            + entry("b", SHAPE, address, "context_tokens = 2000")
        ) as loaded,
    ):
        await collect(loaded.llm())
        await collect(loaded.llm("a"))
        assert stub.connections == 1
        assert loaded.order() == ("a", "b")
        assert (loaded.context_tokens(), loaded.context_tokens("b")) == (2000, 2000)
        with pytest.raises(ChatError) as caught:
            loaded.llm("c")
        assert caught.value.code == "llm_unknown"


async def test_calling_off_while_waiting_for_the_retry_asks_nobody_again() -> None:
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    first, second = Scripted("llm_failed", "never"), Scripted("never")
    chain = Fallback([Retrying(first, 3, sleep=sleep), second])
    task = asyncio.create_task(collect(chain))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (first.asked, second.asked) == (1, 0)


async def test_many_replies_at_once(quick: None) -> None:
    async def sometimes(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text(str(exchange.body["max_tokens"]))
        await exchange.reason("stop")
        await exchange.send("0\r\n\r\n")
        exchange.keep = True

    async with listening(sometimes) as (address, _), chained(entry("a", SHAPE, address)) as llm:
        replies = await asyncio.gather(
            *(collect(llm, HELLO, ChatOptions(max_tokens=number)) for number in range(1, 40))
        )
    assert [reply[0] for reply in replies] == [TextDelta(str(n)) for n in range(1, 40)]


async def test_a_refused_body_that_is_whole_keeps_its_connection(quick: None) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.head("500 No", "application/json")
        await exchange.raw("{}")
        await close_body(exchange)

    async with (
        listening(refuse, answering(SHAPE)) as (address, stub),
        chained(entry("a", SHAPE, address)) as llm,
    ):
        await collect(llm)
    assert (stub.connections, len(stub.exchanges)) == (1, 2)


async def test_a_fallback_that_is_blind_is_told_that_there_was_an_image() -> None:
    asked = [Message("user", "What is it?", images=(Image("image/png", b"png"),)), *HELLO]
    async with (
        listening(refusing(SHAPE, "401 No")) as (address, seeing),
        listening(answering(SHAPE)) as (second, blind),
        chained(
            entry("a", SHAPE, address, 'sees_images = true\nfallback = ["b"]')
            + entry("b", SHAPE, second)
        ) as llm,
    ):
        await collect(llm, asked)
    assert seeing.exchanges[0].body["messages"][0]["content"][1]["type"] == "image_url"
    first, then = blind.exchanges[0].body["messages"]
    assert (first["content"], then["content"]) == (f"{UNSEEN}\nWhat is it?", "Hello")


async def test_one_provider_without_a_file() -> None:
    async with listening(answering(SHAPE)) as (address, _):
        options = ProviderOptions(Path("unused"), "m", f"{address}/v1", context_tokens=2048)
        single = pool.single_pool("openai-compatible", options, tier="free")
        deltas = await collect(single.llm())
        await single.close()
    assert isinstance(deltas[-1], Finished)
    assert deltas[-1].usage is not None
    assert single.context_tokens() == 2048
    assert shown(single.file) == (Shown("default", "free", default=True, sees_images=False),)
    assert single.file.caps.caps() == Caps()
