"""What the Anthropic provider says to a server, and understands of its answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from chat.errors import ChatError
from chat.providers import (
    ChatOptions,
    Finished,
    Image,
    Message,
    ProviderOptions,
    TextDelta,
    Tool,
    ToolCall,
    load_provider,
)
from chat.providers.messages_api import EventReader, request_body
from tests.provider_stub import HELLO, Exchange, collect, failure, served
from tests.providers.servers import KEY, SHAPES, answering, close_body, named

ANTHROPIC = SHAPES["anthropic"]
WEATHER = Tool("weather", "Tells the weather.", {"properties": {}})


def messages_of(*messages: Message) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = request_body(messages, ChatOptions())["messages"]
    return turns


async def test_what_is_sent_and_what_comes_back() -> None:
    async with served(answering(ANTHROPIC), kind="anthropic") as (provider, stub):
        deltas = await collect(provider, [Message("system", "Be kind."), *HELLO])
    assert deltas == [TextDelta("Hello"), TextDelta(" there."), Finished("stop", 100, 10)]
    sent = stub.exchanges[0]
    assert sent.request == "POST /v1/messages HTTP/1.1"
    assert f"x-api-key: {KEY}" in sent.headers.lower()
    assert "anthropic-version: 2023-06-01" in sent.headers.lower()
    assert sent.body == {
        "model": "m",
        "system": "Be kind.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "stream": True,
        "max_tokens": 512,
        "temperature": 0.7,
    }
    assert (provider.name, provider.device) == ("m", "remote")


async def test_tool_calls_come_whole() -> None:
    async def call(exchange: Exchange) -> None:
        await ANTHROPIC.begin(exchange)
        thinking = {"type": "thinking_delta", "thinking": "Hm."}
        await named(exchange, {"type": "content_block_delta", "index": 0, "delta": thinking})
        for index, name in ((1, "weather"), (2, "time")):
            block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
            start = {"type": "content_block_start", "index": index, "content_block": block}
            await named(exchange, start)
        for piece in ('{"city": ', '"Paris"}'):
            delta = {"type": "input_json_delta", "partial_json": piece}
            await named(exchange, {"type": "content_block_delta", "index": 1, "delta": delta})
        await named(exchange, {"type": "message_delta", "delta": {"stop_reason": "tool_use"}})
        await named(exchange, {"type": "message_stop"})
        await close_body(exchange)

    async with served(call, kind="anthropic") as (provider, _):
        deltas = await collect(provider, HELLO, ChatOptions(tools=(WEATHER,)))
    assert deltas == [
        ToolCall("toolu_1", "weather", '{"city": "Paris"}'),
        ToolCall("toolu_2", "time", "{}"),
        Finished("tool_calls", 100, 1),
    ]


def test_calls_and_their_outputs() -> None:
    call, other = ToolCall("c1", "weather", '{"city": "Paris"}'), ToolCall("c2", "time", "not json")
    assert messages_of(
        Message("user", "And?"),
        Message("assistant", "Let me see. ", (call, other)),
        Message("tool", "sunny", tool_call_id="c1"),
        Message("tool", "noon", tool_call_id="c2"),
        Message("user", "Well?"),
    ) == [
        {"role": "user", "content": [{"type": "text", "text": "And?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris"}},
                {"type": "tool_use", "id": "c2", "name": "time", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "sunny"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "noon"},
                {"type": "text", "text": "Well?"},
            ],
        },
    ]


def test_images_stand_before_the_text() -> None:
    [turn] = messages_of(Message("user", "What is it?", images=(Image("image/png", b"\x89PNG"),)))
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}
    assert turn["content"] == [
        {"type": "image", "source": source},
        {"type": "text", "text": "What is it?"},
    ]


def test_the_user_begins_and_nothing_is_empty() -> None:
    turns = messages_of(Message("assistant", "Welcome."), Message("user", " "), *HELLO)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert all(block["text"].strip() for turn in turns for block in turn["content"])
    assert [turn["role"] for turn in messages_of(Message("system", "Be kind."))] == ["user"]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("weather", {"type": "tool", "name": "weather"}),
    ],
)
def test_tools(choice: str, sent: dict[str, str]) -> None:
    plain = Tool("plain", "", {"type": "object"})
    body = request_body(HELLO, ChatOptions(tools=(WEATHER, plain), tool_choice=choice))
    assert body["tool_choice"] == sent
    assert body["tools"] == [
        {
            "name": "weather",
            "description": "Tells the weather.",
            "input_schema": {"type": "object", "properties": {}},
        },
        {"name": "plain", "input_schema": {"type": "object"}},
    ]


def test_sampling() -> None:
    assert request_body(HELLO, ChatOptions(temperature=1.7))["temperature"] == 1.0
    body = request_body(HELLO, ChatOptions(top_p=0.9, stop=("\n", "END")))
    assert (body["top_p"], body["stop_sequences"]) == (0.9, ["END"])
    assert "temperature" not in body
    for wish in ({"seed": 1}, {"frequency_penalty": 0.1}, {"presence_penalty": 0.1}):
        with pytest.raises(ChatError) as caught:
            request_body(HELLO, ChatOptions(**wish))  # type: ignore[arg-type]
        assert caught.value.code == "unsupported_parameter"


async def test_a_model_that_takes_no_temperature_is_told_none() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse("400 Bad Request", "`temperature` is deprecated for this model.")

    answer = answering(ANTHROPIC)
    async with served(refuse, answer, kind="anthropic") as (provider, stub):
        await collect(provider)
        await collect(provider)
    assert ["temperature" in each.body for each in stub.exchanges] == [True, False, False]
    async with served(refuse, kind="anthropic") as (provider, stub):
        assert (await failure(provider))[1].code == "llm_refused"
        assert len(stub.exchanges) == 2


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_reasons(said: str, reason: str) -> None:
    reader = EventReader()
    reader.feed({"type": "message_delta", "delta": {"stop_reason": said}})
    assert reader.ended
    assert reader.finish() == [Finished(reason)]


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"type": "message_start", "message": 5},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}},
        {
            "type": "content_block_delta",
            "index": 7,
            "delta": {"type": "input_json_delta", "partial_json": "{"},
        },
    ],
)
def test_what_is_no_event(chunk: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not an event"):
        EventReader().feed(chunk)


def test_unknown_events_are_let_pass() -> None:
    reader = EventReader()
    assert reader.feed({"type": "something_new"}) == ""
    block = {"type": "text", "text": ""}
    assert reader.feed({"type": "content_block_start", "index": 0, "content_block": block}) == ""
    assert reader.alive
    assert reader.empty


async def test_warming_connects_and_costs_nothing() -> None:
    async def model(exchange: Exchange) -> None:
        await exchange.head(kind="application/json")
        await exchange.raw(json.dumps({"id": "m"}))
        await close_body(exchange)

    async with served(model, answering(ANTHROPIC), kind="anthropic") as (provider, stub):
        await provider.warm([Message("system", "Be kind.")])
        await provider.expect(HELLO)
        assert stub.exchanges[0].request == "GET /v1/models/m HTTP/1.1"
        await collect(provider)
    assert stub.connections == 1


async def test_warming_tells_what_is_wrong() -> None:
    async def page(exchange: Exchange) -> None:
        await exchange.head(kind="text/html")
        await exchange.raw("<h1>Welcome</h1>")
        await close_body(exchange)

    async def leave(exchange: Exchange) -> None:
        await exchange.head(kind="application/json")
        await exchange.raw("{")

    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse("401 Unauthorized")

    for act, code in ((page, "llm_failed"), (leave, "llm_unreachable"), (refuse, "llm_refused")):
        async with served(act, kind="anthropic") as (provider, _):
            with pytest.raises(ChatError) as caught:
                await provider.warm(HELLO)
            assert caught.value.code == code


async def test_closing_the_stream_hangs_up() -> None:
    async def endless(exchange: Exchange) -> None:
        await ANTHROPIC.begin(exchange)
        while not exchange.gone.is_set():
            await ANTHROPIC.say(exchange, "word ")
            await asyncio.sleep(0.01)

    async with served(endless, kind="anthropic") as (provider, stub):
        async with aclosing(provider.respond(HELLO, ChatOptions())) as deltas:
            assert await anext(deltas) == TextDelta("word ")
        await stub.exchanges[0].gone.wait()


def test_what_it_cannot_be_loaded_with() -> None:
    for options, code in (
        (ProviderOptions(Path("unused")), "llm_unknown"),
        (ProviderOptions(Path("unused"), model="m", base_url="ftp://x"), "llm_unreachable"),
    ):
        with pytest.raises(ChatError) as caught:
            load_provider("anthropic", options)
        assert caught.value.code == code


async def test_its_own_address_is_the_default() -> None:
    provider = load_provider("anthropic", ProviderOptions(Path("unused"), model="m"))
    await provider.close()
