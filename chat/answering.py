"""What a model is asked and what it says: a stored branch to a prompt, deltas to a text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat.attachments import files
from chat.context import Document, Said, fit, prompt_budget
from chat.errors import ChatError
from chat.providers import (
    ChatOptions,
    Finished,
    Image,
    Llm,
    Message,
    TextDelta,
    ToolCall,
)
from chat.storage.records import Attachment
from chat.storage.records import Message as Stored

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
    sees_images: bool = False


async def prompt_for(answerer: Answerer, history: Sequence[Stored], folder: Path) -> list[Message]:
    """The branch as a prompt that fits; `folder` holds the attachments."""
    said = await asyncio.to_thread(_said, history, folder.parent)
    budget = prompt_budget(answerer.context_tokens, answerer.answer_tokens)
    fitted = fit(answerer.instructions, said, budget, sees_images=answerer.sees_images)
    return fitted.messages


async def generate(
    answerer: Answerer, prompt: Sequence[Message], add: Callable[[str], None]
) -> Mapping[str, Any]:
    """Stream the answer into `add`; gives the tokens it took and its times in milliseconds.

    Cancelling it ends the generation at the provider. Raises `ChatError`.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    first: float | None = None
    finished = Finished("")
    options = ChatOptions(max_tokens=answerer.answer_tokens)
    async with aclosing(answerer.llm.respond(prompt, options)) as deltas:
        async for delta in deltas:
            match delta:
                case TextDelta(text):
                    first = clock() if first is None else first
                    add(text)
                case Finished():
                    finished = delta
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


def _said(history: Sequence[Stored], data_dir: Path) -> list[Said]:
    return [
        Said(
            message.role,
            message.text,
            cut=message.cut or message.status == "interrupted",
            tool_calls=tuple(ToolCall(c.id, c.name, c.arguments) for c in message.tool_calls),
            tool_call_id=message.tool_call_id,
            documents=tuple(_documents(message.attachments, data_dir)),
            images=tuple(_images(message.attachments, data_dir)),
        )
        for message in history
    ]


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
