"""The OpenAI-compatible provider against a real HTTP server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from chat.providers import (
    ChatOptions,
    Finished,
    ProviderOptions,
    TextDelta,
)
from chat.providers.openai_compatible import OpenAiCompatible
from tests.provider_stub import (
    HELLO,
    KEY,
    Exchange,
    answer,
    call_piece,
    collect,
    failure,
    refusing,
    served,
)


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [
        ("401 Unauthorized", "llm_refused", 1),
        ("403 Forbidden", "llm_refused", 1),
        ("404 Not Found", "llm_refused", 1),
        ("400 Bad Request", "llm_refused", 1),
        ("307 Temporary Redirect", "llm_failed", 1),
        ("429 Too Many Requests", "llm_overloaded", 2),
        ("503 Service Unavailable", "llm_overloaded", 2),
        ("500 Internal Server Error", "llm_failed", 1),
        ("504 Gateway Timeout", "llm_timeout", 1),
    ],
)
async def test_refusals_have_codes(status: str, code: str, requests: int) -> None:
    async with served(refusing(status, f"wrong key {KEY}")) as (provider, stub):
        text, error = await failure(provider)
    assert (text, error.code, len(stub.exchanges)) == ("", code, requests)


async def test_the_log_does_not_tell_the_key(caplog: pytest.LogCaptureFixture) -> None:
    async with served(refusing("401 Unauthorized", f"wrong key {KEY}")) as (provider, _):
        await failure(provider)
    assert "wrong key ***" in caplog.text
    assert KEY not in caplog.text


async def test_one_more_try_after_429() -> None:
    async with served(refusing("429 Too Many Requests"), answer) as (provider, stub):
        assert (await collect(provider))[0] == TextDelta("Hi")
    assert len(stub.exchanges) == 2


async def test_one_more_try_after_a_connection_that_broke() -> None:
    async def hang_up(exchange: Exchange) -> None:
        pass

    async with served(hang_up, answer) as (provider, stub):
        assert (await collect(provider))[0] == TextDelta("Hi")
    assert stub.connections == 2


async def test_nobody_listens() -> None:
    gone = OpenAiCompatible(
        ProviderOptions(Path("unused"), model="m", base_url="http://127.0.0.1:9/v1")
    )
    text, error = await failure(gone)
    assert (text, error.code) == ("", "llm_unreachable")
    await gone.close()


async def test_hangs_before_the_headers() -> None:
    async with served(Exchange.hang, first_token_timeout=1.0) as (provider, stub):
        text, error = await failure(provider)
        assert (text, error.code) == ("", "llm_timeout")
        await stub.exchanges[0].gone.wait()


async def test_stalls_before_the_first_token() -> None:
    async def stall(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
        await exchange.raw(": a comment does not count\n\n")
        await exchange.hang()

    async with served(stall, first_token_timeout=1.0) as (provider, stub):
        text, error = await failure(provider)
        assert (text, error.code) == ("", "llm_timeout")
        await stub.exchanges[0].gone.wait()


async def test_stalls_in_mid_stream() -> None:
    async def stall(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text("One, two")
        await exchange.hang()

    async with served(stall, between_tokens_timeout=1.0) as (provider, stub):
        text, error = await failure(provider)
        assert (text, error.code) == ("One, two", "llm_timeout")
        await stub.exchanges[0].gone.wait()


async def test_slow_tokens_are_no_stall() -> None:
    async def crawl(exchange: Exchange) -> None:
        await exchange.head()
        for word in ("a", "b", "c", "d"):
            await exchange.text(word)
            await asyncio.sleep(0.4)
        await exchange.reason("length")
        await exchange.done()

    async with served(crawl, first_token_timeout=1.5, between_tokens_timeout=1.5) as (provider, _):
        deltas = await collect(provider)
    assert deltas == [*map(TextDelta, "abcd"), Finished("length")]


@pytest.mark.parametrize("cleanly", [False, True])
async def test_breaks_off_in_mid_stream(cleanly: bool) -> None:
    async def drop(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text("One, two")
        if cleanly:
            await exchange.send("0\r\n\r\n")

    async with served(drop) as (provider, stub):
        text, error = await failure(provider)
    assert (text, error.code, len(stub.exchanges)) == ("One, two", "llm_dropped", 1)


async def test_an_end_without_done_is_fine_once_the_reason_came() -> None:
    async def end(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text("Hi")
        await exchange.reason("stop")
        await exchange.send("0\r\n\r\n")

    async with served(end) as (provider, _):
        assert await collect(provider) == [TextDelta("Hi"), Finished("stop")]


@pytest.mark.parametrize(
    "data",
    [
        "data: {not json\n\n",
        'data: "text"\n\n',
        'data: {"choices": 5}\n\n',
        'data: {"choices": [{"delta": {"content": ["parts"]}}]}\n\n',
        'data: {"error": {"message": "out of memory"}}\n\n',
    ],
)
async def test_a_malformed_chunk(data: str) -> None:
    async def spoil(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text("One")
        await exchange.raw(data)
        await exchange.hang()

    async with served(spoil) as (provider, stub):
        text, error = await failure(provider)
        assert (text, error.code) == ("One", "llm_failed")
        await stub.exchanges[0].gone.wait()


async def test_an_answer_that_is_no_stream() -> None:
    async def whole(exchange: Exchange) -> None:
        await exchange.head(kind="text/html")
        await exchange.raw("<h1>Welcome</h1>")
        await exchange.send("0\r\n\r\n")

    async with served(whole) as (provider, _):
        _, error = await failure(provider)
    assert error.code == "llm_failed"


async def test_returns_nothing() -> None:
    async def nothing(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.reason("stop")
        await exchange.done()

    async with served(nothing) as (provider, _):
        text, error = await failure(provider)
    assert (text, error.code) == ("", "llm_empty")


async def test_a_broken_stream_yields_no_half_call() -> None:
    async def drop(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.event(call_piece(0, id="c1", name="pay", arguments='{"sum":'))

    async with served(drop) as (provider, _):
        text, error = await failure(provider)
    assert (text, error.code) == ("", "llm_dropped")


async def endless(exchange: Exchange) -> None:
    await exchange.head()
    while not exchange.gone.is_set():
        await exchange.text("word ")
        await asyncio.sleep(0.01)


async def test_closing_the_stream_hangs_up() -> None:
    async with served(endless) as (provider, stub):
        async with aclosing(provider.respond(HELLO, ChatOptions())) as deltas:
            assert await anext(deltas) == TextDelta("word ")
        await stub.exchanges[0].gone.wait()


async def test_cancelling_the_task_hangs_up() -> None:
    async with served(endless) as (provider, stub):
        task = asyncio.create_task(collect(provider))
        await stub.seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stub.exchanges[0].gone.wait()


async def test_cancelling_before_the_headers_hangs_up() -> None:
    async with served(Exchange.hang, answer) as (provider, stub):
        task = asyncio.create_task(collect(provider))
        await stub.seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stub.exchanges[0].gone.wait()
        assert (await collect(provider))[0] == TextDelta("Hi")
