"""What servers of the OpenAI shape do each in their own way, as their issues and documents tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chat.errors import ChatError
from chat.providers import ChatOptions, Finished, Image, Message, TextDelta, Tool, ToolCall
from chat.providers.chat_completions import StreamReader, request_body
from chat.providers.endpoint import retry_after
from tests.provider_stub import HELLO, Exchange, answer, call_piece, collect, served

CALL = ToolCall("call_1234567890", "weather", "{}")
CALLED = [
    *HELLO,
    Message("assistant", "", (CALL,)),
    Message("tool", "sunny", tool_call_id=CALL.id),
]


def calls_of(*pieces: dict[str, Any]) -> list[ToolCall]:
    reader = StreamReader()
    for piece in pieces:
        reader.feed(piece)
    return [delta for delta in reader.finish() if isinstance(delta, ToolCall)]


def test_ollama_gives_every_call_the_index_0() -> None:
    assert calls_of(
        call_piece(0, id="c1", name="write", arguments='{"path": "a"}'),
        call_piece(0, id="c2", name="write", arguments='{"path": "b"}'),
    ) == [ToolCall("c1", "write", '{"path": "a"}'), ToolCall("c2", "write", '{"path": "b"}')]


def test_an_id_that_is_repeated_begins_no_other_call() -> None:
    assert calls_of(
        call_piece(0, id="c1", name="write", arguments='{"path'),
        call_piece(0, id="c1", arguments='": "a"}'),
    ) == [ToolCall("c1", "write", '{"path": "a"}')]


def test_gemini_gets_its_signature_back() -> None:
    extra = {"google": {"thought_signature": "abc"}}
    piece = call_piece(0, id="c1", name="weather", arguments="{}")
    piece["choices"][0]["delta"]["tool_calls"][0]["extra_content"] = extra
    [call] = calls_of(piece)
    assert json.loads(call.extra) == extra
    body = request_body([Message("assistant", "", (call,))], ChatOptions())
    assert body["messages"][0]["tool_calls"][0]["extra_content"] == extra


async def test_gemini_takes_calls_that_another_model_made() -> None:
    async def refuse(exchange: Exchange) -> None:
        said = [{"error": {"code": 400, "message": "Function call is missing a thought_signature"}}]
        await exchange.head("400 Bad Request", "application/json")
        await exchange.raw(json.dumps(said))
        await exchange.send("0\r\n\r\n")
        exchange.keep = True

    async with served(refuse, answer) as (provider, stub):
        await collect(provider, CALLED)
    call = stub.exchanges[1].body["messages"][1]["tool_calls"][0]
    signature = call["extra_content"]["google"]["thought_signature"]
    assert signature == "skip_thought_signature_validator"
    assert "extra_content" not in stub.exchanges[0].body["messages"][1]["tool_calls"][0]


async def test_mistral_takes_only_ids_of_nine_characters() -> None:
    async def refuse(exchange: Exchange) -> None:
        said = f"Tool call id was {CALL.id} but must be a-z, A-Z, 0-9, with a length of 9."
        await exchange.refuse("400 Bad Request", said)

    async with served(refuse, answer) as (provider, stub):
        await collect(provider, CALLED)
    _, call, output = stub.exchanges[1].body["messages"]
    assert call["tool_calls"][0]["id"] == output["tool_call_id"]
    assert len(output["tool_call_id"]) == 9
    assert output["tool_call_id"].isalnum()


async def test_mistral_sends_the_text_of_reasoning_models_in_parts() -> None:
    async def think(exchange: Exchange) -> None:
        await exchange.head()
        parts = [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
            {"type": "text", "text": "Hi"},
        ]
        await exchange.event({"choices": [{"index": 0, "delta": {"content": parts}}]})
        await exchange.reason("stop")
        await exchange.done()

    async with served(think) as (provider, _):
        assert await collect(provider) == [TextDelta("Hi"), Finished("stop")]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_hidden_reasoning_is_a_sign_of_life_and_no_text(field: str) -> None:
    reader = StreamReader()
    assert reader.feed({"choices": [{"delta": {field: "Hm."}}]}) == ""
    assert reader.alive
    assert reader.empty


@pytest.mark.parametrize(
    "said",
    [
        "Unsupported parameter: 'seed' is not supported with this model.",  # OpenAI
        'Invalid JSON payload received. Unknown name "seed": Cannot find field.',  # Gemini
        '{"type": "extra_forbidden", "loc": ["body", "seed"]}',  # Mistral
    ],
)
async def test_a_field_that_is_not_taken_is_named(said: str) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse("422 Unprocessable", said)

    async with served(refuse) as (provider, _):
        with pytest.raises(ChatError) as caught:
            await collect(provider, HELLO, ChatOptions(seed=7))
    assert caught.value.code == "unsupported_parameter"
    assert "seed" in caught.value.message


async def test_mistral_takes_no_stream_options() -> None:
    async def refuse(exchange: Exchange) -> None:
        said = '{"type": "extra_forbidden", "loc": ["body", "stream_options"]}'
        await exchange.refuse("422 Unprocessable", said)

    async with served(refuse, answer) as (provider, stub):
        await collect(provider)
    assert "stream_options" not in stub.exchanges[1].body


def test_images_are_sent_in_the_message() -> None:
    image = Image("image/png", b"\x89PNG")
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    for text, parts in (("What?", [{"type": "text", "text": "What?"}, url]), ("", [url])):
        body = request_body([Message("user", text, images=(image,))], ChatOptions())
        assert body["messages"][0]["content"] == parts


def test_a_tool_needs_no_description() -> None:
    body = request_body(HELLO, ChatOptions(tools=(Tool("look", "", {}),)))
    assert body["tools"] == [{"type": "function", "function": {"name": "look", "parameters": {}}}]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 12:00:30 -0000", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert retry_after({"retry-after": header}, now) == seconds
    assert retry_after({}, now) is None
