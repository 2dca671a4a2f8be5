"""The line between a session and its client: it outlives the sockets that carry it.

Messages are counted in both directions. A client that lost its socket comes back with the number it
has received; the server goes on after that and says how many it has received itself, so that each
message arrives once, whatever was on its way when the socket broke.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from voice.errors import Overloaded
from voice.passes import Credential, digest

PREFIX = "vivavoce.resume."
"""A subprotocol that begins like this asks for a line: its token, a dot, and the number of messages
received on it follow. A browser's WebSocket can set no header, and an address gets into logs."""

SERVER_STOPS = 1012
FAREWELLS = frozenset({1000, 1001, 1008, SERVER_STOPS})
"""Close codes of a client that leaves for good or is put out, and of a server that stops. Anything
else is an accident; a connection that just ends has 1005 in uvicorn."""

TOKEN_BYTES = 24
MOST_DIGITS = 12


class Gone(Exception):
    """The client has left, or has not come back in time."""


class Wanted(NamedTuple):
    """The line that a client wants back, and how many messages it has received on it."""

    token: str
    received: int


def wanted(subprotocols: Iterable[str]) -> Wanted | None:
    """The line that is asked for; None if there is none, or if the request is malformed."""
    asked = next((name for name in subprotocols if name.startswith(PREFIX)), "")
    token, _, received = asked.removeprefix(PREFIX).rpartition(".")
    if not token or not (received.isascii() and received.isdigit()) or len(received) > MOST_DIGITS:
        return None
    return Wanted(token, int(received))


class Line:
    """Carries messages over one socket after another.

    Without a socket it waits `grace` seconds for the next; 0 is a line that ends with its first.
    What was sent is kept for another socket, up to `keep` bytes. `patience` is how long, in
    seconds, a client may refuse to read; `token` is that of a line which goes on here.
    """

    def __init__(
        self, socket: WebSocket, *, grace: float, keep: int, patience: float, token: str = ""
    ) -> None:
        self.token = token or secrets.token_urlsafe(TOKEN_BYTES)
        self.grace = grace
        self.received = 0
        """Messages from the client."""
        self.stopped = False
        """It is not the client that ends it: the server stops."""
        self.parked_at: float | None = None
        """Since when nobody is on it, on the loop's clock."""
        self.whose = whose(socket)
        self._keep = keep
        self._patience = patience
        self._socket: WebSocket | None = socket
        self._ended = False
        self._changed = asyncio.Event()
        self._kept: deque[str | bytes] = deque()
        self._kept_bytes = 0
        self._made = 0
        """The number of the newest message to the client."""
        self._sent = 0
        """The number of the last one that was handed to the present socket."""

    @property
    def socket(self) -> WebSocket | None:
        """The socket in use."""
        return self._socket

    @property
    def name(self) -> str:
        """The digest of its token."""
        return digest(self.token)

    # --- sockets

    def serves(self, socket: WebSocket, received: int) -> bool:
        """Whether `socket` may have this line: its client was let in by the same credential, and
        all that it has not received is still kept.
        """
        same = self.whose == whose(socket)
        return same and not self._ended and self._oldest - 1 <= received <= self._made

    def park(self) -> WebSocket | None:
        """Do without the present socket, which is returned; nothing more is taken from it."""
        socket, self._socket = self._socket, None
        if socket is not None:
            self.parked_at = asyncio.get_running_loop().time()
            self._tell()
        return socket

    def take(self, socket: WebSocket, received: int) -> None:
        """Go on over `socket` after what its client has received."""
        self.park()
        while self._oldest <= received:
            self._kept_bytes -= len(self._kept.popleft())
        self._sent = received
        self._socket, self.parked_at = socket, None
        self._tell()

    async def until_left(self, socket: WebSocket) -> None:
        """Wait until `socket` is not in use any more."""
        await self._until(lambda: self._socket is not socket)

    def end(self) -> None:
        """It is over: whoever waits for a socket waits no more."""
        self._ended = True
        self.park()
        self._tell()

    # --- messages

    async def receive(self) -> dict[str, Any]:
        """The next message. Raises `Gone`."""
        while True:
            socket = await self._present()
            reading = asyncio.ensure_future(socket.receive())
            leaving = asyncio.ensure_future(self.until_left(socket))
            try:
                await asyncio.wait((reading, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                if not reading.done():
                    reading.cancel()
            if self._socket is not socket:
                continue  # its client sends this again on another one
            message = dict(reading.result())
            if message["type"] != "websocket.disconnect":
                self.received += 1
                return message
            self.stopped = message.get("code") == SERVER_STOPS
            if not self.grace or message.get("code") in FAREWELLS:
                raise Gone
            self.park()

    async def send(self, data: str | bytes) -> None:
        """Send a message; returns once a socket has taken it."""
        self._made += 1
        number = self._made
        self._kept.append(data)
        self._kept_bytes += len(data)
        while self._kept_bytes > self._keep and self._oldest < number:
            self._kept_bytes -= len(self._kept.popleft())
        self._tell()
        await self._until(lambda: self._sent >= number)

    async def pump(self) -> None:
        """Hand messages to the sockets; to be run beside the two others, for ever.

        Raises `Gone`, or `Overloaded` `client_too_slow`, where the line ends with its socket.
        """
        while True:
            await self._until(lambda: self._socket is not None and self._sent < self._made)
            socket, number = self._socket, self._sent + 1
            if socket is None:
                continue
            taken = await self._hand(socket, self._kept[number - self._oldest])
            if self._socket is not socket:
                continue
            if taken:
                self._sent = number
                self._tell()
            else:
                self.park()

    async def _hand(self, socket: WebSocket, data: str | bytes) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                if isinstance(data, bytes):
                    await socket.send_bytes(data)
                else:
                    await socket.send_text(data)
        except TimeoutError:
            if not self.grace:
                raise Overloaded("the client does not read", code="client_too_slow") from None
            return False
        except (RuntimeError, OSError, WebSocketDisconnect):
            if not self.grace:
                raise Gone from None  # closed while we were sending
            return False
        return True

    @property
    def _oldest(self) -> int:
        """The number of the oldest message that is kept (of the next one, if none is)."""
        return self._made - len(self._kept) + 1

    async def _present(self) -> WebSocket:
        """The socket, or the one that comes within the time of grace. Raises `Gone`."""
        if self._socket is None and not self._ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.grace):
                    await self._until(lambda: self._socket is not None or self._ended)
        if self._socket is None:
            raise Gone
        return self._socket

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()

    def _tell(self) -> None:
        """Something is different: let those who wait look."""
        self._changed.set()
        self._changed = asyncio.Event()


def whose(socket: WebSocket) -> tuple[str, str]:
    """The key, and the browser, that let a client in; empty where none was needed."""
    credential: Credential | None = socket.scope.get("credential")
    return ("", "") if credential is None else (credential.key_id, credential.browser)
