"""A real server with the starter models, and speech made by the synthesiser for it to hear."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from bench.serving import ROOT, Server, start_server, stop_server
from voice.engines import EngineOptions, joined, load_engine

# How long an example takes says what else the machine does.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

__all__ = ["WEIGHTS", "Server", "Speak", "start_server", "stop_server"]

WEIGHTS = ROOT / "data" / "models"

Speak = Callable[..., Path]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that only talk to it."""
    log = tmp_path_factory.mktemp("server") / "log"
    running = start_server(log, VIVAVOCE_LLM_MAX_TOKENS="50")
    yield running
    stop_server(running)


@pytest.fixture(scope="session")
def speak(tmp_path_factory: pytest.TempPathFactory) -> Speak:
    """`speak(text, voice=..., before=seconds, after=seconds)` gives a WAV file of it, 24 kHz."""
    tts = load_engine("tts", "kokoro", EngineOptions(WEIGHTS, "cpu"))
    folder = tmp_path_factory.mktemp("speech")
    made: dict[object, Path] = {}

    def speak_once(
        text: str, *, voice: str = "am_michael", before: float = 0.3, after: float = 0.3
    ) -> Path:
        key = (text, voice, before, after)
        if key not in made:
            speech = joined(list(tts.speak(text, voice, 1.0)))
            pads = [np.zeros(int(seconds * 24_000), np.float32) for seconds in (before, after)]
            path = folder / f"{len(made)}.wav"
            soundfile.write(path, np.concatenate((pads[0], speech.pcm, pads[1])), 24_000)
            made[key] = path
        return made[key]

    return speak_once


FIRST = "gw0"
"""The process of the browsers, by xdist's name."""


HEAVY = ("browser", "clients", "models")
"""Marks whose tests run one after the other: they start servers, and load weights."""


class BrowsersApart(LoadScopeScheduling):
    """What has a browser runs in one process, programs of others and what loads weights in another,
    and then a file at a time what needs neither.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return _marked(path) or path

    def _assign_work_unit(self, node: WorkerController) -> None:
        own = HEAVY[:1] if node.gateway.id == FIRST else HEAVY[1:]
        for scope in HEAVY:
            if scope in self.workqueue and scope not in own:
                self.workqueue.move_to_end(scope)
        for scope in reversed(own):
            if scope in self.workqueue:
                self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


@cache
def _marked(path: str) -> str:
    source = (ROOT / path).read_text()
    marks = (mark for mark in HEAVY if re.search(rf"mark\.{mark}\b", source))
    return next(marks, "")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> BrowsersApart:
    return BrowsersApart(config, log)


def pytest_unconfigure() -> None:
    """Free resamplers that are still referred to: after pytest's summary, which is to be the last
    line, their library would list them on stderr.
    """
    for thing in gc.get_objects():
        if type(thing) is soxr.ResampleStream:
            thing.__dict__.clear()
