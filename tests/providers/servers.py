"""What servers of several shapes say: OpenAI's and llama-server's, Ollama's, Anthropic's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat.providers import Llm
from chat.providers.config import parse_providers
from chat.providers.pool import Pool, load_pool
from tests.provider_stub import Act, Exchange

KEY = "sk-very-secret"


@dataclass(frozen=True)
class Shape:
    """How servers of one kind write; `say` writes some text, `end` all that follows the last."""

    name: str
    kind: str
    path: str
    begin: Callable[[Exchange], Awaitable[None]]
    say: Callable[[Exchange, str], Awaitable[None]]
    end: Callable[[Exchange], Awaitable[None]]
    malformed: str
    explain: Callable[[str], dict[str, Any]]


async def named(exchange: Exchange, data: dict[str, Any]) -> None:
    """An event of Anthropic's."""
    await exchange.raw(f"event: {data['type']}\ndata: {json.dumps(data)}\n\n")


async def close_body(exchange: Exchange) -> None:
    await exchange.send("0\r\n\r\n")
    exchange.keep = True


async def _openai_begin(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.event(
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]}
    )


async def _openai_say(exchange: Exchange, text: str) -> None:
    await exchange.text(text)


async def _openai_end(exchange: Exchange) -> None:
    await exchange.reason("stop")
    await exchange.event({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}})
    await exchange.done()


def _ollama_chunk(text: str, reason: str | None = None) -> dict[str, Any]:
    # Every chunk has the role, and a fingerprint of its own; see ollama/openai/openai.go.
    delta = {"role": "assistant", "content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "system_fingerprint": "fp_ollama",
        "choices": [choice],
    }


async def _ollama_begin(exchange: Exchange) -> None:
    await exchange.head()


async def _ollama_say(exchange: Exchange, text: str) -> None:
    await exchange.event(_ollama_chunk(text))


async def _ollama_end(exchange: Exchange) -> None:
    await exchange.event(_ollama_chunk("", "stop"))
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    await exchange.event({"object": "chat.completion.chunk", "choices": [], "usage": usage})
    await exchange.done()


async def _anthropic_begin(exchange: Exchange) -> None:
    await exchange.head()
    usage = {"input_tokens": 40, "cache_read_input_tokens": 60, "output_tokens": 1}
    await named(exchange, {"type": "message_start", "message": {"id": "msg_1", "usage": usage}})
    await named(exchange, {"type": "ping"})


async def _anthropic_say(exchange: Exchange, text: str) -> None:
    delta = {"type": "text_delta", "text": text}
    await named(exchange, {"type": "content_block_delta", "index": 0, "delta": delta})


async def _anthropic_end(exchange: Exchange, reason: str = "end_turn") -> None:
    await named(exchange, {"type": "content_block_stop", "index": 0})
    delta = {"stop_reason": reason, "stop_sequence": None}
    await named(exchange, {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 10}})
    await named(exchange, {"type": "message_stop"})
    await close_body(exchange)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            "llama-server",
            "openai-compatible",
            "/v1",
            _openai_begin,
            _openai_say,
            _openai_end,
            'data: {"choices": [{"delta": \n\n',
            lambda said: {"error": {"code": 500, "message": said, "type": "server_error"}},
        ),
        Shape(
            "ollama",
            "openai-compatible",
            "/v1",
            _ollama_begin,
            _ollama_say,
            _ollama_end,
            "data: <html>\n\n",
            lambda said: {"error": {"message": said, "type": "api_error", "code": None}},
        ),
        Shape(
            "anthropic",
            "anthropic",
            "",
            _anthropic_begin,
            _anthropic_say,
            _anthropic_end,
            'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": 5}\n\n',
            lambda said: {"type": "error", "error": {"type": "api_error", "message": said}},
        ),
    )
}


def answering(shape: Shape, *texts: str) -> Act:
    """An act that gives a whole reply."""

    async def act(exchange: Exchange) -> None:
        await shape.begin(exchange)
        for text in texts or ("Hello", " there."):
            await shape.say(exchange, text)
        await shape.end(exchange)

    return act


def refusing(shape: Shape, status: str, *headers: str) -> Act:
    """An act that refuses, telling the key and an address as careless servers do."""

    async def act(exchange: Exchange) -> None:
        await exchange.head(status, "application/json", *headers)
        await exchange.raw(json.dumps(shape.explain(f"{KEY} at 10.0.0.7")))
        await close_body(exchange)

    return act


@asynccontextmanager
async def pooled(toml: str) -> AsyncIterator[Pool]:
    """The pool of that providers file; KEY is in the environment."""
    pool = load_pool(parse_providers(toml), weights=Path("unused"), environment={"KEY": KEY})
    try:
        yield pool
    finally:
        await pool.close()


def entry(name: str, shape: Shape, address: str, more: str = "", *, patience: float = 20.0) -> str:
    """The table of one provider in a providers file; `patience` in seconds."""
    return f"""
[providers.{name}]
kind = "{shape.kind}"
base_url = "{address}{shape.path}"
model = "{name}-model"
key_env = "KEY"
timeouts = {{first_token = {patience}, between_tokens = {patience}}}
price = {{input = 3, output = 15.5}}
{more}
"""


@asynccontextmanager
async def chained(toml: str) -> AsyncIterator[Llm]:
    """The first chain of that providers file."""
    async with pooled(toml) as pool:
        yield pool.llm()
