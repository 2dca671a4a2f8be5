"""The sides of the comparison as the benchmark sees them: each is asked one clip at a time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from select import select
from typing import IO, Any, Protocol

from bench.peers import vivavoce
from bench.peers.environments import ROOT, prepare
from bench.peers.microphone import read_clip
from bench.peers.service import Heard, Options
from bench.serving import Server, serving

ROOM = 120.0
"""Seconds within which a peer must have answered whatever it was asked, loading included."""


class Side(Protocol):
    """One system under test."""

    name: str
    pipeline: str
    versions: dict[str, str]

    def ask(self, clip: Path) -> Heard:
        """Speak the WAV file `clip` to it. Raises `RuntimeError` if it breaks."""
        ...


@contextmanager
def language_model(weights: Path, threads: int) -> Iterator[str]:
    """Serve the starter language model while the block lasts; yields the endpoint's base URL."""
    model = next((weights / "smollm2").glob("*.gguf"))
    command = [sys.executable, "-m", "bench.peers.llm_server", str(model), str(threads)]
    with _running(command, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the language model's server did not start")
        yield f"{address}/v1"


@contextmanager
def peer(name: str, module: str, options: Options, log: Path) -> Iterator[Side]:
    """A peer in its own process and environment while the block lasts."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        # CTranslate2 takes this where a framework does not say how many threads it wants.
        "OMP_NUM_THREADS": str(options.threads),
        "HF_HUB_OFFLINE": "1",
    }
    command = [str(prepare(module)), "-m", f"bench.peers.{module}_peer"]
    with log.open("wb") as err, _running(command, env=environment, stderr=err) as process:
        side = _Peer(name, process, log)
        ready = side.tell(asdict(options))["ready"]
        side.pipeline, side.versions = ready["pipeline"], ready["versions"]
        yield side


@contextmanager
def own(name: str, options: Options, *, over_http: bool) -> Iterator[Side]:
    """Vivavoce's server while the block lasts, its language model embedded or over HTTP."""
    settings = {
        "VIVAVOCE_DATA_DIR": str(Path(options.weights).parent),
        "VIVAVOCE_DEVICE": "cpu",
        "VIVAVOCE_LLM_MAX_TOKENS": str(options.max_tokens),
        "VIVAVOCE_LLM_TEMPERATURE": str(options.temperature),
        "VIVAVOCE_LLM_INSTRUCTIONS": options.instructions,
        "VIVAVOCE_LLM_THREADS": str(options.llm_threads),
        "VIVAVOCE_STT_LANGUAGE": options.language,
        "VIVAVOCE_TTS_VOICE": options.voice,
    }
    if over_http:
        settings["VIVAVOCE_LLM_BASE_URL"] = options.endpoint
        settings["VIVAVOCE_LLM_MODEL"] = "local"
    with serving(**settings) as server:
        yield _Own(name, server, over_http)


class _Own:
    def __init__(self, name: str, server: Server, over_http: bool) -> None:
        self.name = name
        self._url = server.realtime
        self.pipeline = (
            "Silero VAD, faster-whisper's encoder on the speech alone, Smart Turn v3.2 and the "
            "words said, language model "
            + ("over the same HTTP endpoint" if over_http else "embedded (llama.cpp)")
            + ", Kokoro by clause; answers are prepared during pauses"
        )
        packages = ("vivavoce", "faster-whisper", "ctranslate2", "onnxruntime", "xllamacpp")
        self.versions = {name: version(name) for name in packages}

    def ask(self, clip: Path) -> Heard:
        return asyncio.run(vivavoce.ask(self._url, *read_clip(clip)))


class _Peer:
    def __init__(self, name: str, process: subprocess.Popen[str], log: Path) -> None:
        self.name = name
        self.pipeline = ""
        self.versions: dict[str, str] = {}
        self._process = process
        self._log = log

    def ask(self, clip: Path) -> Heard:
        return Heard(**self.tell({"clip": str(clip)}))

    def tell(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send one line and read the answer; `RuntimeError` if there is none or it is an error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(message), file=self._process.stdin, flush=True)
        answer = _read_line(self._process.stdout)
        if not answer:
            last = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
            raise RuntimeError(f"{self.name} gave no answer:\n{last}")
        reply: dict[str, Any] = json.loads(answer)
        if "error" in reply:
            raise RuntimeError(f"{self.name}: {reply['error']}")
        return reply


def _read_line(stream: IO[str]) -> str:
    # One line answers one line, so nothing can be waiting in the stream's own buffer.
    readable, _, _ = select([stream], [], [], ROOM)
    return stream.readline() if readable else ""


@contextmanager
def _running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
