"""Words that nobody said: what recognition makes of noise, and whether the checks cost real words.

    VIVAVOCE_SPEECH_DIR=... python -m bench.phantoms [--pieces N] [--seed N] [--clips N]

Random pieces of 0.3 to 10 s, of noise made here and of the recorded noise where there is some, are
heard with the language detected. `alone` is what the recogniser says; `judged` what is left when
the VAD's evidence is weighed too (a turn of push-to-talk); `hands-free` what is left where the VAD
must open the turn first. Speech that comes to nothing is listed clip by clip.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import soxr

from bench.noises import KINDS, make
from bench.speech import Clip, corpus_folder, read_manifest
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm
from voice.ears import Ears
from voice.engines import EngineOptions, Spoken, Vad, load_engine
from voice.engines.faster_whisper import FasterWhisper
from voice.events import SpeechStarted
from voice.plausible import believed
from voice.sections import VadSettings

SHORTEST, LONGEST = 0.3, 10.0
"""Seconds of a piece."""

SPOKEN = ("sentence", "command", "order")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a piece: the recogniser's text, the one believed, and whether a turn began."""

    alone: str
    judged: str
    opened: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """The recogniser and the VAD."""

    stt: FasterWhisper
    vad: Vad

    def hear(self, pcm: Pcm, language: Spoken = None) -> Outcome:
        """Hear one piece, after half a second of silence, as a session would."""
        ears = Ears(self.vad, VadSettings(), capacity=120 * HEARD_RATE)
        padded = np.concatenate((np.zeros(HEARD_RATE // 2, np.float32), pcm))
        wire = int16_from_pcm(soxr.resample(padded, HEARD_RATE, SPOKEN_RATE).astype(np.float32))
        events = [*ears.hear(wire), *ears.flush()]
        heard = self.stt.listen(pcm, language=language)
        return Outcome(
            alone=heard.text,
            judged=believed(heard, ears.tape.speech(0, ears.tape.end)),
            opened=any(isinstance(event, SpeechStarted) for event in events),
        )


def pieces(rng: np.random.Generator, count: int, clips: list[Clip]) -> Iterator[tuple[str, Pcm]]:
    """`count` random pieces of each kind of noise and of each clip."""
    for _ in range(count):
        sources: list[str | Clip] = [*KINDS, *clips]
        for source in sources:
            spread = rng.uniform(np.log(SHORTEST), np.log(LONGEST))
            seconds = float(np.exp(spread))
            if isinstance(source, str):
                yield source, make(source, seconds, rng)
            else:
                whole = source.read()
                size = min(int(seconds * HEARD_RATE), len(whole))
                start = int(rng.integers(0, len(whole) - size + 1))
                yield source.name, whole[start : start + size]


def with_noise(speech: Pcm, noise: Pcm, decibels: float) -> Pcm:
    """`speech` with `noise` that is so many decibels quieter."""
    power = np.square(noise).mean() + 1e-12
    gain = np.sqrt(np.square(speech).mean() / power / 10 ** (decibels / 10))
    mixed = speech + gain * noise
    return cast(Pcm, (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32))


def print_noise(listener: Listener, rng: np.random.Generator, count: int, clips: list[Clip]) -> int:
    """A line a kind of noise; returns how many pieces gave words after all checks."""
    found: dict[str, list[Outcome]] = defaultdict(list)
    samples = 0
    for name, pcm in pieces(rng, count, clips):
        samples += len(pcm)
        found[name].append(listener.hear(pcm))
    print(f"{samples / HEARD_RATE / 60:.1f} minutes of noise")
    every = [outcome for outcomes in found.values() for outcome in outcomes]
    print(f"{'pieces that gave words':24}{'of':>6}{'alone':>8}{'judged':>8}{'hands-free':>12}")
    for name, outcomes in [*found.items(), ("all", every)]:
        alone = sum(bool(o.alone) for o in outcomes)
        judged = sum(bool(o.judged) for o in outcomes)
        free = sum(bool(o.judged) and o.opened for o in outcomes)
        words = sorted({o.judged for o in outcomes if o.judged} or {o.alone for o in outcomes})
        shown = ", ".join(repr(text[:40]) for text in words if text)
        print(f"{name:24}{len(outcomes):6}{alone:8}{judged:8}{free:12}  {shown}")
        if name == "all":
            return judged
    return 0


def print_speech(
    listener: Listener, rng: np.random.Generator, clips: list[Clip], noise: Pcm
) -> int:
    """What became of real speech; returns how many clips gave no words."""
    lost = 0
    for decibels in (None, 10.0, 0.0):
        silent = []
        for clip in clips:
            pcm = clip.read()
            if decibels is not None:
                start = int(rng.integers(0, len(noise) - len(pcm)))
                pcm = with_noise(pcm, noise[start : start + len(pcm)], decibels)
            if not listener.hear(pcm).judged:
                silent.append(clip.name)
        kind = "clean" if decibels is None else f"noise {decibels:.0f} dB below"
        print(f"speech, {kind}: {len(silent)} of {len(clips)} clips gave no words {silent}")
        lost += len(silent)
    return lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", type=Path, default=Path("data/models"))
    parser.add_argument("--model", default="")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pieces", type=int, default=20, help="pieces of each kind of noise")
    parser.add_argument("--clips", type=int, default=0, help="every Nth clip of speech only")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    options = EngineOptions(asked.weights, "cpu", asked.threads, asked.model)
    stt = load_engine("stt", "faster-whisper", options)
    listener = Listener(stt, load_engine("vad", "silero", options))
    folder = corpus_folder()
    manifest = read_manifest(folder) if folder else []
    noises = [clip for clip in manifest if clip.kind == "noise"]
    rng = np.random.default_rng(asked.seed)
    print_noise(listener, rng, asked.pieces, noises)
    spoken = [clip for clip in manifest if clip.kind in SPOKEN]
    if spoken:
        noise = np.concatenate([clip.read() for clip in noises])
        print_speech(listener, rng, spoken[:: asked.clips or 1], noise)


if __name__ == "__main__":
    main()
