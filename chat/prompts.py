"""From a conversation to the prompt of a language model that fits its context. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from chat.conversation import CallItem, Item, MessageItem, OutputItem
from chat.providers import Message, Tool, ToolCall

INSTRUCTIONS = (
    "You are a helpful voice assistant. "
    "Your answers are spoken aloud, so give only one or two short sentences."
)
"""The default. Short, or a very small model loses itself in it; no word of lists or markdown,
which makes such a model write them; and no date or name, so that it stays evaluated in the
provider's prompt cache for everybody."""

CUT_MARK = "... [the user interrupted here]"
"""Follows what was heard of an interrupted message, so that the model knows that the rest of its
answer never arrived."""

GO_ON = "Please go on exactly where you stopped, without repeating anything."
"""Asks for the rest of an answer that was broken off by mistake."""

UNSEEN = "(An image was attached here, which you cannot see.)"
"""Stands for each image, for a model that sees none."""

STILL_THERE = (
    "(The user has said nothing for a while. Ask in one short sentence whether they are still "
    "there or need anything else.)"
)
"""Asks for a gentle question into a long silence."""

CHARS_PER_TOKEN = 4
"""A usual figure for English; `estimate_tokens` rounds up and counts bytes, so that text in other
scripts is not taken for shorter than it is."""

MESSAGE_TOKENS = 5
"""What a chat template adds to a message: role and separators."""

IMAGE_TOKENS = 1600
"""About what a picture of the largest useful size takes: width times height by 750, for Anthropic's
models (docs.anthropic.com/en/docs/build-with-claude/vision); others take less."""

DROP_STEP = 4
"""History over its budget is dropped in steps of the budget's 1/DROP_STEP: a beginning that moved
with every turn would have to be evaluated anew every time."""


def prompt(
    instructions: str, conversation: Iterable[Item], budget: int, *, tools: Sequence[Tool] = ()
) -> list[Message]:
    """The messages to send: `instructions`, then as much of the newest history as fits.

    `budget` is in tokens, for everything including `tools`; leave room for the answer. Whole
    turns are dropped, oldest first; a turn begins with a user's message and holds all until the
    next one, so a tool's output stays with its call. The newest turn is always kept, even if it
    alone is over budget. Left out are messages without text (not transcribed yet, or interrupted
    before a word was heard), calls without output and outputs without call.
    """
    system = [Message("system", instructions)] if instructions else []
    fixed = sum(map(message_tokens, system)) + sum(map(tool_tokens, tools))
    turns = _turns(_messages(list(conversation)))
    costs = [sum(map(message_tokens, turn)) for turn in turns]
    kept = turns[first_kept(costs, budget - fixed) :]
    return system + [message for turn in kept for message in turn]


def estimate_tokens(text: str) -> int:
    """How many tokens `text` has, rather too many than too few."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // CHARS_PER_TOKEN)


def message_tokens(message: Message) -> int:
    """The estimated tokens of a message with its calls and images."""
    calls = sum(estimate_tokens(call.name + call.arguments) for call in message.tool_calls)
    images = IMAGE_TOKENS * len(message.images)
    return MESSAGE_TOKENS + estimate_tokens(message.text) + calls + images


def tool_tokens(tool: Tool) -> int:
    """The estimated tokens of a tool's description in the prompt."""
    return MESSAGE_TOKENS + estimate_tokens(tool.name + tool.description + str(tool.parameters))


def first_kept(costs: Sequence[int], budget: int) -> int:
    """How many of the oldest turns to drop, from what each costs in tokens: whole steps of the
    budget, and never the newest.
    """
    excess = sum(costs) - budget
    step = max(1, budget // DROP_STEP)
    wanted = -(-excess // step) * step
    first, dropped = 0, 0
    while first < len(costs) - 1 and (
        dropped < excess or (excess > 0 and dropped + costs[first] <= wanted)
    ):
        dropped += costs[first]
        first += 1
    return first


def add_message(messages: list[Message], message: Message) -> None:
    """Append `message`, or join it with a neighbour of the same role.

    Many chat templates insist that user and assistant take turns.
    """
    last = messages[-1] if messages else None
    if last and last.role == message.role and message.role != "system" and not last.tool_calls:
        text = "\n".join(filter(None, (last.text, message.text)))
        images = last.images + message.images
        messages[-1] = Message(last.role, text, message.tool_calls, images=images)
    else:
        messages.append(message)


def _messages(items: Sequence[Item]) -> list[Message]:
    outputs = {item.call_id: item.output for item in items if isinstance(item, OutputItem)}
    messages: list[Message] = []
    for is_call, group in groupby(items, lambda item: isinstance(item, CallItem)):
        if is_call:
            _add_calls(messages, [item for item in group if isinstance(item, CallItem)], outputs)
        else:
            for item in group:
                if isinstance(item, MessageItem) and item.text:
                    text = f"{item.text}{CUT_MARK}" if item.cut else item.text
                    add_message(messages, Message(item.role, text))
    return messages


def _add_calls(messages: list[Message], calls: Sequence[CallItem], outputs: dict[str, str]) -> None:
    """Add those of `calls` that have an output, with it, and take it out of `outputs`."""
    # Providers refuse a call whose output does not follow at once, whatever was said meanwhile.
    answers = {call.call_id: outputs.pop(call.call_id) for call in calls if call.call_id in outputs}
    made = {call.call_id: ToolCall(call.call_id, call.name, call.arguments) for call in calls}
    if answers:
        add_message(messages, Message("assistant", "", tuple(made[call_id] for call_id in answers)))
        messages += [Message("tool", answers[call_id], tool_call_id=call_id) for call_id in answers]


def _turns(messages: Sequence[Message]) -> list[list[Message]]:
    turns: list[list[Message]] = []
    for message in messages:
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns
