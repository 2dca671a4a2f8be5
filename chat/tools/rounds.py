"""What follows from what, when a model calls tools. Pure.

A round is one reply of the model. While it ends in calls, their outputs are put behind it and the
model is asked again, up to a bound; in the last round it is told to answer in words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from chat.providers import ChatOptions, Finished, Message, ToolCall

NO_SUCH_TOOL = "There is no such tool."
BAD_ARGUMENTS = "The arguments are not a JSON object."
DECLINED = "The user did not allow this call."
FAILED = "The tool failed."
TOO_SLOW = "The tool did not answer in time."
CUT = "\n[... the rest of the output was left out]"


def read_arguments(text: str) -> Mapping[str, Any] | None:
    """The arguments of a call, None if they are no JSON object."""
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def capped(output: str, chars: int) -> str:
    """`output`, cut where it is longer than `chars`, and saying so."""
    return output if len(output) <= chars else output[:chars] + CUT


def wants_calls(calls: Sequence[ToolCall], finished: Finished | None) -> bool:
    """Whether the model waits for outputs. A reply cut for its length may hold half a call."""
    return bool(calls) and finished is not None and finished.reason == "tool_calls"


def next_messages(
    messages: Sequence[Message], text: str, calls: Sequence[ToolCall], outputs: Sequence[str]
) -> list[Message]:
    """The prompt of the next round: the reply with its calls, and every call's output."""
    answers = [
        Message("tool", output, tool_call_id=call.id)
        for call, output in zip(calls, outputs, strict=True)
    ]
    return [*messages, Message("assistant", text, tuple(calls)), *answers]


def next_options(options: ChatOptions, number: int, rounds: int) -> ChatOptions:
    """The options of round `number` of at most `rounds` (0 is the first).

    A tool that had to be called was called in the first; in the last no call would be of use.
    """
    if number and options.tools:
        choice = options.tool_choice if options.tool_choice == "none" else "auto"
        options = replace(options, tool_choice=choice)
    last = number == rounds - 1
    return replace(options, tool_choice="none") if last and options.tools else options


def whole(parts: Sequence[Finished]) -> Finished:
    """The end of a reply made in several rounds: the last one's reason, the usage of all."""
    usages = [part.usage for part in parts if part.usage]
    usage = usages[-1] if usages else None
    if usage is not None:
        usage = replace(
            usage,
            prompt_tokens=sum(each.prompt_tokens for each in usages),
            completion_tokens=sum(each.completion_tokens for each in usages),
            cost=sum((each.cost for each in usages), Decimal(0)),
            estimated=any(each.estimated for each in usages),
        )
    return Finished(
        parts[-1].reason,
        sum(part.prompt_tokens for part in parts),
        sum(part.completion_tokens for part in parts),
        usage,
    )
