"""A real provider over a real connection, with faults: what the user sees and what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat.answerers import answerers_of
from chat.providers.config import parse_providers
from chat.providers.pool import load_pool
from tests.chat.api.desk import desk
from tests.provider_stub import Act, Exchange, Stub, answer, refusing, served


async def _breaks_off(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.text("Half")


async def _malformed(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.text("Half")
    await exchange.raw("data: {nonsense\n\n")
    await exchange.hang()


async def _stalls(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.text("Half")
    await exchange.hang()


async def _silent(exchange: Exchange) -> None:
    await exchange.hang()


@pytest.mark.parametrize(
    ("act", "status", "text", "code"),
    [
        (answer, "complete", "Hi there.", None),
        (_breaks_off, "failed", "Half", "llm_dropped"),
        (_malformed, "failed", "Half", "llm_failed"),
        (_stalls, "failed", "Half", "llm_timeout"),
        (_silent, "failed", "", "llm_timeout"),
        (refusing("401 Unauthorized", "bad key sk-very-secret"), "failed", "", "llm_refused"),
    ],
)
async def test_what_is_seen_is_what_is_stored(
    tmp_path: Path, act: Act, status: str, text: str, code: str | None
) -> None:
    timeouts = {"first_token_timeout": 0.3, "between_tokens_timeout": 0.3}
    async with served(act, **timeouts) as (provider, stub), desk(tmp_path) as api:
        speak: Callable[..., Any] = provider.respond
        api.llm.respond = speak  # type: ignore[method-assign]
        conversation = (await api.new())["id"]
        said = await api.say(conversation, "Hello")
        kind, last = said["events"][-1]
        assert kind == ("message.failed" if code else "message.done")
        assert last.get("code") == code
        assert "secret" not in str(last)
        assert "127.0.0.1" not in str(last)
        place = f"/conversations/{conversation}/messages/{last['answer']['id']}"
        stored = (await api.client.get(place)).json()
        assert (stored["status"], stored["text"], stored["error"]) == (status, text, code)
        assert stored == last["answer"]
        assert stub.exchanges[0].body["messages"][-1] == {"role": "user", "content": "Hello"}


async def test_stopping_ends_the_request_at_the_provider(tmp_path: Path) -> None:
    async with served(_stalls) as (provider, stub), desk(tmp_path) as api:
        api.llm.respond = provider.respond  # type: ignore[method-assign]
        conversation = (await api.new())["id"]
        send = f"/conversations/{conversation}/messages"
        async with api.reading("POST", send, {"text": "Hello"}) as events:
            written = (await anext(events))[1]["answer"]
            while written["text"] != "Half":
                written["text"] += (await anext(events))[1]["text"]
            stopped = await api.client.post(f"{send}/{written['id']}/stop")
            assert (stopped.json()["status"], stopped.json()["text"]) == ("interrupted", "Half")
        async with asyncio.timeout(10):
            await stub.exchanges[0].gone.wait()


FILE = """
default = "stub"

[providers.stub]
kind = "openai-compatible"
model = "m"
base_url = "{url}"
tier = "free"
retries = 0

[caps]
tokens_per_day = 15
"""


async def test_the_owners_choice_is_asked_counted_and_capped(tmp_path: Path) -> None:
    stub = Stub(answer)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        file = parse_providers(FILE.format(url=f"http://127.0.0.1:{port}/v1"))
        pool = load_pool(file, weights=Path("unused"))
        try:
            async with desk(tmp_path, find=lambda storage: answerers_of(pool, storage)) as api:
                wish = {"model": "gone", "prompt": "Be brief."}
                await api.client.put("/settings", json=wish, headers={"if-match": "*"})
                conversation = (await api.new())["id"]
                said = await api.say(conversation)
                assert (said["answer"]["text"], said["answer"]["model"]) == ("Hi there.", "stub")
                system = stub.exchanges[0].body["messages"][0]
                assert system == {"role": "system", "content": "Be brief."}
                used = (await api.client.get("/usage")).json()["models"]
                assert [(u["model"], u["prompt_tokens"]) for u in used] == [("stub", 7)]
                unknown = await api.client.post(
                    f"/conversations/{conversation}/messages", json={"text": "x", "model": "gone"}
                )
                assert (unknown.status_code, unknown.json()["code"]) == (422, "llm_unknown")
                await api.say(conversation)
                capped = await api.say(conversation)
                assert capped["events"][-1][1]["code"] == "usage_exceeded"
                assert len(stub.exchanges) == 2
        finally:
            await pool.close()
