"""What a model is asked and what it says: a stored branch to a prompt, deltas to a text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from chat.attachments import files
from chat.context import SUMMARY_SHARE, Document, Said, clip, fit, prompt_budget, result_chars
from chat.errors import ChatError
from chat.providers import (
    ChatOptions,
    Delta,
    Finished,
    Image,
    Llm,
    Message,
    TextDelta,
    ToolCall,
)
from chat.storage.records import Attachment
from chat.storage.records import Message as Stored
from chat.storage.summaries import Summary
from chat.tools import Registry
from chat.tools.loop import Answered, Bounds, Called, respond_with_tools

INSTRUCTIONS = "You are a helpful assistant. Answer in Markdown where it helps."
"""The default for text; `chat.prompts` has the one for speech."""


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers, under the name that users know, and how. Tokens are the model's."""

    llm: Llm
    name: str
    instructions: str = INSTRUCTIONS
    context_tokens: int = 4096
    answer_tokens: int = 1024
    temperature: float = 0.7
    sees_images: bool = False
    tools: Registry = field(default_factory=Registry)
    """What it may call: the owner's own registry."""
    bounds: Bounds = field(default_factory=Bounds)


class Calls(Protocol):
    """Who is told of an answer's tool calls."""

    async def begin(self, called: Called) -> None:
        """A tool is called; where it needs consent, `ask` comes next."""
        ...

    async def ask(self, call: ToolCall) -> bool:
        """Whether it may be."""
        ...

    async def end(self, answered: Answered) -> None:
        """What the model is told of the call."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is given. `outgrown`: more was left out than the summary speaks of."""

    messages: list[Message]
    outgrown: bool


async def prompt_for(
    answerer: Answerer, history: Sequence[Stored], folder: Path, *, summary: Summary | None = None
) -> Prompt:
    """The branch as a prompt that fits; `folder` holds the attachments. `summary` stands for what
    does not.
    """
    said, places = await said_of(history, folder)
    budget = prompt_budget(answerer.context_tokens, answerer.answer_tokens)
    fitted = fit(
        answerer.instructions,
        said,
        budget,
        sees_images=answerer.sees_images,
        tools=answerer.tools.tools,
        summary=clip(summary.text, budget // SUMMARY_SHARE) if summary else "",
    )
    known = covered(summary, history, places) if summary else 0
    return Prompt(fitted.messages, fitted.left_out > known)


async def said_of(history: Sequence[Stored], folder: Path) -> tuple[list[Said], list[int]]:
    """The messages as a prompt needs them, and of each the place in `history` it comes from."""
    said = await asyncio.to_thread(_said, history, folder.parent)
    return [one for _, one in said], [place for place, _ in said]


def covered(summary: Summary, history: Sequence[Stored], places: Sequence[int]) -> int:
    """How many of the first of `said_of` a summary speaks of."""
    last = next((at for at, one in enumerate(history) if one.id == summary.message_id), -1)
    return sum(place <= last for place in places)


async def generate(
    answerer: Answerer,
    prompt: Sequence[Message],
    add: Callable[[str], None],
    calls: Calls | None = None,
) -> Mapping[str, Any]:
    """Stream the answer into `add`; gives the tokens it took and its times in milliseconds.

    With `calls`, and tools to call, they are called on the way. Cancelling it ends the generation
    at the provider, and the call that runs. Raises `ChatError`.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    first: float | None = None
    finished = Finished("")
    options = ChatOptions(max_tokens=answerer.answer_tokens, temperature=answerer.temperature)
    steps: AsyncGenerator[Delta | Called | Answered, None]
    if calls is not None and answerer.tools.tools:
        chars = result_chars(answerer.context_tokens, answerer.bounds.result_chars)
        bounds = replace(answerer.bounds, result_chars=chars)
        steps = respond_with_tools(
            answerer.llm, prompt, options, answerer.tools, ask=calls.ask, bounds=bounds
        )
    else:
        steps = answerer.llm.respond(prompt, options)
    async with aclosing(steps) as deltas:
        async for delta in deltas:
            match delta:
                case TextDelta(text):
                    first = clock() if first is None else first
                    add(text)
                case Finished():
                    finished = delta
                case Called() if calls is not None:
                    await calls.begin(delta)
                case Answered() if calls is not None:
                    await calls.end(delta)
                case ToolCall():
                    raise ChatError("llm_failed", "the model called a function nobody offered")
    if first is None:
        raise ChatError("llm_empty", "the model answered nothing")
    return {
        "prompt_tokens": finished.prompt_tokens,
        "completion_tokens": finished.completion_tokens,
        "timings": {
            "first_token": round((first - began) * 1000, 1),
            "total": round((clock() - began) * 1000, 1),
        },
    }


def _said(history: Sequence[Stored], data_dir: Path) -> list[tuple[int, Said]]:
    said: list[tuple[int, Said]] = []
    spoken: Said | None = None
    for place, message in enumerate(history):
        if spoken is not None and message.role != "tool":
            said.append((place - 1, spoken))
            spoken = None
        one = Said(
            message.role,
            message.text,
            cut=message.cut or message.status == "interrupted",
            tool_calls=tuple(ToolCall(c.id, c.name, c.arguments) for c in message.tool_calls),
            tool_call_id=message.tool_call_id,
            documents=tuple(_documents(message.attachments, data_dir)),
            images=tuple(_images(message.attachments, data_dir)),
        )
        if one.tool_calls:
            # The answer's text was said knowing what its calls gave.
            spoken = replace(one, tool_calls=())
            one = Said(one.role, "", tool_calls=one.tool_calls)
        said.append((place, one))
    if spoken is not None:
        said.append((len(history) - 1, spoken))
    return said


def _documents(attachments: Sequence[Attachment], data_dir: Path) -> list[Document]:
    return [
        Document(one.name, files.words_of(data_dir, one.stored_name) or "")
        for one in attachments
        if not one.media_type.startswith("image/")
    ]


def _images(attachments: Sequence[Attachment], data_dir: Path) -> list[Image]:
    return [
        Image(one.media_type, files.read(data_dir, one.stored_name))
        for one in attachments
        if one.media_type.startswith("image/")
    ]
