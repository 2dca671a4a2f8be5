"""A real HTTP server in the OpenAI shape that does exactly what a test tells it, faults too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chat.errors import ChatError
from chat.providers import (
    ChatOptions,
    Delta,
    Llm,
    Message,
    ProviderOptions,
    TextDelta,
    load_provider,
)

KEY = "sk-very-secret"
HELLO = [Message("user", "Hello")]


class Exchange:
    """One request as the server sees it, and what it may do with the connection."""

    def __init__(
        self, request: str, body: dict[str, Any], headers: str, writer: asyncio.StreamWriter
    ) -> None:
        self.request = request
        self.body = body
        self.headers = headers
        self.writer = writer
        self.gone = asyncio.Event()
        self.keep = False

    async def send(self, data: str) -> None:
        self.writer.write(data.encode())
        await self.writer.drain()

    async def head(
        self, status: str = "200 OK", kind: str = "text/event-stream", *more: str
    ) -> None:
        lines = [f"Content-Type: {kind}", "Transfer-Encoding: chunked", *more]
        await self.send("\r\n".join([f"HTTP/1.1 {status}", *lines, "\r\n"]))

    async def raw(self, data: str) -> None:
        await self.send(f"{len(data.encode()):x}\r\n{data}\r\n")

    async def event(self, chunk: dict[str, Any]) -> None:
        await self.raw(f"data: {json.dumps(chunk)}\n\n")

    async def text(self, text: str) -> None:
        await self.event({"choices": [{"index": 0, "delta": {"content": text}}]})

    async def reason(self, reason: str) -> None:
        await self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})

    async def done(self) -> None:
        await self.raw("data: [DONE]\n\n")
        await self.send("0\r\n\r\n")
        self.keep = True

    async def refuse(self, status: str, message: str = "no", *more: str) -> None:
        await self.head(status, "application/json", *more)
        await self.raw(json.dumps({"error": {"message": message}}))
        await self.send("0\r\n\r\n")
        self.keep = True

    async def hang(self) -> None:
        await self.gone.wait()


Act = Callable[[Exchange], Awaitable[None]]


class Stub:
    """Performs one act for each request, the last one again and again."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.exchanges: list[Exchange] = []
        self.connections = 0
        self.tasks: list[asyncio.Task[None] | None] = []
        self.seen = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.append(asyncio.current_task())
        try:
            keep = True
            while keep:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = [
                    line for line in head.lower().split("\r\n") if line.startswith("content-length")
                ]
                body = await reader.readexactly(int(length[0].split(":")[1])) if length else b"{}"
                exchange = Exchange(head.split("\r\n")[0], json.loads(body), head, writer)
                self.exchanges.append(exchange)
                self.seen.set()
                act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
                watching = asyncio.create_task(self.watch(reader, exchange))
                try:
                    await act(exchange)
                finally:
                    watching.cancel()
                keep = exchange.keep
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def watch(self, reader: asyncio.StreamReader, exchange: Exchange) -> None:
        while not reader.at_eof() and reader.exception() is None:  # without taking a next request
            await asyncio.sleep(0.005)
        exchange.gone.set()


@asynccontextmanager
async def listening(*acts: Act) -> AsyncIterator[tuple[str, Stub]]:
    """A server and its address; whoever connects must hang up before this ends."""
    stub = Stub(*acts)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", stub
    finally:
        server.close()
        await asyncio.gather(*filter(None, stub.tasks))
        await server.wait_closed()


@asynccontextmanager
async def served(
    *acts: Act, model: str = "m", kind: str = "openai-compatible", **options: Any
) -> AsyncIterator[tuple[Llm, Stub]]:
    async with listening(*acts) as (address, stub):
        base_url = f"{address}/v1/" if kind == "openai-compatible" else address
        provider = load_provider(
            kind,
            ProviderOptions(Path("unused"), model=model, base_url=base_url, api_key=KEY, **options),
        )
        try:
            yield provider, stub
        finally:
            await provider.close()


async def collect(
    provider: Llm,
    messages: list[Message] = HELLO,
    options: ChatOptions = ChatOptions(),  # noqa: B008  frozen
) -> list[Delta]:
    return [delta async for delta in provider.respond(messages, options)]


async def failure(provider: Llm) -> tuple[str, ChatError]:
    """The text that came, and the error after it."""
    text = ""
    with pytest.raises(ChatError) as caught:
        async for delta in provider.respond(HELLO, ChatOptions()):
            assert isinstance(delta, TextDelta)
            text += delta.text
    assert KEY not in caught.value.message
    assert "127.0.0.1" not in caught.value.message
    return text, caught.value


async def answer(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    await exchange.text("Hi")
    await exchange.text(" there.")
    await exchange.reason("stop")
    await exchange.event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    await exchange.done()


def refusing(status: str, message: str = "no") -> Act:
    return lambda exchange: exchange.refuse(status, message)


def call_piece(index: int | None, **piece: Any) -> dict[str, Any]:
    known = {} if index is None else {"index": index}
    call_id = {"id": piece.pop("id")} if "id" in piece else {}
    return {"choices": [{"delta": {"tool_calls": [{**known, **call_id, "function": piece}]}}]}
