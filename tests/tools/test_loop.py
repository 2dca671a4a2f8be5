"""A model that calls tools: what it is asked, what the user is asked, what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import pytest

from chat.providers import (
    ChatOptions,
    Delta,
    Finished,
    Message,
    TextDelta,
    Tool,
    ToolCall,
    Usage,
)
from chat.tools import Consent, Registered, Registry
from chat.tools.loop import Answered, Bounds, Called, Step, respond_with_tools
from chat.tools.rounds import (
    BAD_ARGUMENTS,
    CUT,
    DECLINED,
    FAILED,
    NO_SUCH_TOOL,
    TOO_SLOW,
    capped,
    next_options,
    read_arguments,
    wants_calls,
    whole,
)
from tests.provider_stub import HELLO, Exchange, Stub, call_piece, listening
from tests.providers.servers import SHAPES, answering, chained, close_body, entry, named

SHAPE = SHAPES["llama-server"]
LOOK = Tool("look", "Looks.", {"type": "object"})


async def look(arguments: Mapping[str, Any]) -> str:
    return f"saw {arguments.get('at', 'nothing')}"


async def explode(_: Mapping[str, Any]) -> str:
    raise OSError("no such file /srv/secret")


async def hang(_: Mapping[str, Any]) -> str:
    await asyncio.Event().wait()
    return "never"


def registry(consent: Consent = "always", call: Any = look) -> Registry:
    return Registry([Registered(LOOK, call, consent)])


def calling(arguments: str = "{}", name: str = "look", reason: str = "tool_calls") -> Any:
    async def act(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.text("Let me see.")
        await exchange.event(call_piece(0, id="c1", name=name, arguments=arguments))
        await exchange.reason(reason)
        await exchange.event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
        await exchange.done()

    return act


async def run(
    *acts: Any,
    tools: Registry,
    allowed: bool | None = True,
    bounds: Bounds = Bounds(),  # noqa: B008  frozen
    options: ChatOptions = ChatOptions(),  # noqa: B008  frozen
) -> tuple[list[Step], Stub, list[ToolCall]]:
    """The steps, the server, and what the user was asked; `allowed` None: they never answer."""
    asked: list[ToolCall] = []

    async def ask(call: ToolCall) -> bool:
        asked.append(call)
        if allowed is None:
            await asyncio.Event().wait()
        return bool(allowed)

    async with listening(*acts) as (address, stub), chained(entry("a", SHAPE, address)) as llm:
        steps = [
            step
            async for step in respond_with_tools(llm, HELLO, options, tools, ask=ask, bounds=bounds)
        ]
    return steps, stub, asked


async def test_asks_calls_and_answers() -> None:
    call = ToolCall("c1", "look", '{"at": "a cat"}')
    steps, stub, asked = await run(
        calling('{"at": "a cat"}'), answering(SHAPE), tools=registry("ask")
    )
    usage = Usage("a", "a-model", 105, 12, Decimal("0.000501"), estimated=False)
    assert steps == [
        TextDelta("Let me see."),
        Called(call, asks=True),
        Answered(call, "saw a cat", failed=False),
        TextDelta("Hello"),
        TextDelta(" there."),
        Finished("stop", 105, 12, usage),
    ]
    assert asked == [call]
    _, reply, output = stub.exchanges[1].body["messages"]
    assert reply["content"] == "Let me see."
    assert reply["tool_calls"][0]["id"] == "c1"
    assert output == {"role": "tool", "content": "saw a cat", "tool_call_id": "c1"}


@pytest.mark.parametrize(
    ("act", "tools", "allowed", "output", "asked"),
    [
        (calling(), registry("ask"), False, DECLINED, 1),
        (calling(), registry("ask"), None, DECLINED, 1),
        (calling(), registry("never"), True, NO_SUCH_TOOL, 0),
        (calling(name="other"), registry("always"), True, NO_SUCH_TOOL, 0),
        (calling("[1]"), registry("ask"), True, BAD_ARGUMENTS, 0),
        (calling("{"), registry("ask"), True, BAD_ARGUMENTS, 0),
        (calling(), registry("always", explode), True, FAILED, 0),
        (calling(), registry("always", hang), True, TOO_SLOW, 0),
    ],
)
async def test_a_call_without_output_says_why_and_no_more(
    act: Any, tools: Registry, allowed: bool | None, output: str, asked: int
) -> None:
    bounds = Bounds(call_seconds=0.05, consent_seconds=0.05)
    steps, stub, questions = await run(
        act, answering(SHAPE), tools=tools, allowed=allowed, bounds=bounds
    )
    [answered] = [step for step in steps if isinstance(step, Answered)]
    assert (answered.output, answered.failed, len(questions)) == (output, True, asked)
    assert stub.exchanges[1].body["messages"][-1]["content"] == output
    assert isinstance(steps[-1], Finished)


async def test_rounds_are_bounded_and_the_last_is_for_words() -> None:
    steps, stub, _ = await run(
        calling(), tools=registry(), bounds=Bounds(rounds=3),
        options=ChatOptions(tool_choice="required"),
    )  # fmt: skip
    assert [each.body["tool_choice"] for each in stub.exchanges] == ["required", "auto", "none"]
    assert len([step for step in steps if isinstance(step, Answered)]) == 2
    end = steps[-1]
    assert isinstance(end, Finished)
    assert end.reason == "tool_calls"


async def test_half_a_call_is_not_made() -> None:
    steps, stub, _ = await run(calling('{"at', reason="length"), tools=registry())
    assert [type(step) for step in steps] == [TextDelta, Finished]
    assert len(stub.exchanges) == 1


async def test_without_tools_it_is_a_plain_reply() -> None:
    steps, stub, _ = await run(answering(SHAPE), tools=Registry())
    assert "tools" not in stub.exchanges[0].body
    assert isinstance(steps[-1], Finished)


async def test_long_outputs_are_cut() -> None:
    async def much(_: Mapping[str, Any]) -> str:
        return "x" * 1000

    steps, _, _ = await run(
        calling(), answering(SHAPE), tools=registry("always", much), bounds=Bounds(result_chars=10)
    )
    assert [s.output for s in steps if isinstance(s, Answered)] == ["x" * 10 + CUT]


async def test_cancelling_stops_the_call() -> None:
    stopped, running = asyncio.Event(), asyncio.Event()

    async def work(_: Mapping[str, Any]) -> str:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    task = asyncio.create_task(run(calling(), tools=registry("always", work)))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()


async def test_anthropic_is_given_the_outputs_as_it_wants_them() -> None:
    shape = SHAPES["anthropic"]

    async def call(exchange: Exchange) -> None:
        await shape.begin(exchange)
        block = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
        start = {"type": "content_block_start", "index": 0, "content_block": block}
        await named(exchange, start)
        await named(exchange, {"type": "message_delta", "delta": {"stop_reason": "tool_use"}})
        await named(exchange, {"type": "message_stop"})
        await close_body(exchange)

    async def ask(_: ToolCall) -> bool:
        return True

    async with (
        listening(call, answering(shape)) as (address, stub),
        chained(entry("a", shape, address)) as llm,
        aclosing(respond_with_tools(llm, HELLO, ChatOptions(), registry(), ask=ask)) as steps,
    ):
        assert [type(step) async for step in steps][-1] is Finished
    assert stub.exchanges[1].body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "saw nothing"}],
        },
    ]


async def test_a_stream_without_an_end_calls_nothing() -> None:
    class Endless:
        name, device = "m", "nowhere"

        async def respond(
            self, messages: Sequence[Message], options: ChatOptions
        ) -> AsyncGenerator[Delta, None]:
            yield ToolCall("c1", "look", "{}")

    llm: Any = Endless()
    reply = respond_with_tools(llm, HELLO, ChatOptions(), registry(), ask=lambda _: hang({}))  # type: ignore[arg-type,return-value]
    assert [step async for step in reply] == [Finished("stop")]


def test_the_registry() -> None:
    tools = registry("never")
    assert (tools.tools, tools.get("look"), tools.consents) == ((), None, {"look": "never"})
    with pytest.raises(ValueError, match="already"):
        tools.add(Registered(LOOK, look))


def test_the_pure_parts() -> None:
    assert read_arguments("") == {}
    assert read_arguments("[" * 100_000) is None
    assert capped("abc", 3) == "abc"
    assert not wants_calls([], Finished("tool_calls"))
    assert not wants_calls([ToolCall("c", "n", "{}")], None)
    tooled = ChatOptions(tools=(LOOK,), tool_choice="none")
    assert next_options(tooled, 1, 5).tool_choice == "none"
    assert next_options(ChatOptions(), 0, 1) == ChatOptions()
    assert whole([Finished("stop", 1, 2), Finished("length", 3, 4)]) == Finished("length", 4, 6)
