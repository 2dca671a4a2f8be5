"""`POST /v1/chat/completions`: the language model behind the assistant, for programs."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chat.errors import ChatError
from chat.providers import (
    ChatOptions,
    Delta,
    Finished,
    Llm,
    Message,
    TextDelta,
    Tool,
    ToolCall,
)
from voice.rest.errors import BadRequest
from voice.rest.service import Rest, read_json, stream_events, whole_text

StopText = Annotated[str, Meta(min_length=1, max_length=400)]
ToolName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class TextPart(Struct, kw_only=True, frozen=True):
    """A piece of a message; text is the only kind there is a model for."""

    type: str
    text: str = ""


class CalledFunction(Struct, kw_only=True, frozen=True):
    """A function the assistant called; `arguments` is a JSON text."""

    name: str
    arguments: str = "{}"


class Called(Struct, kw_only=True, frozen=True):
    """A tool call of an earlier answer."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class ChatMessage(Struct, kw_only=True, frozen=True):
    """One message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    tool_calls: list[Called] | None = None
    tool_call_id: str | None = None


class FunctionSpec(Struct, kw_only=True, frozen=True):
    """A function the model may call; `parameters` is a JSON schema."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ToolSpec(Struct, kw_only=True, frozen=True):
    """A tool, as chat completions wrap it."""

    function: FunctionSpec
    type: Literal["function"] = "function"


class StreamOptions(Struct, kw_only=True, frozen=True):
    """`include_usage` asks for one more chunk, with the usage."""

    include_usage: bool | None = None


class ResponseFormat(Struct, kw_only=True, frozen=True):
    """Plain text only: no promise about JSON can be kept here."""

    type: str


class ChosenFunction(Struct, kw_only=True, frozen=True):
    """Which function."""

    name: str


class ToolChoice(Struct, kw_only=True, frozen=True):
    """One function that must be called."""

    function: ChosenFunction
    type: Literal["function"] = "function"


class CompletionRequest(Struct, kw_only=True, frozen=True):
    """A chat completion. Parameters that are not named here are taken and left aside."""

    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    model: str = ""
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: StopText | Annotated[list[StopText], Meta(max_length=4)] | None = None
    n: int | None = 1
    tools: list[ToolSpec] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None
    logit_bias: dict[str, float] | None = None
    modalities: list[str] | None = None
    functions: list[Any] | None = None


async def completions(rest: Rest, request: Request) -> Response:
    """Answer the conversation, whole or in chunks."""
    llm = rest.ready().llm
    wanted = await read_json(request, CompletionRequest)
    check(wanted, rest)
    messages = [read_message(number, m) for number, m in enumerate(wanted.messages)]
    options = read_options(wanted, rest)
    head = begin(wanted.model or llm.name)
    if wanted.stream:
        with_usage = wanted.stream_options is not None and wanted.stream_options.include_usage
        return await stream_events(
            chunks(head, answer(llm, messages, options), usage=bool(with_usage)), done=True
        )
    return JSONResponse(await whole(head, answer(llm, messages, options)))


def check(wanted: CompletionRequest, rest: Rest) -> None:
    """Refuse what would be answered otherwise than was asked. Raises `BadRequest`."""
    limits = rest.settings.limits
    refused = {
        "n": (wanted.n not in (None, 1), "one answer at a time"),
        "response_format": (
            wanted.response_format is not None and wanted.response_format.type != "text",
            "answers are plain text",
        ),
        "modalities": ("audio" in (wanted.modalities or ()), "answers are written"),
        "logprobs": (bool(wanted.logprobs), "token probabilities are not told"),
        "logit_bias": (bool(wanted.logit_bias), "tokens cannot be weighed"),
        "functions": (bool(wanted.functions), "functions are called as tools"),
    }
    for name, (asked, why) in refused.items():
        if asked:
            raise BadRequest(why, code="unsupported_parameter", param=name)
    if len(wanted.tools or []) > limits.tools:
        raise BadRequest(f"at most {limits.tools} tools", code="too_long", param="tools")
    if len(wanted.messages) > limits.items:
        raise BadRequest(f"at most {limits.items} messages", code="too_long", param="messages")


def read_message(number: int, message: ChatMessage) -> Message:
    """The provider-neutral form of the message. Raises `BadRequest` if it is not text."""
    at = f"messages[{number}]"
    content = message.content
    if isinstance(content, list):
        if other := next((part.type for part in content if part.type != "text"), ""):
            raise BadRequest(
                f"{other[:40]!r} cannot be understood here, only text",
                code="unsupported_content",
                param=f"{at}.content",
            )
        content = "".join(part.text for part in content)
    calls = message.tool_calls or []
    if content is None and not (message.role == "assistant" and calls):
        raise BadRequest("a message needs content", code="invalid_value", param=f"{at}.content")
    if message.role == "tool" and not message.tool_call_id:
        raise BadRequest(
            "which call is answered?", code="invalid_value", param=f"{at}.tool_call_id"
        )
    return Message(
        role="system" if message.role == "developer" else message.role,
        text=whole_text(content or ""),
        tool_calls=tuple(
            ToolCall(call.id, call.function.name, call.function.arguments) for call in calls
        )
        if message.role == "assistant"
        else (),
        tool_call_id=message.tool_call_id or "",
    )


def read_options(wanted: CompletionRequest, rest: Rest) -> ChatOptions:
    """How the answer is to be made; never longer than the settings allow."""
    llm = rest.settings.llm
    tools = tuple(
        Tool(t.function.name, t.function.description or "", t.function.parameters or {})
        for t in wanted.tools or []
    )
    choice = wanted.tool_choice or "auto"
    name = choice.function.name if isinstance(choice, ToolChoice) else choice
    if isinstance(choice, ToolChoice) and name not in {tool.name for tool in tools}:
        raise BadRequest("there is no such tool", code="invalid_value", param="tool_choice")
    if name == "required" and not tools:
        raise BadRequest("there are no tools", code="invalid_value", param="tool_choice")
    stop = wanted.stop or ()
    asked = wanted.max_completion_tokens or wanted.max_tokens or llm.max_tokens
    return ChatOptions(
        max_tokens=min(asked, llm.max_tokens),
        temperature=llm.temperature if wanted.temperature is None else wanted.temperature,
        top_p=wanted.top_p,
        frequency_penalty=wanted.frequency_penalty,
        presence_penalty=wanted.presence_penalty,
        seed=wanted.seed,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        tools=tools,
        tool_choice=name,
    )


def begin(model: str) -> dict[str, Any]:
    """What all chunks of one answer share."""
    return {
        "id": "chatcmpl-" + secrets.token_hex(12),
        "created": int(datetime.now(UTC).timestamp()),
        "model": model,
    }


async def answer(
    llm: Llm, messages: list[Message], options: ChatOptions
) -> AsyncGenerator[Delta, None]:
    """The model's deltas; a model that has nothing to say gives an empty answer, no error."""
    try:
        async with aclosing(llm.respond(messages, options)) as deltas:
            async for delta in deltas:
                yield delta
    except ChatError as error:
        if error.code != "llm_empty":
            raise
        yield Finished("stop")


async def whole(head: dict[str, Any], deltas: AsyncGenerator[Delta, None]) -> dict[str, Any]:
    """The answer as one `chat.completion`."""
    text, calls, end = "", list[ToolCall](), Finished("stop")
    async with aclosing(deltas):
        async for delta in deltas:
            match delta:
                case TextDelta():
                    text += delta.text
                case ToolCall():
                    calls.append(delta)
                case Finished():
                    end = delta
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": None,
    }
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": end.reason}
    return {
        **head,
        "object": "chat.completion",
        "choices": [choice],
        "usage": _usage(end),
    }


async def chunks(
    head: dict[str, Any], deltas: AsyncGenerator[Delta, None], *, usage: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """The answer as `chat.completion.chunk`s; tool calls come whole, each in one chunk."""

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        made = {**head, "object": "chat.completion.chunk", "choices": [choice]}
        return {**made, "usage": None} if usage else made

    opened, called = False, 0
    async with aclosing(deltas):
        async for delta in deltas:
            if not opened:
                opened = True
                yield chunk({"role": "assistant", "content": ""})
            match delta:
                case TextDelta():
                    yield chunk({"content": delta.text})
                case ToolCall():
                    yield chunk({"tool_calls": [{"index": called, **_call(delta)}]})
                    called += 1
                case Finished():
                    yield chunk({}, delta.reason)
                    if usage:
                        last = {**head, "object": "chat.completion.chunk", "choices": []}
                        yield {**last, "usage": _usage(delta)}


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _usage(end: Finished) -> dict[str, int]:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": end.prompt_tokens + end.completion_tokens,
    }
