"""The shape of Anthropic's Messages API: request bodies out, stream events in. Pure.

The reference is https://docs.anthropic.com/en/api/messages and .../messages-streaming.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Finished, Message, Tool, ToolCall
from chat.providers.chat_completions import Json, whole_text

UNKNOWN_THERE = ("frequency_penalty", "presence_penalty", "seed")
"""Wishes that this API has no field for."""

_BEGIN = "(The conversation begins.)"
"""Stands for the user where the assistant spoke first: the API wants the user to begin."""

_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def request_body(messages: Sequence[Message], options: ChatOptions) -> Json:
    """The body of a streamed request, without the model's name.

    Raises `ChatError` `unsupported_parameter` for a wish that the API has no field for.
    """
    for name in UNKNOWN_THERE:
        if getattr(options, name) is not None:
            raise ChatError("unsupported_parameter", f"the language model does not take {name}")
    system = [message.text for message in messages if message.role == "system" and message.text]
    body: Json = {
        "messages": _turns(messages),
        "stream": True,
        "max_tokens": options.max_tokens,
    }
    if options.top_p is None:  # newer models refuse to be given both
        body["temperature"] = min(1.0, options.temperature)
    else:
        body["top_p"] = options.top_p
    if system:
        body["system"] = whole_text("\n\n".join(system))
    # A text of blanks alone is refused.
    if stop := [text for text in options.stop if text.strip()]:
        body["stop_sequences"] = stop
    if options.tools:
        body["tools"] = [_tool(tool) for tool in options.tools]
        body["tool_choice"] = _choice(options.tool_choice)
    return body


def adapted(body: Json, conceded: Set[str]) -> Json:
    """`body` without the fields that a model does not take."""
    return {field: value for field, value in body.items() if field not in conceded}


def _turns(messages: Sequence[Message]) -> list[Json]:
    """User and assistant in turn, each a list of blocks, as the API wants them."""
    turns: list[Json] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [_text_block(_BEGIN)]})
    return turns


def _blocks(message: Message) -> list[Json]:
    """The content blocks of a message; none for one without anything in it."""
    if message.role == "tool":
        result = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        return [{**result, "content": whole_text(message.text)}]
    images = [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": image.media_type,
                "data": b64encode(image.data).decode(),
            },
        }
        for image in message.images
    ]
    # A text of blanks alone is refused, and so is an answer that ends in blanks.
    text = message.text.rstrip() if message.role == "assistant" else message.text
    texts = [_text_block(text)] if text.strip() else []
    return [*images, *texts, *map(_call, message.tool_calls)]


def _text_block(text: str) -> Json:
    return {"type": "text", "text": whole_text(text)}


def _call(call: ToolCall) -> Json:
    try:
        arguments = json.loads(whole_text(call.arguments) or "{}")
    except ValueError:
        arguments = {}
    given = arguments if isinstance(arguments, dict) else {}
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}


def _tool(tool: Tool) -> Json:
    schema = {"type": "object", **tool.parameters}
    shaped: Json = {"name": tool.name, "input_schema": schema}
    return {**shaped, "description": tool.description} if tool.description else shaped


def _choice(choice: str) -> Json:
    named = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}
    return named.get(choice) or {"type": "tool", "name": choice}


@dataclass(slots=True)
class _PartialCall:
    id: str
    name: str
    arguments: str = ""


class EventReader:
    """Turns the events of one stream into deltas; tool calls are handed out whole, at the end."""

    def __init__(self) -> None:
        self._calls: dict[int, _PartialCall] = {}
        self._reason = ""
        self._complete = False
        self._begun = False
        self._text = False
        self._prompt_tokens = 0
        self._completion_tokens = 0

    @property
    def ended(self) -> bool:
        """Whether an event has given the reason why the reply ended."""
        return bool(self._reason)

    @property
    def complete(self) -> bool:
        """Whether the message has stopped."""
        return self._complete

    @property
    def alive(self) -> bool:
        """Whether the model has begun to write, or to think."""
        return self._begun

    @property
    def empty(self) -> bool:
        """Whether there was neither text nor a tool call so far."""
        return not self._text and not self._calls

    def feed(self, chunk: Mapping[str, Any]) -> str:
        """Take one event's data; returns the text in it, often empty.

        Raises `ValueError` if it has not the shape of one.
        """
        try:
            return self._feed(chunk)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not an event of the Messages API: {error}") from error

    def finish(self) -> list[Delta]:
        """The tool calls in order, then `Finished`."""
        calls: list[Delta] = [
            ToolCall(call.id, call.name, call.arguments or "{}")
            for _, call in sorted(self._calls.items())
        ]
        reason = _REASONS.get(self._reason, "stop")
        return [*calls, Finished(reason, self._prompt_tokens, self._completion_tokens)]

    def _feed(self, chunk: Mapping[str, Any]) -> str:
        match chunk["type"]:
            case "message_start":
                self._count(chunk["message"].get("usage") or {})
            case "content_block_start":
                block = chunk["content_block"]
                self._begun = True
                if block["type"] == "tool_use":
                    self._calls[chunk["index"]] = _PartialCall(block["id"], block["name"])
            case "content_block_delta":
                return self._grow(chunk["index"], chunk["delta"])
            case "message_delta":
                self._reason = chunk["delta"].get("stop_reason") or self._reason
                self._count(chunk.get("usage") or {})
            case "message_stop":
                self._complete = True
        return ""  # a kind of event we do not know may be added at any time

    def _grow(self, index: int, delta: Mapping[str, Any]) -> str:
        self._begun = True
        if delta["type"] == "input_json_delta":
            self._calls[index].arguments += delta["partial_json"]
        if delta["type"] != "text_delta":
            return ""
        text = delta["text"]
        if not isinstance(text, str):
            raise TypeError("text is not text")
        self._text = self._text or bool(text)
        return text

    def _count(self, usage: Mapping[str, Any]) -> None:
        # `input_tokens` are those that no cache was read or written for.
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        if prompt := sum(int(usage.get(name) or 0) for name in names):
            self._prompt_tokens = prompt
        self._completion_tokens = int(usage.get("output_tokens") or self._completion_tokens)
