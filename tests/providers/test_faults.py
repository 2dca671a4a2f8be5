"""Three shapes of servers, each with every fault: what the user sees, and what would be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal

import pytest

from chat.errors import ChatError
from chat.providers import ChatOptions, Finished, Llm, TextDelta, Usage
from tests.provider_stub import HELLO, Act, Exchange, listening
from tests.providers.servers import KEY, SHAPES, Shape, answering, chained, entry, refusing


@dataclass
class Stored:
    """A reply as a chat keeps it."""

    status: str = "streaming"
    text: str = ""
    code: str = ""
    message: str = ""
    usage: Usage | None = None


async def kept(llm: Llm, stored: Stored | None = None) -> Stored:
    """Have `llm` reply, and keep of it what a chat keeps."""
    stored = stored or Stored()

    def note(usage: Usage) -> None:
        stored.usage = usage

    try:
        async with aclosing(llm.respond(HELLO, ChatOptions(on_usage=note))) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    stored.text += delta.text
                elif isinstance(delta, Finished):
                    stored.status = "complete"
    except ChatError as error:
        stored.status, stored.code, stored.message = "failed", error.code, error.message
    except asyncio.CancelledError:
        stored.status = "interrupted"
    return stored


def stalling(shape: Shape, *texts: str) -> Act:
    async def act(exchange: Exchange) -> None:
        await shape.begin(exchange)
        for text in texts:
            await shape.say(exchange, text)
        await exchange.hang()

    return act


def garbled(shape: Shape) -> Act:
    async def act(exchange: Exchange) -> None:
        await shape.begin(exchange)
        await shape.say(exchange, "One, ")
        await exchange.raw(shape.malformed)
        await exchange.hang()

    return act


def leaving(shape: Shape, *texts: str) -> Act:
    async def act(exchange: Exchange) -> None:
        await shape.begin(exchange)
        for text in texts:
            await shape.say(exchange, text)

    return act


OVERLOADED = "the language model provider is overloaded"
FAILED = "the language model provider failed"
SLOW = "the language model provider took too long"
BROKE_OFF = "the language model provider broke off its reply"
UNREADABLE = "the language model provider sent something unreadable"


def patience(code: str) -> float:
    """Short only where it is to end: a busy machine may take its time elsewhere."""
    return 1.5 if code == "llm_timeout" else 20.0


FAULTS: list[tuple[str, Callable[[Shape], Act], int, str, str, str]] = [
    # fault, what the server does, requests, text that is kept, code, message
    ("429", lambda s: refusing(s, "429 No"), 3, "", "llm_overloaded", OVERLOADED),
    ("500", lambda s: refusing(s, "500 No"), 3, "", "llm_failed", FAILED),
    ("stall first", stalling, 1, "", "llm_timeout", SLOW),
    ("stall in it", lambda s: stalling(s, "One, "), 1, "One, ", "llm_timeout", SLOW),
    ("malformed", garbled, 1, "One, ", "llm_failed", UNREADABLE),
    ("early close", lambda s: leaving(s, "One, "), 1, "One, ", "llm_dropped", BROKE_OFF),
    ("close first", leaving, 3, "", "llm_dropped", BROKE_OFF),
]


@pytest.mark.slow  # in a quick run tests/chat/api/test_providers.py goes through all of them
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize(
    ("fault", "act", "requests", "text", "code", "message"), FAULTS, ids=[row[0] for row in FAULTS]
)
async def test_a_fault_and_nobody_else_to_ask(
    shape: Shape,
    fault: str,
    act: Callable[[Shape], Act],
    requests: int,
    text: str,
    code: str,
    message: str,
    caplog: pytest.LogCaptureFixture,
    quick: None,
) -> None:
    async with (
        listening(act(shape)) as (address, stub),
        chained(entry("a", shape, address, "retries = 2", patience=patience(code))) as llm,
    ):
        stored = await kept(llm)
    assert (stored.status, stored.text) == ("failed", text)
    assert (stored.code, stored.message) == (code, message)
    assert len(stub.exchanges) == requests
    # What was said until then was paid for; nothing is paid for what never began.
    assert (stored.usage is not None) == bool(text)
    assert KEY not in caplog.text + stored.message


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize(
    ("fault", "act", "requests", "text", "code", "message"), FAULTS, ids=[row[0] for row in FAULTS]
)
async def test_a_fault_and_another_to_ask(
    shape: Shape,
    fault: str,
    act: Callable[[Shape], Act],
    requests: int,
    text: str,
    code: str,
    message: str,
    quick: None,
) -> None:
    other = SHAPES["ollama"]
    async with (
        listening(act(shape)) as (address, _),
        listening(answering(other)) as (second, asked),
        chained(
            entry("a", shape, address, 'retries = 2\nfallback = ["b"]', patience=patience(code))
            + entry("b", other, second)
        ) as llm,
    ):
        stored = await kept(llm)
    if text:  # the second half of another answer would fit no first half
        assert (stored.status, stored.text, stored.code) == ("failed", text, code)
        assert not asked.exchanges
    else:
        assert (stored.status, stored.text) == ("complete", "Hello there.")
        assert stored.usage is not None
        assert stored.usage.provider == "b"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
async def test_no_fault(shape: Shape) -> None:
    async with (
        listening(answering(shape)) as (address, stub),
        chained(entry("a", shape, address)) as llm,
    ):
        stored = await kept(llm)
        assert stored == Stored("complete", "Hello there.", usage=stored.usage)
        await kept(llm)
    # 100 tokens at 3 and 10 at 15.5, for a million
    assert stored.usage == Usage("a", "a-model", 100, 10, Decimal("0.000455"), estimated=False)
    assert stub.connections == 1


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("texts", [(), ("One, ",)], ids=["before the first", "in mid-stream"])
async def test_what_the_user_calls_off_ends_at_the_provider(
    shape: Shape, texts: tuple[str, ...]
) -> None:
    async with (
        listening(stalling(shape, *texts)) as (address, stub),
        chained(entry("a", shape, address, 'fallback = ["b"]') + entry("b", shape, address)) as llm,
    ):
        stored = Stored()
        task = asyncio.create_task(kept(llm, stored))
        await stub.seen.wait()
        while stored.text != "".join(texts):
            await asyncio.sleep(0.001)
        task.cancel()
        await task
        await stub.exchanges[0].gone.wait()
        assert len(stub.exchanges) == 1
    assert (stored.status, stored.text) == ("interrupted", "".join(texts))
    assert stored.usage is not None
    assert stored.usage.estimated
    assert stored.usage.prompt_tokens > 0


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "error", "error": {"type": "overloaded_error"}}, "llm_overloaded"),
        ({"type": "error", "error": {"type": "api_error"}}, "llm_failed"),
    ],
)
async def test_an_error_inside_anthropics_stream(event: dict[str, object], code: str) -> None:
    shape = SHAPES["anthropic"]

    async def act(exchange: Exchange) -> None:
        await shape.begin(exchange)
        await shape.say(exchange, "One, ")
        await exchange.event(event)
        await exchange.hang()

    async with listening(act) as (address, _), chained(entry("a", shape, address)) as llm:
        stored = await kept(llm)
    assert (stored.text, stored.code) == ("One, ", code)


async def test_vllm_says_its_errors_otherwise() -> None:
    shape = SHAPES["llama-server"]

    async def act(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.event({"object": "error", "message": "out of memory", "code": 503})
        await exchange.done()

    async with (
        listening(act) as (address, _),
        chained(entry("a", shape, address, "retries = 0")) as llm,
    ):
        assert (await kept(llm)).code == "llm_overloaded"
