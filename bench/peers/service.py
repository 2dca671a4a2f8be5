"""The peer's end of the line: JSON on stdin and stdout, one object a line.

The first line in holds `Options`; the answer is `{"ready": {...}}` with versions and a description
of the pipeline. Then each `{"clip": "path.wav"}` is answered by a `Heard`, or by
`{"error": "..."}`. The end of stdin ends the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from bench.peers.ear import Ear
from bench.peers.microphone import Samples, read_clip

PATIENCE = 20.0
"""Seconds after the end of speech within which an answer must be audible."""

AFTERWARDS = 1.0
"""Seconds of listening after the first sound: a premature answer can still be taken back."""


@dataclass(frozen=True, slots=True)
class Options:
    """What every side is given alike."""

    weights: str
    """Folder of the weights."""
    voices: str
    """The voices as the `.npz` that kokoro-onnx reads."""
    voice: str
    endpoint: str
    """Base URL of the language model."""
    instructions: str
    max_tokens: int
    temperature: float
    threads: int
    """CPU threads for recognition and for synthesis."""
    llm_threads: int
    """CPU threads of the language model."""
    language: str


@dataclass(slots=True)
class Heard:
    """What came of one question. `audible` is seconds from the last voiced sample to the first
    audible one, None if there was none; `gap` seconds in which its speech, once begun, stood still
    because more of it was not there yet, in the first second; `stages` are milliseconds.
    """

    audible: float | None = None
    transcript: str = ""
    text: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    gap: float = 0.0


class Asker(Protocol):
    """A loaded pipeline."""

    @property
    def pipeline(self) -> str:
        """What it consists of, in a few words."""
        ...

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages whose versions matter."""
        ...

    async def ask(self, pcm: Samples, rate: int) -> Heard:
        """Speak `pcm` to it and hear when it answers."""
        ...


Load = Callable[[Options], AbstractAsyncContextManager[Asker]]


def serve(load: Load) -> None:
    """Answer on stdin and stdout until stdin ends; whatever else is printed goes to stderr."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    asyncio.run(_serve(load, lambda message: print(json.dumps(message), file=out)))


async def _serve(load: Load, reply: Callable[[dict[str, Any]], None]) -> None:
    lines = _lines()
    async with load(Options(**(await anext(lines)))) as asker:
        versions = {name: version(name) for name in asker.packages}
        reply({"ready": {"pipeline": asker.pipeline, "versions": versions}})
        async for line in lines:
            try:
                reply(asdict(await asker.ask(*read_clip(Path(line["clip"])))))
            except Exception as error:
                traceback.print_exc()
                reply({"error": f"{type(error).__name__}: {error}"})


async def _lines() -> AsyncIterator[dict[str, Any]]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield json.loads(line)


async def listen(ear: Ear, ended: asyncio.Future[float]) -> float | None:
    """Wait for the answer: seconds from `ended` to the first audible sample, None if none came."""
    end = await ended
    while (now := perf_counter()) < end + PATIENCE:
        if ear.audible is not None and now > ear.audible + AFTERWARDS and now > end + AFTERWARDS:
            return ear.audible - end
        await asyncio.sleep(0.02)
    return None


class Moments:
    """When things happened; the same names and spans as in `voice.metrics.stages`."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def note(self, name: str, *, again: bool = False) -> None:
        """Something happens now. Only its first time counts, or with `again` its last."""
        if again or name not in self.at:
            self.at[name] = perf_counter()

    def forget(self, *names: str) -> None:
        """What was noted under these names belonged to an answer that was cancelled."""
        for name in names:
            self.at.pop(name, None)

    def stages(self, ended: float) -> dict[str, float]:
        """Milliseconds each stage took, for speech that ended at `ended`."""
        at = {**self.at, "spoke": ended}
        return {
            name: (at[end] - at[begin]) * 1000
            for name, (begin, end) in SPANS.items()
            if begin in at and end in at
        }


SPANS = {
    "vad": ("spoke", "paused"),
    "turn": ("spoke", "committed"),
    "stt": ("transcribing", "transcribed"),
    "llm_first_token": ("started", "first_token"),
    "llm": ("started", "first_clause"),
    "tts": ("first_clause", "first_audio"),
}
"""The stages that are compared; they overlap where a framework works ahead."""
