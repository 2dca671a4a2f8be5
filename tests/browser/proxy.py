"""A line between a browser and its server that can be cut, stalled and mended."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BLOCK = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing is a reset, not a goodbye."""


class Proxy:
    """Listens at `url` and hands on to the port `target` of this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._down = False
        self._flowing = threading.Event()
        self._flowing.set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection, and each that is tried from now on, until it is mended."""
        self._down = True
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _break(end)

    def stall(self) -> None:
        """Not a byte more gets through, on old connections and new ones, and nobody is told."""
        self._flowing.clear()

    def mend(self) -> None:
        """New connections work from now on; those that were stalled stay as they are: dead."""
        stalled, self._pairs = ([], self._pairs) if self._flowing.is_set() else (self._pairs, [])
        self._dead = stalled  # kept open: closing would tell
        self._flowing = threading.Event()
        self._flowing.set()
        self._down = False

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self._listener.accept()
                if self._down:
                    _break(browser)
                    continue
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    _break(browser)
                    continue
                self._pairs.append((browser, server))
                for here, there in ((browser, server), (server, browser)):
                    give = (here, there, self._flowing)
                    threading.Thread(target=_hand_on, args=give, daemon=True).start()


def _hand_on(here: socket.socket, there: socket.socket, flowing: threading.Event) -> None:
    with suppress(OSError):
        while data := here.recv(BLOCK):
            flowing.wait()
            there.sendall(data)
    for end in (here, there):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _break(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.shutdown(socket.SHUT_RD)
    end.close()


@contextmanager
def proxy_to(target: int) -> Iterator[Proxy]:
    """A proxy for as long as the block lasts."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
