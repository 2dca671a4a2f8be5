"""Many clients at once on a real server: reads, writes and streamed answers, and nothing lost.

    python -m bench.chat_load --clients 200 --minutes 5

Every client holds a stream of live updates open and does one thing after the other, with a pause
(exponential, `--think` seconds on average) between: 60 % reads (list, conversation, messages,
search), 20 % writes (create, rename), 20 % questions whose answers are read to their end. In the
end all that was acknowledged is looked up. Printed are errors, what was lost, and percentiles of
each kind's time from request to last byte.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.serving import ROOT, free_port

Clock = time.perf_counter

IDLE_SECONDS = 4.0
"""A connection idle for longer is not used again: uvicorn closes it after five."""


@dataclass
class Seen:
    """What the clients saw."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[tuple[str, str], dict[str, str]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """(owner, conversation) -> message id -> text"""
    titles: dict[tuple[str, str], str] = field(default_factory=dict)
    events: int = 0


class Connection:
    """HTTP/1.1 by hand, kept alive: a client library would take more time than the server."""

    def __init__(self, port: int, owner: str) -> None:
        self._port, self._owner = port, owner
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes]:
        """Status and whole body."""
        reader, writer = await self._open()
        sent = b"" if body is None else json.dumps(body).encode()
        extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = (
            f"{method} /api/v1{path} HTTP/1.1\r\nhost: x\r\nx-owner: {self._owner}\r\n{extra}"
            f"content-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
        )
        writer.write(head.encode() + sent)
        status, length = await self._head(reader)
        if length is not None:
            return status, await reader.readexactly(length)
        parts = []
        while piece := await self._chunk(reader):
            parts.append(piece)
        self._used = Clock()
        return status, b"".join(parts)

    async def listen(self, path: str, seen: Seen) -> None:
        """Read a stream of events for ever."""
        reader, writer = await self._open()
        head = f"GET /api/v1{path} HTTP/1.1\r\nhost: x\r\nx-owner: {self._owner}\r\n\r\n"
        writer.write(head.encode())
        status, _ = await self._head(reader)
        if status != 200:
            seen.errors[f"events {status}"] += 1
            return
        while piece := await self._chunk(reader):
            seen.events += piece.count(b"event: ")

    def close(self) -> None:
        """End it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if Clock() - self._used > IDLE_SECONDS:
            self.close()
        self._used = Clock()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)
        return self._streams

    async def _head(self, reader: asyncio.StreamReader) -> tuple[int, int | None]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        if status in (204, 304):
            return status, 0
        at = head.find("\r\ncontent-length:")
        return status, None if at < 0 else int(head[at + 17 :].split("\r\n", 1)[0])

    async def _chunk(self, reader: asyncio.StreamReader) -> bytes:
        size = int((await reader.readuntil(b"\r\n")).strip(), 16)
        return (await reader.readexactly(size + 2))[:-2]


class Client:
    """One person at a page."""

    def __init__(self, number: int, port: int, seen: Seen, owners: int) -> None:
        self.owner = f"owner{number % owners}"
        self.seen = seen
        self.http = Connection(port, self.owner)
        self.live = Connection(port, self.owner)
        self.random = random.Random(number)
        self.mine: list[str] = []

    async def run(self, until: float, think: float) -> None:
        """Do one thing after the other."""
        listening = asyncio.create_task(self.live.listen("/events", self.seen))
        await asyncio.sleep(self.random.random() * think)
        while Clock() < until:
            act = self.create if not self.mine else self._choose()
            try:
                await act()
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                self.seen.errors[f"{act.__name__} {type(error).__name__}"] += 1
                self.http.close()
            await asyncio.sleep(self.random.expovariate(1 / think))
        listening.cancel()
        await asyncio.wait((listening,))
        self.http.close()
        self.live.close()

    def _choose(self) -> Any:
        acts = {
            self.list: 15,
            self.open: 15,
            self.messages: 20,
            self.search: 10,
            self.create: 5,
            self.rename: 15,
            self.ask: 20,
        }
        return self.random.choices(list(acts), list(acts.values()))[0]

    async def _timed(self, kind: str, wanted: int, *request: Any, **headers: str) -> Any:
        began = Clock()
        status, body = await self.http.send(*request, **headers)
        self.seen.times[kind].append(Clock() - began)
        if status != wanted:
            self.seen.errors[f"{kind} {status} {body[:200]!r}"] += 1
            return None
        return body

    async def list(self) -> None:
        """A page of conversations."""
        await self._timed("read", 200, "GET", "/conversations")

    async def open(self) -> None:
        """One conversation."""
        await self._timed("read", 200, "GET", f"/conversations/{self.random.choice(self.mine)}")

    async def messages(self) -> None:
        """A page of messages."""
        one = self.random.choice(self.mine)
        await self._timed("read", 200, "GET", f"/conversations/{one}/messages")

    async def search(self) -> None:
        """A search for a word that is in every answer."""
        await self._timed("search", 200, "GET", f"/search?q=word{self.random.randrange(60)}")

    async def create(self) -> None:
        """A new conversation."""
        body = await self._timed("write", 201, "POST", "/conversations", {})
        if body is not None:
            self.mine.append(json.loads(body)["id"])

    async def rename(self) -> None:
        """Another title."""
        one, title = self.random.choice(self.mine), f"title {self.random.random()}"
        path = f"/conversations/{one}"
        done = await self._timed("write", 200, "PATCH", path, {"title": title}, if_match="*")
        if done is not None:
            self.seen.titles[self.owner, one] = title

    async def ask(self) -> None:
        """A question, and its answer to the end."""
        one = self.random.choice(self.mine)
        question = {"text": f"question {self.random.random()}"}
        body = await self._timed("stream", 201, "POST", f"/conversations/{one}/messages", question)
        if body is None:
            return
        kinds = {}
        for event in body.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in event.split("\n") if ": " in line)
            if "event" in lines:
                kinds[lines["event"]] = json.loads(lines["data"])
        kept = self.seen.acknowledged[self.owner, one]
        if "message.started" in kinds:
            asked = kinds["message.started"]["message"]
            kept[asked["id"]] = asked["text"]
        if "message.done" not in kinds:
            self.seen.errors["stream without an end"] += 1
        else:
            answer = kinds["message.done"]["answer"]
            kept[answer["id"]] = answer["text"]


async def count_lost(port: int, seen: Seen) -> int:
    """How many acknowledged messages and titles are not there, or not as they were told."""
    lost = 0
    for (owner, conversation), texts in seen.acknowledged.items():
        http = Connection(port, owner)
        stored: dict[str, str] = {}
        cursor = ""
        while True:
            path = f"/conversations/{conversation}/messages?limit=200{cursor}"
            page = json.loads((await http.send("GET", path))[1])
            stored |= {message["id"]: message["text"] for message in page["messages"]}
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"
        lost += sum(stored.get(id_) != text for id_, text in texts.items())
        title = seen.titles.get((owner, conversation))
        found = json.loads((await http.send("GET", f"/conversations/{conversation}"))[1])["title"]
        lost += title is not None and title != found
        http.close()
    return lost


def report(seen: Seen, lost: int) -> None:
    """Print it."""
    for kind, times in sorted(seen.times.items()):
        ordered = sorted(times)
        points = [ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.9, 0.99)]
        shown = "  ".join(f"{1000 * point:7.1f}" for point in points)
        print(f"{kind:8} {len(times):7}  p50/p90/p99 ms  {shown}  max {1000 * ordered[-1]:7.1f}")
    kept = sum(map(len, seen.acknowledged.values()))
    print(f"live events {seen.events}, messages acknowledged {kept}, lost {lost}")
    print(f"errors {sum(seen.errors.values())}")
    for error, count in seen.errors.most_common(10):
        print(f"  {count:5}  {error}")


async def load(port: int, clients: int, seconds: float, think: float, owners: int) -> int:
    """Run it; how many errors and losses there were."""
    seen = Seen()
    until = Clock() + seconds
    everyone = [Client(number, port, seen, owners) for number in range(clients)]
    await asyncio.gather(*(client.run(until, think) for client in everyone))
    lost = await count_lost(port, seen)
    report(seen, lost)
    return lost + sum(seen.errors.values())


def main() -> None:
    """Start a server, load it, and say what happened."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--owners", type=int, default=0, help="default: one for each client")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--think", type=float, default=2.0, help="seconds between two requests")
    parser.add_argument("--url", default="", help="a database other than a fresh SQLite file")
    parser.add_argument("--profile", default="", help="cProfile of the server into this file")
    given = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.chat_serving", str(port), folder]
        options = ["--url", given.url, "--profile", given.profile]
        server = subprocess.Popen([*command, *options], cwd=ROOT)
        try:
            wait(port, server)
            owners = given.owners or given.clients
            args = (port, given.clients, given.minutes * 60, given.think, owners)
            before = os.times()
            failed = asyncio.run(load(*args))
            after = os.times()
            print(
                f"processor seconds: server {used(server.pid):.1f}, "
                f"clients {after.user + after.system - before.user - before.system:.1f}"
            )
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
            database = Path(folder) / "vivavoce.db"
            if database.exists():
                print(f"database {database.stat().st_size / 2**20:.1f} MiB")
    sys.exit(failed > 0)


def used(pid: int) -> float:
    """The processor time a process has used, in seconds (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until it answers."""

    async def ask() -> int:
        return (await Connection(port, "x").send("GET", "/models"))[0]

    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError("the server did not start")
        try:
            if asyncio.run(ask()) == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server does not answer")


if __name__ == "__main__":
    main()
