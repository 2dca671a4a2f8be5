"""Sounds of people that are no words, made from pulses and filtered noise. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import soxr

from bench.noises import make
from voice.audio import HEARD_RATE, Pcm
from voice.audio import SPOKEN_RATE as RATE


def cough() -> Pcm:
    """Two coughs: a burst of air, then a rough tone that dies away."""
    chance = np.random.default_rng(11)
    out = np.zeros(int(1.2 * RATE))
    for at in (0.05, 0.55):
        burst = _band(chance.standard_normal(int(0.4 * RATE)), 400, 4000)
        time = np.arange(len(burst)) / RATE
        rough = _voice(220 * np.exp(-time), 0.4 * RATE)
        shape = np.minimum(1, time / 0.01) * np.exp(-time / 0.07)
        _add(out, at, burst * shape + 0.5 * rough * np.exp(-time / 0.12) * (time > 0.05))
    return _finished(out)


def laugh() -> Pcm:
    """Six "ha", five a second, falling in pitch and loudness."""
    chance = np.random.default_rng(12)
    out = np.zeros(int(1.5 * RATE))
    for number in range(6):
        count = int(0.16 * RATE)
        time = np.arange(count) / RATE
        breath = _band(chance.standard_normal(count), 800, 3500) * np.exp(-time / 0.03)
        vowel = _band(_voice(np.full(count, 260 - 14 * number), count), 500, 1500)
        shape = np.sin(np.pi * np.minimum(1, time / 0.15)) ** 2
        _add(out, 0.05 + number * 0.2, (0.4 * breath + vowel * shape) * 0.88**number)
    return _finished(out)


def hum(pitch: float) -> Pcm:
    """ "Mm-hm" with closed lips: two hums with a breath between them, the second one rising."""
    chance = np.random.default_rng(15)
    out = np.zeros(int(0.75 * RATE))
    for at, lasts, rise in ((0.05, 0.2, 0.95), (0.33, 0.32, 1.25)):
        count = int(lasts * RATE)
        tone = _voice(pitch * np.linspace(1, rise, count), count)
        nasal = _band(tone, 60, 450) + 0.08 * _band(tone, 450, 2500)
        _add(out, at, nasal * np.sin(np.pi * np.linspace(0, 1, count)) ** 0.5)
    breath = _band(chance.standard_normal(int(0.08 * RATE)), 400, 3000)
    _add(out, 0.25, 0.06 * breath)
    return _finished(out)


def from_table(kind: str, seconds: float) -> Pcm:
    """A noise of `bench.noises`."""
    sound = make(kind, seconds, np.random.default_rng(16))
    pcm: Pcm = soxr.resample(sound, HEARD_RATE, RATE).astype(np.float32)
    return pcm


MADE: Mapping[str, Callable[[], Pcm]] = {
    "cough": cough,
    "laugh": laugh,
    "door": lambda: from_table("door", 1.0),
    "keyboard": lambda: from_table("keyboard", 3.0),
}


def _voice(pitch: np.ndarray, count: float) -> np.ndarray:
    """A buzz of `count` samples, its pitch in Hz at each."""
    phase = 2 * np.pi * np.cumsum(pitch[: int(count)]) / RATE
    tones = [np.sin(number * phase) / number for number in range(1, 20)]
    total: np.ndarray = np.sum(tones, axis=0)
    return total


def _band(signal: np.ndarray, low: float, high: float) -> np.ndarray:
    """What of the signal lies between two frequencies (Hz), its loudest sample 1."""
    spectrum = np.fft.rfft(signal)
    frequency = np.fft.rfftfreq(len(signal), 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] = 0
    kept: np.ndarray = np.fft.irfft(spectrum, len(signal))
    return np.asarray(kept / np.abs(kept).max())


def _add(out: np.ndarray, at: float, piece: np.ndarray) -> None:
    begin = int(at * RATE)
    piece = piece[: len(out) - begin]
    out[begin : begin + len(piece)] += piece


def _finished(out: np.ndarray) -> Pcm:
    pcm: Pcm = (0.5 * out / np.abs(out).max()).astype(np.float32)
    return pcm
