"""Sessions that outlive their sockets: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.scripted.script import Script
from tests.test_gateway import Running, ask_in_text, receive, running, settled
from voice.keys import Keys
from voice.line import Gone, Line, wanted
from voice.protocol import frames

WORDS = " ".join(f"word{number}" for number in range(400))


class Guest:
    """A client of `vivavoce.v1` that counts, and comes back."""

    def __init__(self, server: Running, **options: Any) -> None:
        self.server = server
        self.options = options
        self.got: list[str | bytes] = []
        self.token = ""
        self.socket: ClientConnection

    async def connect(self, *, got: int | None = None, token: str | None = None) -> dict[str, Any]:
        """Connect and return the greeting."""
        offered = [frames.SUBPROTOCOL]
        if token or self.token:
            seen = len(self.got) if got is None else got
            offered.append(f"vivavoce.resume.{token or self.token}.{seen}")
        self.socket = await self.server.connect(subprotocols=offered, **self.options)
        greeting: dict[str, Any] = json.loads(await self.socket.recv())
        if greeting["type"] == "session.created":
            self.got = [json.dumps(greeting)]
            self.token = greeting["resume"]["token"]
        return greeting

    async def read(self, count: int = 1) -> None:
        async with asyncio.timeout(20):
            for _ in range(count):
                self.got.append(await self.socket.recv())

    async def read_until(self, kind: str) -> None:
        while kind not in self.types:
            await self.read()

    @property
    def types(self) -> list[str]:
        return [e["type"] for e in self.events]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.got if isinstance(each, str)]

    def drop(self) -> None:
        """The connection breaks; neither side says goodbye."""
        self.socket.transport.abort()


def said(guest: Guest) -> str:
    deltas = (e for e in guest.events if e["type"] == "response.output_audio_transcript.delta")
    return "".join(e["delta"] for e in deltas)


def sound(guest: Guest) -> int:
    return sum(len(each) - 8 for each in guest.got if isinstance(each, bytes))


async def test_a_reply_arrives_whole_over_a_line_that_breaks_again_and_again() -> None:
    script = Script().answers(WORDS)
    async with running(script, tts={"lead_seconds": 3600}) as server:
        guest = Guest(server)
        await guest.connect()
        await ask_in_text(guest.socket)
        for count in (1, 0, 3, 7, 20, 50):
            await guest.read(count)
            guest.drop()
            greeting = await guest.connect()
            assert (greeting["type"], greeting["received"]) == ("session.resumed", 2)
        await guest.read_until("response.done")
        assert said(guest) == WORDS
        ids = [event["event_id"] for event in guest.events]
        assert len(ids) == len(set(ids)), "something came twice"
        words = [e for e in guest.events if e["type"] == "response.output_audio.words"]
        last = max(word["end_ms"] for event in words for word in event["words"])
        assert sound(guest) / 48 >= last


async def test_what_the_client_sent_is_counted_so_that_it_can_send_the_rest() -> None:
    async with running() as server:
        guest = Guest(server)
        await guest.connect()
        for _ in range(5):
            await guest.socket.send(json.dumps({"type": "session.update", "session": {}}))
        await guest.read(5)
        guest.drop()
        assert (await guest.connect())["received"] == 5
        await ask_in_text(guest.socket)
        await guest.read_until("response.done")
        assert guest.types.count("session.updated") == 5


async def test_a_socket_that_only_seems_alive_is_taken_over() -> None:
    async with running() as server:
        guest = Guest(server)
        await guest.connect()
        old = guest.socket
        assert (await guest.connect())["type"] == "session.resumed"
        with pytest.raises(ConnectionClosed):
            await old.recv()
        await ask_in_text(guest.socket)
        await guest.read_until("response.done")
        assert len(server.service.gateway.sessions) == 1


async def test_who_says_goodbye_is_gone() -> None:
    async with running() as server:
        for code in (1000, 1001):
            guest = Guest(server)
            await guest.connect()
            await guest.socket.close(code)
            await settled(server)
            assert (await guest.connect())["type"] == "session.created"
            await guest.socket.close()


async def test_a_session_waits_for_so_long_and_no_longer() -> None:
    async with running(resume={"seconds": 0.3}) as server:
        guest = Guest(server)
        greeting = await guest.connect()
        assert greeting["resume"]["seconds"] == 0.3
        guest.drop()
        await settled(server)
        assert (await guest.connect())["type"] == "session.created"
    async with running(resume={"seconds": 0}) as server, server.connect() as client:
        assert "resume" not in await receive(client, "session.created")


@pytest.mark.parametrize("got", [0, 500])
async def test_more_than_was_sent_or_less_than_is_kept_begins_anew(got: int) -> None:
    script = Script().answers(WORDS)
    async with running(script, resume={"replay_bytes": 4096}) as server:
        guest = Guest(server)
        await guest.connect()
        await ask_in_text(guest.socket)
        await guest.read(40)
        guest.drop()
        assert (await guest.connect(got=got))["type"] == "session.created"


async def test_a_line_is_nobody_elses(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    mine, theirs = (keys.create(name, ["realtime"])[1] for name in ("mine", "theirs"))

    def showing(key: str) -> dict[str, Any]:
        return {"additional_headers": {"Authorization": f"Bearer {key}"}}

    async with running(data_dir=tmp_path) as server:
        guest, thief = Guest(server, **showing(mine)), Guest(server, **showing(theirs))
        await guest.connect()
        guest.drop()
        assert (await thief.connect(token=guest.token))["type"] == "session.created"
        assert (await guest.connect(token="guessed"))["type"] == "session.created"


async def test_who_is_here_goes_before_who_may_come_back() -> None:
    async with running(limits={"sessions": 1}) as server:
        first, second = Guest(server), Guest(server)
        await first.connect()
        first.drop()
        async with asyncio.timeout(5):
            while all(line.parked_at is None for line in server.service.gateway._lines.values()):
                await asyncio.sleep(0.01)
        assert (await second.connect())["type"] == "session.created"
        assert (await first.connect())["type"] == "error"


@pytest.mark.parametrize(
    "offered",
    [
        [],
        ["vivavoce.v1"],
        ["vivavoce.resume."],
        ["vivavoce.resume.abc"],
        ["vivavoce.resume.abc."],
        ["vivavoce.resume..7"],
        ["vivavoce.resume.abc.-1"],
        ["vivavoce.resume.abc.²"],
        ["vivavoce.resume.abc." + "9" * 13],
    ],
)
def test_what_is_no_request_to_resume(offered: list[str]) -> None:
    assert wanted(offered) is None


class Wire:
    """A socket whose other end is a list; it breaks after `good` messages."""

    def __init__(self, good: int, brings: list[dict[str, Any]] | None = None) -> None:
        self.scope: dict[str, Any] = {}
        self.good = good
        self.taken: list[str] = []
        self.brings = brings or []

    async def send_text(self, data: str) -> None:
        await asyncio.sleep(0)
        if len(self.taken) == self.good:
            raise WebSocketDisconnect(1006)
        self.taken.append(data)

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if not self.brings:
            await asyncio.Event().wait()
        return self.brings.pop(0)


async def test_each_message_arrives_once_wherever_the_sockets_break() -> None:
    for breaks in range(6):
        first, second = Wire(breaks), Wire(100)
        line = Line(first, grace=5, keep=10_000, patience=1)  # type: ignore[arg-type]
        pump = asyncio.create_task(line.pump())
        sending = asyncio.create_task(_send_all(line, [str(n) for n in range(6)]))
        while line.parked_at is None and not sending.done():
            await asyncio.sleep(0)
        # Of what the first has taken the client may have missed the last.
        received = max(0, len(first.taken) - 1)
        line.take(second, received)  # type: ignore[arg-type]
        await sending
        while len(second.taken) < 6 - received:
            await asyncio.sleep(0)
        assert first.taken[:received] + second.taken == [str(n) for n in range(6)]
        pump.cancel()


async def test_nothing_is_taken_from_a_socket_that_was_left() -> None:
    message = {"type": "websocket.receive", "text": "hello"}
    first, second = Wire(9, [message, message]), Wire(9, [message])
    line = Line(first, grace=5, keep=100, patience=1)  # type: ignore[arg-type]
    await line.receive()
    reading = asyncio.create_task(line.receive())
    await asyncio.sleep(0)
    line.take(second, 0)  # type: ignore[arg-type]
    assert await reading == message
    assert (line.received, len(second.brings)) == (2, 0)


async def test_a_line_that_is_over_keeps_nobody_waiting() -> None:
    line = Line(Wire(0), grace=60, keep=100, patience=1)  # type: ignore[arg-type]
    line.park()
    reading = asyncio.create_task(line.receive())
    await asyncio.sleep(0)
    line.end()
    with pytest.raises(Gone):
        await reading


async def _send_all(line: Line, messages: list[str]) -> None:
    for message in messages:
        await line.send(message)
