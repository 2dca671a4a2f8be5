"""The chat-completions shape that both providers speak: request bodies out, stream chunks in. Pure.

The reference is the OpenAI API ("chat completion object" and "chat completion chunk"), which
llama.cpp, Ollama, vLLM and most others imitate, not all of them exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.providers import ChatOptions, Delta, Finished, Message, Tool, ToolCall

Json = dict[str, Any]

_NAMED_CHOICES = frozenset({"auto", "none", "required"})
SAMPLING = ("top_p", "frequency_penalty", "presence_penalty", "seed", "stop")
"""Fields of a request that are there only when they were asked for."""


def request_body(messages: Sequence[Message], options: ChatOptions) -> Json:
    """The body of a streamed request, without the model's name."""
    body: Json = {
        "messages": [_message(message) for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
    }
    wanted = {name: getattr(options, name) for name in SAMPLING}
    body |= {name: value for name, value in wanted.items() if value not in (None, ())}
    if options.tools:
        body["tools"] = [_tool(tool) for tool in options.tools]
        body["tool_choice"] = (
            options.tool_choice
            if options.tool_choice in _NAMED_CHOICES
            else {"type": "function", "function": {"name": options.tool_choice}}
        )
    return body


def whole_text(text: str) -> str:
    """`text` with lone surrogates replaced, so that it can be sent as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _message(message: Message) -> Json:
    shaped: Json = {"role": message.role, "content": whole_text(message.text)}
    if message.tool_calls:
        shaped["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": whole_text(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        shaped["tool_call_id"] = message.tool_call_id
    return shaped


def _tool(tool: Tool) -> Json:
    function: Json = {"name": tool.name, "parameters": dict(tool.parameters)}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


@dataclass(slots=True)
class _PartialCall:
    id: str = ""
    name: str = ""
    arguments: str = ""


class StreamReader:
    """Turns the chunks of one stream into deltas.

    Tool calls arrive in pieces and are handed out whole, at the end: an incomplete call must
    never run. `finish` gives them together with `Finished`.
    """

    def __init__(self) -> None:
        self._calls: dict[int, _PartialCall] = {}
        self._reason = ""
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._text = False

    @property
    def ended(self) -> bool:
        """Whether a chunk has given the reason why the reply ended."""
        return bool(self._reason)

    @property
    def empty(self) -> bool:
        """Whether there was neither text nor a tool call so far."""
        return not self._text and not self._calls

    def feed(self, chunk: Mapping[str, Any]) -> str:
        """Take one chunk; returns the text in it, often empty.

        Raises `ValueError` if the chunk has not the shape of one.
        """
        try:
            return self._feed(chunk)
        except (AttributeError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"not a chat completion chunk: {error}") from error

    def finish(self) -> list[Delta]:
        """The tool calls in order, then `Finished`."""
        calls: list[Delta] = [
            ToolCall(call.id or f"call_{index}", call.name, call.arguments or "{}")
            for index, call in sorted(self._calls.items())
        ]
        reason = self._reason or "stop"
        if calls and reason != "length":  # some servers end a reply with calls by "stop"
            reason = "tool_calls"
        return [*calls, Finished(reason, self._prompt_tokens, self._completion_tokens)]

    def _feed(self, chunk: Mapping[str, Any]) -> str:
        usage = chunk.get("usage")
        if usage:
            self._prompt_tokens = int(usage.get("prompt_tokens") or 0)
            self._completion_tokens = int(usage.get("completion_tokens") or 0)
        text = ""
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {}
            content = delta.get("content") or ""
            if not isinstance(content, str):
                raise TypeError("content is not text")
            text += content
            for position, piece in enumerate(delta.get("tool_calls") or []):
                self._add(piece, position)
            self._reason = choice.get("finish_reason") or self._reason
        self._text = self._text or bool(text)
        return text

    def _add(self, piece: Mapping[str, Any], position: int) -> None:
        index = piece.get("index")
        call = self._calls.setdefault(position if index is None else int(index), _PartialCall())
        function = piece.get("function") or {}
        call.id = piece.get("id") or call.id
        call.name += function.get("name") or ""
        call.arguments += function.get("arguments") or ""
