"""What all scenarios need: the parts they play with, a reply that sounds, a sound over it."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from bench.conversing.call import Call, Reply, calling
from bench.conversing.cues import Cue, Cues
from bench.conversing.replies import Script
from bench.conversing.scoring import (
    INTERRUPTING,
    Asked,
    Check,
    Found,
    Probe,
    continues,
    counted,
    words_played,
)
from bench.conversing.sound import FADE
from bench.serving import Server
from voice.audio import SPOKEN_RATE as RATE
from voice.audio import Pcm

ENDED = 2.5
"""Seconds after words in which they may end the reply,"""

WEIGHED = 4.0
"""and more seconds where the server has not said yet what it hears."""

PATIENCE = 12.0
"""Seconds to wait for a reply."""


@dataclass
class Stage:
    """One run: the server, its language model, what is said, the room, what was found.

    `sounds` is what was played of each probed reply, for the recogniser after the run.
    """

    server: Server
    script: Script
    cues: Cues
    room: Pcm
    found: Found = field(default_factory=Found)
    sounds: list[tuple[Probe, Pcm]] = field(default_factory=list)
    readings: list[tuple[Check, Pcm]] = field(default_factory=list)
    """Replies that were played as a whole, to be judged by the recogniser after the run."""

    def call(self, **options: Any) -> AbstractAsyncContextManager[Call]:
        """A new conversation."""
        return calling(self.server.realtime, self.room, **options)

    def take_note(self, call: Call, group: str) -> None:
        """Keep what a call tells about itself."""
        self.found.errors += [f"{group}: {error}" for error in call.errors]
        log = [(round(at / RATE, 2), kind) for at, kind in call.log if ".delta" not in kind]
        self.found.logs.append((group, log))
        self.found.late = max(self.found.late, call.late)
        self.found.underruns += call.speaker.underruns

    def counters(self) -> dict[str, float]:
        """What the server has counted so far (blocking)."""
        with urllib.request.urlopen(f"{self.server.url}/metrics", timeout=10) as answer:
            return counted(answer.read().decode())


async def reply_sounding(call: Call, *, seconds: float, left: float = 6.0) -> Reply:
    """A reply that has sounded for `seconds` and will for `left` more; asked for if there is none.

    Raises `RuntimeError` if none comes.
    """

    def going() -> bool:
        return call.active is not None or call.speaker.ahead > left * RATE

    def sounds() -> bool:
        return call.speaker.audible and going()

    for _ in range(3):
        # One that has run dry, or whose first words are being made, comes yet.
        coming = call.active is not None or call.speaker.sounding is not None
        if not await call.until(sounds, 2.0 if coming else 0.0):
            await call.type("Tell me more about it.")
            if not await call.until(sounds, PATIENCE):
                continue
        reply = call.reply
        assert reply is not None
        await call.until(partial(_played, call, reply, seconds), PATIENCE)
        if call.reply is reply and going():
            return reply
    raise RuntimeError(f"no reply was heard; the server said: {call.errors or call.log[-5:]}")


def _played(call: Call, reply: Reply, seconds: float) -> bool:
    return call.speaker.played(reply.item) >= seconds * RATE or reply.stopped is not None


async def probe_next(
    stage: Stage, call: Call, group: str, cue: Cue, *, seconds: float
) -> Probe | None:
    """Let `cue` sound over a reply that has sounded for `seconds`, and see what becomes of it."""
    for _ in range(3):
        reply = await reply_sounding(call, seconds=seconds)
        if (made := await probe(stage, call, reply, group, cue)) is not None:
            return made
    stage.found.errors.append(f"{group}: no reply was long enough to judge {cue.name}")
    return None


async def probe(stage: Stage, call: Call, reply: Reply, group: str, cue: Cue) -> Probe | None:
    """Let `cue` sound over `reply` and see what becomes of it; None: it was over before that."""
    made = Probe(group, cue.name, cue.kind, cue.text)
    before, ducked = set(call.said), call.ducked
    voiced = call.hear(cue.name, cue.pcm) + cue.begin
    meant = cue.kind in INTERRUPTING

    def ended() -> bool:
        return reply.stopped is not None

    await call.until(ended, cue.seconds + (ENDED if meant else 0.8))
    await call.until(lambda: ended() or not weighed(call, voiced), WEIGHED)
    await call.until(ended, 0.2)  # what it says first is that the words are over
    noticed = call.since(voiced, "input_audio_buffer.speech_started")
    made.noticed_ms = None if noticed is None else (noticed - voiced) / RATE * 1000
    made.ended = ended()
    made.ducked_ms = (call.ducked - ducked) / RATE * 1000
    if reply.stopped is None and not call.speaker.holds(reply.item):
        return None
    stage.found.probes.append(made)
    if reply.stopped is None:
        return made
    made.stop_ms = (reply.stopped + FADE - voiced) / RATE * 1000
    await note_prefix(stage, call, reply, made)
    if meant:
        await call.until(lambda: any(s.transcript for s in newly(call, before)), 6.0)
    await _note_resumption(call, reply, made)
    said = [s.transcript for s in newly(call, before) if s.transcript is not None]
    made.transcript = " ".join(said) if said else None
    if meant and cue.text and said:
        stage.found.asked.append(Asked(group, cue.name, [cue.text], said))
    return made


def weighed(call: Call, at: int) -> bool:
    """Whether the server hears speech since `at` of which it has not said what comes of it."""
    kinds = [kind for moment, kind in call.log if moment > at and ".speech_" in kind]
    return bool(kinds) and kinds[-1].endswith("started")


def newly(call: Call, before: set[str]) -> list[Any]:
    """The user's messages that were not there before, and still are."""
    return [said for item, said in call.said.items() if item not in before and not said.deleted]


async def note_prefix(stage: Stage, call: Call, reply: Reply, made: Probe) -> None:
    """Keep what the conversation holds of a reply that was stopped, and what was played of it."""
    await call.until(lambda: reply.status is not None, 2.0)
    await call.rest(0.4)  # the position of the loudspeaker is on its way to the server
    made.kept = await call.show(reply.item)
    made.full = stage.script.meant(reply.text)
    if made.full is not None:
        made.words_after = stage.script.words_after(made.full, reply.stopped_real + 0.3)
    sound = call.speaker.heard.get(reply.item, [])
    if not call.plain:
        played = call.speaker.played(reply.item) * 1000 / RATE
        made.by_position = " ".join(words_played(reply.words, played))
    stage.sounds.append((made, np.concatenate(sound) if sound else np.zeros(0, np.float32)))


async def _note_resumption(call: Call, reply: Reply, made: Probe) -> None:
    """What is heard after the reply that was ended: the rest of it, or something else?"""
    stopped = reply.stopped
    assert stopped is not None
    resumed: Callable[[], bool] = lambda: call.speaker.audible and call.reply is not reply  # noqa: E731
    if not await call.until(resumed, 4.0):
        return
    following = call.reply
    made.silence_ms = (call.now - stopped) / RATE * 1000
    await call.until(lambda: following is None or len(following.text.split()) >= 6, 3.0)
    if following is not None and made.full is not None:
        heard = made.by_position if made.by_position is not None else made.kept
        place = continues(made.full, heard or "", following.text)
        made.resumed, made.resumed_by = place is not None, place or 0


async def count(stage: Stage, group: str, scenario: Callable[[Stage], Any]) -> None:
    """Play one group and keep what the server counted meanwhile."""
    before = await asyncio.to_thread(stage.counters)
    await scenario(stage)
    after = await asyncio.to_thread(stage.counters)
    stage.found.metrics[group] = {name: after[name] - before[name] for name in after}


def check(stage: Stage, group: str, name: str, passed: bool, value: str = "") -> Check:
    """Keep what must be so, and whether it is."""
    made = Check(group, name, passed, value)
    stage.found.checks.append(made)
    return made
