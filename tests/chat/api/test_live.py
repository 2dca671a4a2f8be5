"""Live updates: the hub by itself, and a page that listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from starlette.requests import Request

from chat.api import Limits
from chat.api.live import Hub
from chat.api.sse import Event, beating, lines
from chat.errors import ChatError
from tests.chat.api.desk import OTHER, Desk, desk


async def test_who_follows_gets_all_in_order() -> None:
    hub = Hub(kept=4)
    async with aclosing(hub.follow("a")) as events:
        assert (await anext(events)).kind == "hello"
        hub.publish("a", "x", {"n": 1})
        hub.publish("b", "x", {"n": 9})
        hub.publish("a", "y", {"n": 2})
        assert [(await anext(events)).data for _ in range(2)] == [b'{"n":1}', b'{"n":2}']
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        hub.publish("a", "z", {})
        assert (await waiting).kind == "z"
        assert hub.readers("a") == 1
    assert hub.readers("a") == 0


async def test_who_comes_back_gets_what_was_missed() -> None:
    hub = Hub(kept=4)
    async with aclosing(hub.follow("a")) as events:
        here = (await anext(events)).id
    for number in range(4):
        hub.publish("a", "x", number)
    async with aclosing(hub.follow("a", here)) as events:
        seen = [await anext(events) for _ in range(5)]
    assert [event.kind for event in seen] == ["hello", "x", "x", "x", "x"]
    async with aclosing(hub.follow("a", seen[2].id)) as events:
        assert [(await anext(events)).data for _ in range(3)][1:] == [b"2", b"3"]


@pytest.mark.parametrize("last", ["", "x", "0-1", "now-1", "{epoch}-99", "{epoch}-x", "{epoch}-0"])
async def test_who_was_away_too_long_loads_anew(last: str) -> None:
    hub = Hub(kept=2)
    async with aclosing(hub.follow("a")) as events:
        epoch = (await anext(events)).id.split("-")[0]
    for number in range(5):
        hub.publish("a", "x", number)
    async with aclosing(hub.follow("a", last.format(epoch=epoch))) as events:
        assert [(await anext(events)).kind for _ in range(2)] == ["hello", "reset"]
        hub.publish("a", "y", 0)
        assert (await anext(events)).kind == "y"


async def test_who_is_too_slow_loads_anew_and_goes_on() -> None:
    hub = Hub(kept=2)
    async with aclosing(hub.follow("a")) as events:
        await anext(events)
        for number in range(5):
            hub.publish("a", "x", number)
        assert (await anext(events)).kind == "reset"
        hub.publish("a", "y", 5)
        assert (await anext(events)).kind == "y"


async def test_so_many_pages_and_so_many_owners() -> None:
    hub = Hub(readers=1, owners=2)
    async with aclosing(hub.follow("a")) as events:
        await anext(events)
        with pytest.raises(ChatError) as caught:
            hub.follow("a")
        assert caught.value.code == "too_many_streams"
        for owner in "bcd":
            hub.publish(owner, "x", {})
        hub.publish("a", "x", {})
        assert (await anext(events)).kind == "x"  # who is followed is kept
    assert hub.readers("b") == 0


async def test_a_quiet_stream_is_kept_alive() -> None:
    async def quiet() -> AsyncGenerator[Event | None, None]:
        yield Event("a", {"b": "c\n"}, "1")
        for _ in range(6):
            await asyncio.sleep(0.01)
            yield None

    pieces = [piece async for piece in beating(quiet(), 0.01, lambda: True)]
    assert pieces[0].startswith(b"retry: ")
    assert pieces[1] == b'id: 1\nevent: a\ndata: {"b":"c\\n"}\n\n'
    assert pieces[2:] == [b": \n\n"] * len(pieces[2:])
    assert len(pieces) > 3
    assert lines(Event("a", {})) == b"event: a\ndata: {}\n\n"


async def test_closing_a_stream_closes_its_source() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncGenerator[Event | None, None]:
        try:
            while True:
                await asyncio.sleep(0.01)
                yield None
        finally:
            closed.set()

    async with aclosing(beating(source(), 0.01, lambda: True)) as pieces:
        await anext(pieces)
        await anext(pieces)
    assert closed.is_set()


async def test_every_open_page_of_an_owner_sees_what_changes(api: Desk) -> None:
    async with (
        api.reading("GET", "/events") as one,
        api.reading("GET", "/events") as two,
        api.reading("GET", "/events", headers=OTHER) as boris,
    ):
        for page in (one, two, boris):
            assert (await anext(page))[0] == "hello"
        made = await api.new(title="A")
        place = f"/conversations/{made['id']}"
        await api.client.patch(place, json={"pinned": True}, headers={"if-match": "*"})
        said = await api.say(made["id"])
        await api.settle()
        await api.client.delete(place)
        await api.client.post(f"{place}/restore")
        await api.client.post(f"{place}/purge")
        await api.client.put("/settings", json={"theme": "dark"}, headers={"if-match": "*"})
        await api.new(OTHER, title="B")
        wanted = [
            "conversation.created",
            "conversation.updated",
            "message.created",
            "message.created",
            "message.delta",
            "message.done",
            "conversation.updated",
            "conversation.deleted",
            "conversation.restored",
            "conversation.purged",
            "settings.updated",
        ]
        for page in (one, two):
            seen = [await anext(page) for _ in wanted]
            assert [kind for kind, _ in seen] == wanted
            assert seen[0][1] == made
            assert seen[5][1]["answer"] == said["answer"]
        kind, theirs = await anext(boris)
        assert (kind, theirs["title"]) == ("conversation.created", "B")


async def test_a_page_that_was_away_gets_what_it_missed(api: Desk) -> None:
    async with api.client.stream("GET", "/events") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                last = line[4:]
                break
    await api.new(title="Meanwhile")
    async with api.reading("GET", "/events", headers={"last-event-id": last}) as events:
        assert (await anext(events))[0] == "hello"
        kind, seen = await anext(events)
    assert (kind, seen["title"]) == ("conversation.created", "Meanwhile")


async def test_who_left_is_not_counted_and_who_is_too_many_is_told(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(heartbeat_seconds=0.02)) as api:
        for _ in range(6):  # four at a time
            async with api.reading("GET", "/events") as events:
                await anext(events)
            while api.core.live.readers("anna"):
                await asyncio.sleep(0.005)
        async with (
            api.reading("GET", "/events"),
            api.reading("GET", "/events"),
            api.reading("GET", "/events"),
            api.reading("GET", "/events"),
        ):
            while api.core.live.readers("anna") < 4:
                await asyncio.sleep(0.005)
            refused = await api.client.get("/events")
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")


async def test_streams_end_when_the_key_behind_them_is_revoked(tmp_path: Path) -> None:
    good = {"anna": True, "boris": True}
    limits = Limits(heartbeat_seconds=0.02)

    def stands(request: Request) -> bool:
        return good[request.headers["x-owner"]]

    async with desk(tmp_path, limits=limits, stands=stands) as api:
        api.llm.words = ["Half", None]
        made = await api.new()
        path = f"/conversations/{made['id']}/messages"
        async with (
            api.reading("GET", "/events") as live,
            api.reading("POST", path, {"text": "Hi"}) as answer,
            api.reading("GET", "/events", headers=OTHER) as boris,
        ):
            assert (await anext(boris))[0] == "hello"
            good["anna"] = False
            for stream in (live, answer):
                kinds = [kind async for kind, _ in stream]  # it ends
                assert "message.done" not in kinds
            api.core.live.publish("boris", "settings.updated", {})
            assert (await anext(boris))[0] == "settings.updated"
