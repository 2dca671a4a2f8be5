"""A real provider over a real connection, with faults: what the user sees and what is stored."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chat.answerers import answerers_of
from chat.providers.config import parse_providers
from chat.providers.pool import load_pool
from tests.chat.api.desk import desk
from tests.provider_stub import Exchange, Stub, answer, listening, served
from tests.providers.conftest import quick
from tests.providers.servers import KEY, SHAPES, Shape, answering, entry, pooled, refusing
from tests.providers.test_faults import FAULTS, patience

__all__ = ["quick"]


async def _stalls(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.text("Half")
    await exchange.hang()


@pytest.mark.parametrize(
    "shape",
    [
        SHAPES["llama-server"],
        *(pytest.param(SHAPES[name], marks=pytest.mark.slow) for name in ("ollama", "anthropic")),
    ],
    ids=lambda shape: shape.name,
)
async def test_of_every_fault_what_is_seen_is_what_is_stored(
    tmp_path: Path, shape: Shape, quick: None
) -> None:
    """On real connections, through the API, in a real storage: all faults of one kind of server."""
    refused = ("401", lambda s: refusing(s, "401 No"), 1, "", "llm_refused", "")
    none = ("none", answering, 1, "Hello there.", "", "")
    rows = [*FAULTS, refused, none]
    async with AsyncExitStack() as stack:
        stubs = [await stack.enter_async_context(listening(row[1](shape))) for row in rows]
        entries = [
            entry(f"p{at}", shape, address, "retries = 2", patience=patience(row[4]))
            for at, (row, (address, _)) in enumerate(zip(rows, stubs, strict=True))
        ]
        pool = await stack.enter_async_context(pooled("".join(entries)))
        api = await stack.enter_async_context(
            desk(tmp_path, find=lambda storage: answerers_of(pool, storage))
        )

        async def check(at: int) -> None:
            fault, _, requests, text, code, message = rows[at]
            conversation = (await api.new())["id"]
            said = await api.say(conversation, "Hello", model=f"p{at}")
            kind, last = said["events"][-1]
            assert kind == ("message.failed" if code else "message.done"), fault
            assert last.get("code", "") == code, fault
            assert message in last.get("message", ""), fault
            assert KEY not in str(said)
            assert "10.0.0.7" not in str(said)
            place = f"/conversations/{conversation}/messages/{last['answer']['id']}"
            stored = (await api.client.get(place)).json()
            status = "failed" if code else "complete"
            assert (stored["status"], stored["text"]) == (status, text), fault
            assert (stored["error"] or "") == code, fault
            assert stored == last["answer"], fault
            assert len(stubs[at][1].exchanges) == requests, fault
            heard = "".join(data["text"] for kind, data in said["events"] if "delta" in kind)
            assert heard == text, fault

        # One after the other: where a stall is to end soon, nothing else may be slow.
        for at in range(len(rows)):
            await check(at)


async def test_stopping_ends_the_request_at_the_provider(tmp_path: Path) -> None:
    async with served(_stalls) as (provider, stub), desk(tmp_path) as api:
        api.llm.respond = provider.respond
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
