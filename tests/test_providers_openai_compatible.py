"""What the OpenAI-compatible provider says to a server, and understands of its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat.errors import ChatError
from chat.providers import (
    ChatOptions,
    Finished,
    Message,
    ProviderOptions,
    TextDelta,
    Tool,
    ToolCall,
    load_provider,
)
from tests.provider_stub import (
    KEY,
    Exchange,
    answer,
    call_piece,
    collect,
    failure,
    refusing,
    served,
)


async def test_streams_text_then_usage() -> None:
    async with served(answer) as (provider, stub):
        deltas = await collect(provider)
    assert deltas == [TextDelta("Hi"), TextDelta(" there."), Finished("stop", 7, 3)]
    sent = stub.exchanges[0]
    assert sent.request == "POST /v1/chat/completions HTTP/1.1"
    assert f"Authorization: Bearer {KEY}".lower() in sent.headers.lower()
    assert sent.body["model"] == "m"
    assert sent.body["messages"] == [{"role": "user", "content": "Hello"}]
    assert sent.body["stream"] is True


async def test_one_connection_serves_many_replies() -> None:
    async with served(answer) as (provider, stub):
        for _ in range(3):
            await collect(provider)
    assert (stub.connections, len(stub.exchanges)) == (1, 3)


async def test_lone_surrogates_are_replaced() -> None:
    async with served(answer) as (provider, stub):
        await collect(provider, [Message("user", "a\ud83d")])
    assert stub.exchanges[0].body["messages"][0]["content"] == "a\ufffd"


async def test_tool_calls_split_over_chunks() -> None:
    async def call(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text("Let me see.")
        await exchange.event(call_piece(0, id="c1", name="weather", arguments=""))
        await exchange.event(call_piece(0, arguments='{"city":'))
        await exchange.event(call_piece(1, id="c2", name="time"))
        await exchange.event(call_piece(0, arguments='"Paris"}'))
        await exchange.reason("tool_calls")
        await exchange.done()

    weather = Tool("weather", "Tells the weather.", {"type": "object"})
    called = ToolCall("c0", "weather", "{}")
    history = [
        Message("user", "And in Rome?"),
        Message("assistant", "", (called,)),
        Message("tool", "sunny", tool_call_id="c0"),
    ]
    async with served(call) as (provider, stub):
        deltas = await collect(
            provider, history, ChatOptions(tools=(weather,), tool_choice="weather")
        )
    assert deltas == [
        TextDelta("Let me see."),
        ToolCall("c1", "weather", '{"city":"Paris"}'),
        ToolCall("c2", "time", "{}"),
        Finished("tool_calls"),
    ]
    body = stub.exchanges[0].body
    assert body["tools"][0]["function"]["name"] == "weather"
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert body["messages"][1]["tool_calls"][0]["id"] == "c0"
    assert body["messages"][2] == {"role": "tool", "content": "sunny", "tool_call_id": "c0"}


async def test_a_call_in_one_piece_without_index_ended_by_stop() -> None:
    async def call(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.event(call_piece(None, id="c1", name="time", arguments="{}"))
        await exchange.reason("stop")
        await exchange.done()

    async with served(call) as (provider, _):
        deltas = await collect(provider)
    assert deltas == [ToolCall("c1", "time", "{}"), Finished("tool_calls")]


async def test_the_first_model_is_taken_if_none_is_named() -> None:
    async def models(exchange: Exchange) -> None:
        await exchange.head(kind="application/json")
        await exchange.raw('{"object": "list", "data": [{"id": "first"}, {"id": "second"}]}')
        await exchange.send("0\r\n\r\n")
        exchange.keep = True

    async with served(models, answer, model="") as (provider, stub):
        await collect(provider)
        await collect(provider)
        assert provider.name == "first"
    assert stub.exchanges[0].request == "GET /v1/models HTTP/1.1"
    assert [exchange.body.get("model") for exchange in stub.exchanges] == [None, "first", "first"]


@pytest.mark.parametrize("listing", ['{"data": []}', "[]", "<html>"])
async def test_no_model_is_offered(listing: str) -> None:
    async def models(exchange: Exchange) -> None:
        await exchange.head(kind="application/json")
        await exchange.raw(listing)
        await exchange.send("0\r\n\r\n")

    async with served(models, model="") as (provider, _):
        _, error = await failure(provider)
    assert error.code == "llm_failed"


@pytest.mark.parametrize(
    ("message", "field", "instead"),
    [
        ("Unrecognized request argument supplied: stream_options", "stream_options", None),
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("Unsupported value: 'temperature' does not support 0.7", "temperature", None),
    ],
)
async def test_a_field_the_server_does_not_take_is_left_out(
    message: str, field: str, instead: str | None
) -> None:
    async with served(refusing("400 Bad Request", message), answer) as (provider, stub):
        await collect(provider)
        await collect(provider)
    first, *later = [exchange.body for exchange in stub.exchanges]
    assert field in first
    assert len(later) == 2
    for body in later:
        assert field not in body
        assert instead is None or body[instead] == first[field]


WISHES = ChatOptions(
    top_p=0.5, frequency_penalty=0.1, presence_penalty=-0.1, seed=0, stop=("END", "\n")
)


async def test_sampling_is_sent_as_it_was_asked_for_and_only_then() -> None:
    async with served(answer) as (provider, stub):
        await collect(provider)
        await collect(provider, options=WISHES)
    plain, special = [exchange.body for exchange in stub.exchanges]
    asked = {
        "top_p": 0.5,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "seed": 0,
        "stop": ["END", "\n"],
    }
    assert special == {**plain, **asked}
    assert not set(asked) & set(plain)


async def test_sampling_the_model_does_not_take_is_refused_by_name() -> None:
    said = "Unsupported parameter: 'stop' is not supported with this model."
    async with served(refusing("400 Bad Request", said)) as (provider, _):
        with pytest.raises(ChatError, match="does not take stop") as refused:
            await collect(provider, options=WISHES)
        assert refused.value.code == "unsupported_parameter"
        _, plain = await failure(provider)
    assert plain.code == "llm_refused"


async def test_a_server_that_never_takes_a_field_is_not_asked_for_ever() -> None:
    async with served(refusing("400 Bad Request", "stream_options")) as (provider, stub):
        _, error = await failure(provider)
    assert (error.code, len(stub.exchanges)) == ("llm_refused", 2)


async def test_warming_asks_for_one_token() -> None:
    async with served(answer) as (provider, stub):
        await provider.warm([Message("system", "Be brief.")])
    assert stub.exchanges[0].body["max_tokens"] == 1


@pytest.mark.parametrize("address", ["", "localhost:11434", "ftp://example.org", "http://", "x y"])
def test_a_bad_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(ChatError) as caught:
        load_provider("openai-compatible", ProviderOptions(Path("unused"), base_url=address))
    assert caught.value.code == "llm_unreachable"


def test_the_key_is_not_in_the_repr() -> None:
    assert KEY not in repr(ProviderOptions(Path("unused"), api_key=KEY))
