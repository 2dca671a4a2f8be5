"""A reply in which the model may call tools: asked, allowed, called, answered, asked again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from chat.providers import ChatOptions, Delta, Finished, Llm, Message, TextDelta, ToolCall
from chat.tools import Ask, Registered, Registry
from chat.tools.rounds import (
    BAD_ARGUMENTS,
    DECLINED,
    FAILED,
    NO_SUCH_TOOL,
    TOO_SLOW,
    capped,
    next_messages,
    next_options,
    read_arguments,
    wants_calls,
    whole,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far tools may go: rounds of a reply, characters of an output, seconds of waiting."""

    rounds: int = 8
    result_chars: int = 20_000
    call_seconds: float = 60.0
    consent_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Called:
    """The model called a tool; `asks`: the user's word is waited for now."""

    call: ToolCall
    asks: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """What the model is told of a call: the tool's output, or why there is none."""

    call: ToolCall
    output: str
    failed: bool


class _Refused(Exception):
    """Why a call gives no output, in words for the model."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


Step = TextDelta | Called | Answered | Finished


async def respond_with_tools(
    llm: Llm,
    messages: Sequence[Message],
    options: ChatOptions,
    registry: Registry,
    *,
    ask: Ask,
    bounds: Bounds = Bounds(),
) -> AsyncGenerator[Step, None]:
    """Stream the reply to `messages`, calling tools of `registry` on the way.

    `Called` comes before `ask` is awaited, so that the question can be shown; a call that is not
    allowed in time is declined. One `Finished` at the end, with the tokens of all rounds; its
    reason is `tool_calls` only where the bound of rounds was reached. Closing stops the model;
    cancelling also the call that runs. Raises the model's `ChatError`.
    """
    options = replace(options, tools=registry.tools)
    prompt = list(messages)
    parts: list[Finished] = []
    for number in range(bounds.rounds):
        text, calls, finished = "", list[ToolCall](), None
        wanted = next_options(options, number, bounds.rounds)
        async with aclosing(llm.respond(prompt, wanted)) as deltas:
            async for delta in deltas:
                finished = _end(delta) or finished
                if isinstance(delta, TextDelta):
                    text += delta.text
                    yield delta
                elif isinstance(delta, ToolCall):
                    calls.append(delta)
        parts.append(finished or Finished("stop"))
        if not wants_calls(calls, finished) or number == bounds.rounds - 1:
            break
        outputs: list[str] = []
        for call in calls:
            registered = registry.get(call.name)
            yield Called(call, asks=registered is not None and registered.consent == "ask")
            answered = await answer_call(call, registered, ask, bounds)
            outputs.append(answered.output)
            yield answered
        prompt = next_messages(prompt, text, calls, outputs)
    yield whole(parts)


def _end(delta: Delta) -> Finished | None:
    return delta if isinstance(delta, Finished) else None


async def answer_call(
    call: ToolCall, registered: Registered | None, ask: Ask, bounds: Bounds
) -> Answered:
    """Make one call, if it may be made; what the model is told of it."""
    try:
        output = await _call(call, registered, ask, bounds)
        return Answered(call, capped(output, bounds.result_chars), failed=False)
    except _Refused as refused:
        return Answered(call, refused.why, failed=True)


async def _call(call: ToolCall, registered: Registered | None, ask: Ask, bounds: Bounds) -> str:
    """The tool's output. Raises `_Refused`."""
    if registered is None:
        raise _Refused(NO_SUCH_TOOL)
    arguments = read_arguments(call.arguments)
    if arguments is None:
        raise _Refused(BAD_ARGUMENTS)
    if registered.consent == "ask" and not await _allowed(call, ask, bounds.consent_seconds):
        raise _Refused(DECLINED)
    try:
        async with asyncio.timeout(bounds.call_seconds):
            return await registered.call(arguments)
    except TimeoutError:
        raise _Refused(TOO_SLOW) from None
    except Exception as error:
        # It may tell of paths, addresses or keys: it is for the log alone.
        log.warning("the tool %s failed", call.name, exc_info=error)
        raise _Refused(FAILED) from None


async def _allowed(call: ToolCall, ask: Ask, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await ask(call)
    except TimeoutError:
        return False
