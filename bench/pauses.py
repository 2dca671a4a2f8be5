"""Every pause of recorded speech, and what the models make of it while it lasts.

A clip is one turn. Its pauses are those the VAD notices, those made by putting room tone between
two of its words, and its real end, after which 4 s of room tone follow. All room tone is the
clip's own. What is found is kept in a file of JSON lines, so that policies can be compared
without asking the models again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from faster_whisper import WhisperModel

from bench.speech import Clip
from voice.audio import HEARD_RATE, Pcm
from voice.engines import EngineOptions, Vad
from voice.engines.faster_whisper import FasterWhisper
from voice.engines.faster_whisper import load as load_stt
from voice.engines.silero import load as load_vad
from voice.engines.smart_turn import SmartTurn
from voice.engines.smart_turn import load as load_turn
from voice.events import SpeechPaused, SpeechStarted
from voice.sections import VadSettings
from voice.segmenter import Segmenter

AFTER = 4 * HEARD_RATE
"""Room tone after the real end, samples."""

INSERTED = 4
"""Variants of a clip, each with one pause put between two words."""

SHORTEST, LONGEST = 0.3, 1.5
"""Seconds of room tone put in."""

FRAME = 512
"""Samples of a VAD frame: what happens is noticed at their ends."""

SCORED = (0, 3, 6, *range(7, AFTER // FRAME, 7))
"""Frames of silence after which the turn detector is asked, to choose from."""

GRAIN = HEARD_RATE * 64 // 1000
"""Room tone is made of pieces this long, each fading into the next."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence in a turn or after it, times in seconds from its last voiced sample.

    `lasted` is when speech was noticed again (infinite at a real end), `at` how long the turn had
    been going on, `scores` the turn detector's probability by the moment up to which it heard.
    """

    clip: str
    kind: Literal["natural", "inserted", "end"]
    at: float
    lasted: float
    transcript: str
    scores: dict[float, float]

    def score(self, at: float) -> float:
        """The newest probability that was asked for up to `at`."""
        return self.scores[max(moment for moment in self.scores if moment <= at + 1e-6)]


@dataclass(frozen=True)
class Models:
    """What listens, with the settings the service has by default."""

    vad: Vad
    turn: SmartTurn
    stt: FasterWhisper
    words: WhisperModel

    @classmethod
    def load(cls, weights: Path, threads: int) -> Models:
        """Load all (blocking)."""
        options = EngineOptions(weights, "cpu", threads)
        words = WhisperModel(
            str(weights / "whisper-base"), "cpu", compute_type="int8", cpu_threads=threads
        )
        return cls(load_vad(options), load_turn(options), load_stt(options), words)


def observed(clips: Sequence[Clip], cache: Path, weights: Path, threads: int) -> list[Pause]:
    """The pauses of `clips`, from `cache` where it has them; the others are added to it."""
    known: dict[str, list[Pause]] = {}
    if cache.exists():
        for line in cache.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            known[entry["clip"]] = [_pause(pause) for pause in entry["pauses"]]
    missing = [clip for clip in clips if clip.name not in known]
    if missing:
        models = Models.load(weights, threads)
        with cache.open("a", encoding="utf-8") as file:
            for count, clip in enumerate(missing, 1):
                known[clip.name] = list(pauses(clip, models))
                entry = {"clip": clip.name, "pauses": [asdict(p) for p in known[clip.name]]}
                file.write(json.dumps(entry) + "\n")
                file.flush()
                print(f"\rlistened to {count} of {len(missing)} clips", end="", flush=True)
        print()
    return [pause for clip in clips for pause in known[clip.name]]


def _pause(entry: dict[str, Any]) -> Pause:
    return Pause(**{**entry, "scores": {float(at): p for at, p in entry["scores"].items()}})


def pauses(clip: Clip, models: Models) -> Iterator[Pause]:
    """The pauses of one clip: natural, its end, and those put in. None if nothing is heard."""
    chance = np.random.default_rng(zlib.crc32(clip.name.encode()))
    said = clip.read()
    whole: Pcm = np.concatenate((said, room_tone(said, AFTER, chance)))
    begin, silences = listen(whole, models.vad)
    segments = list(models.words.transcribe(said, language=clip.language, word_timestamps=True)[0])
    words = [word for segment in segments for word in segment.words or ()]
    if not silences or not words:
        return
    for edge, lasted in silences:
        kind: Literal["natural", "end"] = "end" if lasted == np.inf else "natural"
        yield _observe(clip, kind, whole, begin, edge, lasted, models)
    borders = [int((one.end + other.start) / 2 * HEARD_RATE) for one, other in pairwise(words)]
    chosen = chance.permutation(len(borders))[:INSERTED]
    for border in (borders[i] for i in sorted(chosen)):
        length = int(chance.uniform(SHORTEST, LONGEST) * HEARD_RATE)
        cut = _quietest(said, border)
        longer = joined(said[:cut], room_tone(said, length, chance), whole[cut:])
        begin, found = listen(longer, models.vad)
        middle = cut + length // 2
        for edge, lasted in found:
            if edge <= middle < edge + lasted * HEARD_RATE and lasted < np.inf:
                yield _observe(clip, "inserted", longer, begin, edge, lasted, models)


def _observe(
    clip: Clip,
    kind: Literal["natural", "inserted", "end"],
    pcm: Pcm,
    begin: int,
    edge: int,
    lasted: float,
    models: Models,
) -> Pause:
    noticed = VadSettings().pause_ms * HEARD_RATE // 1000
    scores = {
        frame * FRAME / HEARD_RATE: round(models.turn.judge(pcm[begin : edge + frame * FRAME]), 4)
        for frame in SCORED
        if frame * FRAME < min(lasted * HEARD_RATE, AFTER)
    }
    heard = models.stt.listen(pcm[begin : edge + noticed]).text
    return Pause(clip.name, kind, (edge - begin) / HEARD_RATE, lasted, heard, scores)


def listen(pcm: Pcm, vad: Vad) -> tuple[int, list[tuple[int, float]]]:
    """Where the turn in `pcm` begins, and each pause: after which sample, for how many seconds.

    The VAD and the segmenter run as they do in a session.
    """
    settings = VadSettings()
    segmenter = Segmenter(
        frame=vad.frame,
        threshold=settings.threshold,
        start=settings.start_ms * HEARD_RATE // 1000,
        pause=settings.pause_ms * HEARD_RATE // 1000,
    )
    stream = vad.open()
    begin, edge = -1, -1
    found: list[tuple[int, float]] = []
    for at in range(0, len(pcm) - vad.frame + 1, vad.frame):
        match segmenter.feed(at, stream.probability(pcm[at : at + vad.frame])):
            case SpeechStarted(start) if begin < 0:
                begin = max(0, start - settings.prefix_ms * HEARD_RATE // 1000)
            case SpeechStarted():
                found.append((edge, (at + vad.frame - edge) / HEARD_RATE))
            case SpeechPaused(edge):
                pass
    if not segmenter.speaking and edge >= 0:
        found.append((edge, np.inf))
    return begin, found


def room_tone(pcm: Pcm, length: int, chance: np.random.Generator) -> Pcm:
    """`length` samples of the room in `pcm`: its quietest tenth, in random pieces that overlap."""
    half = GRAIN // 2
    grains = np.lib.stride_tricks.sliding_window_view(pcm, GRAIN)[:: GRAIN // 4]
    quiet = grains[np.argsort((grains**2).sum(axis=1))[: max(8, len(grains) // 10)]]
    fade = np.sin(np.pi * (np.arange(GRAIN) + 0.5) / GRAIN)
    tone = np.zeros(length + 2 * GRAIN, dtype=np.float32)
    for at in range(0, length + GRAIN, half):
        tone[at : at + GRAIN] += fade * quiet[chance.integers(len(quiet))]
    return tone[half : half + length]


def joined(*parts: Pcm) -> Pcm:
    """One after the other, each fading over 10 ms at its ends so that nothing clicks."""
    ramp = np.linspace(0, 1, HEARD_RATE // 100, dtype=np.float32)
    faded = []
    for number, part in enumerate(parts):
        piece = part.copy()
        if number > 0:
            piece[: len(ramp)] *= ramp
        if number < len(parts) - 1:
            piece[-len(ramp) :] *= ramp[::-1]
        faded.append(piece)
    return np.concatenate(faded)


def _quietest(pcm: Pcm, near: int) -> int:
    """The middle of the quietest 10 ms within 60 ms of `near`: word times are not that exact."""
    window, reach = HEARD_RATE // 100, HEARD_RATE * 60 // 1000
    low = max(0, near - reach)
    loud = np.convolve(pcm[low : near + reach] ** 2, np.ones(window), "valid")
    return low + int(np.argmin(loud)) + window // 2
