"""A server process of one's own, for benchmarks and tests: started, awaited, ended by its pid."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Server:
    """A server process and where it listens."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Where the page and the HTTP routes are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def realtime(self) -> str:
        """Where the conversation is."""
        return f"ws://127.0.0.1:{self.port}/v1/realtime"


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(log: Path, *, port: int | None = None, **environment: str) -> Server:
    """Start `vivavoce serve` and wait until its models are warm."""
    port = port or free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "voice.cli", "serve", "--port", str(port)],
            cwd=ROOT,
            # Conversations of its own; the weights are shared.
            env={**os.environ, "VIVAVOCE_STORAGE_URL": f"sqlite:///{log}.db", **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    server = Server(port, process, log)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/ready", timeout=5) as answer:
                if answer.status == 200:
                    return server
        except (URLError, OSError):
            time.sleep(0.3)
    stop_server(server)
    raise RuntimeError(f"the server did not become ready:\n{log.read_text()}")


def stop_server(server: Server) -> None:
    """End it as Ctrl-C would, or by force if it does not go."""
    server.process.send_signal(signal.SIGINT)
    try:
        server.process.wait(20)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


@contextmanager
def serving(**environment: str) -> Iterator[Server]:
    """A server for as long as the block lasts; `environment` holds its settings."""
    with TemporaryDirectory() as folder:
        server = start_server(Path(folder) / "log", port=None, **environment)
        try:
            yield server
        finally:
            stop_server(server)
