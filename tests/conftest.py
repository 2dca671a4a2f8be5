"""A real server with the starter models, and speech made by the synthesiser for it to hear."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "data" / "models"

Speak = Callable[..., Path]


@dataclass(frozen=True)
class Server:
    """A server process and where it listens."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def realtime(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/realtime"


def free_port() -> int:
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
            env={**os.environ, **environment},
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
    raise AssertionError(f"the server did not become ready:\n{log.read_text()}")


def stop_server(server: Server) -> None:
    server.process.send_signal(signal.SIGINT)
    try:
        server.process.wait(20)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that only talk to it."""
    log = tmp_path_factory.mktemp("server") / "log"
    running = start_server(log, VIVAVOCE_LLM_MAX_TOKENS="80")
    yield running
    stop_server(running)


@pytest.fixture(scope="session")
def speak(tmp_path_factory: pytest.TempPathFactory) -> Speak:
    """`speak(text, voice=..., before=seconds, after=seconds)` gives a WAV file of it, 24 kHz."""
    import asyncio

    from voice.engines import EngineOptions, load_engine

    tts = load_engine("tts", "kokoro", EngineOptions(WEIGHTS, "cpu"))
    folder = tmp_path_factory.mktemp("speech")
    made: dict[object, Path] = {}

    def speak_once(
        text: str, *, voice: str = "am_michael", before: float = 0.3, after: float = 0.3
    ) -> Path:
        key = (text, voice, before, after)
        if key not in made:
            speech = asyncio.run(tts.synthesize(text, voice=voice))
            pads = [np.zeros(int(seconds * 24_000), np.float32) for seconds in (before, after)]
            path = folder / f"{len(made)}.wav"
            soundfile.write(path, np.concatenate((pads[0], speech.pcm, pads[1])), 24_000)
            made[key] = path
        return made[key]

    return speak_once
