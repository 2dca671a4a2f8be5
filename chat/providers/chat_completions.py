"""The chat-completions shape that both providers speak: request bodies out, stream chunks in. Pure.

The reference is the OpenAI API ("chat completion object" and "chat completion chunk"), which
llama.cpp, Ollama, vLLM and most others imitate, not all of them exactly:

- Ollama gives every tool call of a reply the index 0 (https://github.com/ollama/ollama/issues/15457);
- Mistral takes only ids of tool calls that are nine letters or digits, and sends the text of its
  reasoning models as a list of parts;
- Gemini sends a signature with a tool call and refuses the call without it
  (ai.google.dev/gemini-api/docs/thought-signatures);
- vLLM, llama-server and DeepSeek send hidden reasoning as `reasoning_content`, Ollama and
  OpenRouter as `reasoning`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from chat.providers import ChatOptions, Delta, Finished, Image, Message, Tool, ToolCall

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


def adapted(body: Json, conceded: Set[str]) -> Json:
    """`body` without what a server does not take: names of fields, `call_ids`, `thought_signature`.

    OpenAI's reasoning models have another name for `max_tokens`.
    """
    other = {field: value for field, value in body.items() if field not in conceded}
    if "max_tokens" in conceded:
        other["max_completion_tokens"] = body["max_tokens"]
    for concession, change in (("call_ids", _with_short_ids), ("thought_signature", _signed)):
        if concession in conceded:
            other["messages"] = [change(message) for message in other["messages"]]
    return other


def _with_short_ids(message: Json) -> Json:
    """The message with ids of nine characters, the same for the same id."""
    changed = dict(message)
    if "tool_calls" in message:
        changed["tool_calls"] = [
            {**call, "id": _short(call["id"])} for call in message["tool_calls"]
        ]
    if "tool_call_id" in message:
        changed["tool_call_id"] = _short(message["tool_call_id"])
    return changed


def _short(call_id: str) -> str:
    return sha256(whole_text(call_id).encode()).hexdigest()[:9]


def _signed(message: Json) -> Json:
    """The message with the word that stands for the signature of a call another model made."""
    if "tool_calls" not in message:
        return message
    stand_in = {"google": {"thought_signature": "skip_thought_signature_validator"}}
    calls = [{"extra_content": stand_in, **call} for call in message["tool_calls"]]
    return {**message, "tool_calls": calls}


def whole_text(text: str) -> str:
    """`text` with lone surrogates replaced, so that it can be sent as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _message(message: Message) -> Json:
    shaped: Json = {"role": message.role, "content": whole_text(message.text)}
    if message.images:
        shaped["content"] = [
            *([{"type": "text", "text": shaped["content"]}] if message.text else []),
            *({"type": "image_url", "image_url": {"url": _data_url(i)}} for i in message.images),
        ]
    if message.tool_calls:
        shaped["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.role == "tool":
        shaped["tool_call_id"] = message.tool_call_id
    return shaped


def _call(call: ToolCall) -> Json:
    shaped: Json = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": whole_text(call.arguments)},
    }
    if call.extra:
        shaped["extra_content"] = json.loads(call.extra)
    return shaped


def _data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{b64encode(image.data).decode()}"


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
    extra: str = ""


class StreamReader:
    """Turns the chunks of one stream into deltas.

    Tool calls arrive in pieces and are handed out whole, at the end: an incomplete call must
    never run. `finish` gives them together with `Finished`.
    """

    def __init__(self) -> None:
        self._calls: list[_PartialCall] = []
        self._places: dict[int, _PartialCall] = {}
        self._thought = False
        self._reason = ""
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._text = False

    @property
    def ended(self) -> bool:
        """Whether a chunk has given the reason why the reply ended."""
        return bool(self._reason)

    @property
    def complete(self) -> bool:
        """Never: the usage may follow the reason."""
        return False

    @property
    def alive(self) -> bool:
        """Whether the model has begun: text, a call, or reasoning that is not shown."""
        return self._thought or not self.empty

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
            ToolCall(call.id or f"call_{index}", call.name, call.arguments or "{}", call.extra)
            for index, call in enumerate(self._calls)
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
            text += _text(delta.get("content") or "")
            thought = (
                delta.get("reasoning_content") or delta.get("reasoning") or delta.get("content")
            )
            self._thought = self._thought or bool(thought)
            for position, piece in enumerate(delta.get("tool_calls") or []):
                self._add(piece, position)
            self._reason = choice.get("finish_reason") or self._reason
        self._text = self._text or bool(text)
        return text

    def _add(self, piece: Mapping[str, Any], position: int) -> None:
        index = piece.get("index")
        place = position if index is None else int(index)
        function = piece.get("function") or {}
        call = self._places.get(place)
        another = piece.get("id") not in (None, "", call and call.id) and function.get("name")
        if call is None or (call.id and another):
            call = self._places[place] = _PartialCall()
            self._calls.append(call)
        call.id = piece.get("id") or call.id
        call.name += function.get("name") or ""
        call.arguments += function.get("arguments") or ""
        if piece.get("extra_content"):
            call.extra = json.dumps(piece["extra_content"])


def _text(content: str | list[Mapping[str, Any]]) -> str:
    """The text of a delta, which may be a list of parts; parts of reasoning are left out."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")
