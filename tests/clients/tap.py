"""A wire-tap: relays bytes between a client and the server untouched, and reads along.

With a TLS context it is also the `wss:` end that some clients insist on, as a reverse proxy would
be. What it heard is read afterwards as WebSocket messages (RFC 6455, section 5.2).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

TEXT, CONTINUATION, CLOSE = 1, 0, 8


@dataclass
class Message:
    """An event as it was on the wire, or the code of a close frame."""

    sender: Literal["client", "server"]
    event: dict[str, Any]
    close_code: int | None = None


@dataclass
class Tap:
    """Where to listen in, and what has been said, in order of arrival."""

    url: str
    """Without the path: `http://127.0.0.1:1234` or `https://localhost:1234`."""
    messages: list[Message] = field(default_factory=list)
    upgrades: list[str] = field(default_factory=list)
    """The head of each HTTP request."""

    def sent(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The client's events, or those of one type."""
        return self._of("client", kind)

    def received(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The server's events, or those of one type."""
        return self._of("server", kind)

    def close_codes(self) -> dict[str, int]:
        """Who sent which close code."""
        return {m.sender: m.close_code for m in self.messages if m.close_code is not None}

    def place(self, sender: str, kind: str) -> int:
        """Where the first event of this type is among all messages."""
        return next(
            number
            for number, message in enumerate(self.messages)
            if message.sender == sender and message.event.get("type") == kind
        )

    def _of(self, sender: str, kind: str | None) -> list[dict[str, Any]]:
        events = [m.event for m in self.messages if m.sender == sender and m.close_code is None]
        return [event for event in events if kind in (None, event["type"])]


@asynccontextmanager
async def tapped(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Tap]:
    """Listen on a port of one's own and relay to the server on `port` of this machine."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_relay(reader, server_writer, _Reading(tap, "client")))
                group.create_task(_relay(server_reader, writer, _Reading(tap, "server")))
        finally:
            server_writer.close()
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(talk(reader, writer))
        talks.add(task)
        task.add_done_callback(talks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    own = listener.sockets[0].getsockname()[1]
    tap = Tap(f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{own}")
    try:
        yield tap
    finally:
        listener.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reading: _Reading
) -> None:
    try:
        while data := await reader.read(65_536):
            reading.feed(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()  # TLS has no half-closed state
    except (OSError, RuntimeError):  # one end is gone already
        writer.close()


class _Reading:
    """One direction of a connection: an HTTP head, then frames."""

    def __init__(self, tap: Tap, sender: Literal["client", "server"]) -> None:
        self._tap = tap
        self._sender = sender
        self._data = bytearray()
        self._text = bytearray()
        self._upgraded = False

    def feed(self, data: bytes) -> None:
        self._data += data
        if not self._upgraded:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            if self._sender == "client":
                self._tap.upgrades.append(head.decode())
            self._upgraded, self._data = True, bytearray(rest)
        while self._take_frame():
            pass

    def _take_frame(self) -> bool:
        data = self._data
        if len(data) < 2:
            return False
        final, opcode = data[0] >> 7, data[0] & 15
        masked, length, at = data[1] >> 7, data[1] & 127, 2
        if length > 125:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        at += 4 * masked
        if len(data) < at + length:
            return False
        payload = bytes(data[at : at + length])
        if masked:
            key = bytes(data[at - 4 : at]) * (length // 4 + 1)
            payload = (
                int.from_bytes(payload, "big") ^ int.from_bytes(key[:length], "big")
            ).to_bytes(length, "big")
        del data[: at + length]
        self._hear(opcode, payload, final=bool(final))
        return True

    def _hear(self, opcode: int, payload: bytes, *, final: bool) -> None:
        if opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big") if payload else 1005
            self._tap.messages.append(Message(self._sender, {}, code))
        elif opcode in (TEXT, CONTINUATION):
            self._text += payload
            if final:
                self._tap.messages.append(Message(self._sender, json.loads(self._text)))
                self._text.clear()
