"""Sounds without words, made from random numbers, to hear what recognition makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from voice.audio import HEARD_RATE, Pcm

Sound = NDArray[np.float64]
Make = Callable[[np.random.Generator, int], Sound]
"""A number of samples to a sound of any level."""


def make(kind: str, seconds: float, rng: np.random.Generator) -> Pcm:
    """A sound of this kind (one of `KINDS`) at 16 kHz, its loudest sample 0.02 to 0.6."""
    sound = KINDS[kind](rng, int(seconds * HEARD_RATE))
    top = float(np.abs(sound).max(initial=0.0)) or 1.0
    level = 10 ** rng.uniform(np.log10(0.02), np.log10(0.6))
    return (sound * (level / top)).astype(np.float32)


def coloured(rng: np.random.Generator, samples: int, *bands: tuple[float, float, float]) -> Sound:
    """Noise of these (lowest Hz, highest Hz, level) bands, each falling by 3 dB an octave."""
    size = 1 << max(10, (samples - 1).bit_length())
    spectrum = np.fft.rfft(rng.normal(size=size))
    hertz = np.fft.rfftfreq(size, 1 / HEARD_RATE)
    shape = np.zeros(len(hertz))
    for low, high, level in bands:
        inside = (hertz >= low) & (hertz < high)
        shape[inside] += level * np.sqrt(low / np.maximum(hertz[inside], low))
    return np.asarray(np.fft.irfft(spectrum * shape, size)[:samples])


def _silence(rng: np.random.Generator, samples: int) -> Sound:
    return np.zeros(samples)


def _white(rng: np.random.Generator, samples: int) -> Sound:
    return rng.normal(size=samples)


def _pink(rng: np.random.Generator, samples: int) -> Sound:
    return coloured(rng, samples, (20, 8000, 1))


def _hum(rng: np.random.Generator, samples: int) -> Sound:
    """Mains hum with its harmonics over a little noise."""
    base = rng.choice([50.0, 60.0])
    time = np.arange(samples) / HEARD_RATE
    tones = [np.sin(2 * np.pi * base * n * time) / n for n in (1, 2, 3, 5, 7)]
    return np.asarray(np.sum(tones, axis=0) + 0.02 * rng.normal(size=samples))


def _keyboard(rng: np.random.Generator, samples: int) -> Sound:
    """Two short clicks a key, some eight keys a second."""
    sound = 0.003 * rng.normal(size=samples)
    at = rng.exponential(0.1) * HEARD_RATE
    while at < samples:
        for delay, level in ((0.0, 1.0), (rng.uniform(0.04, 0.09), rng.uniform(0.2, 0.6))):
            length = int(rng.uniform(0.004, 0.015) * HEARD_RATE)
            click = coloured(rng, length, (1500, 7000, 1), (150, 400, 0.5))
            _add(sound, int(at + delay * HEARD_RATE), level * click * _fading(length, 3))
        at += (0.05 + rng.exponential(0.08)) * HEARD_RATE
    return sound


def _breath(rng: np.random.Generator, samples: int) -> Sound:
    """Breathing in and out: noise in the bands of a mouth that swells and fades."""
    sound = 0.005 * rng.normal(size=samples)
    at = 0
    while at < samples:
        length = int(rng.uniform(0.5, 1.6) * HEARD_RATE)
        middle = rng.uniform(500, 1500)
        air = coloured(rng, length, (middle * 0.6, middle * 1.6, 1), (2000, 5000, 0.3))
        _add(sound, at, air * np.sin(np.linspace(0, np.pi, length)) ** 2)
        at += length + int(rng.uniform(0.2, 1.0) * HEARD_RATE)
    return sound


def _door(rng: np.random.Generator, samples: int) -> Sound:
    """A slam: a low thump, a crack, and the room after it."""
    sound = 0.002 * rng.normal(size=samples)
    length = int(rng.uniform(0.4, 0.9) * HEARD_RATE)
    thump = coloured(rng, length, (40, 300, 1), (300, 3000, 0.3)) * _fading(length, 6)
    _add(sound, int(rng.uniform(0, 0.5) * samples), thump)
    return sound


def _music(rng: np.random.Generator, samples: int) -> Sound:
    """Chords with overtones and vibrato, another every half second or so."""
    sound = np.zeros(samples)
    at = 0
    while at < samples:
        length = int(rng.uniform(0.3, 0.9) * HEARD_RATE)
        time = np.arange(length) / HEARD_RATE
        root = 110 * 2 ** (rng.integers(0, 24) / 12)
        for step in ((0, 4, 7), (0, 3, 7), (0, 5, 9))[rng.integers(3)]:
            wobble = 0.006 * np.sin(2 * np.pi * rng.uniform(4, 7) * time) / 5
            phase = 2 * np.pi * root * 2 ** (step / 12) * (time + wobble)
            note = sum(np.sin(n * phase) / n**1.5 for n in range(1, 6))
            _add(sound, at, note * np.minimum(1, time / 0.02) * _fading(length, 1.5))
        at += length
    return sound


def _applause(rng: np.random.Generator, samples: int) -> Sound:
    """Many hands, each a burst of a few milliseconds."""
    sound = np.zeros(samples)
    for _ in range(int(samples / HEARD_RATE * rng.uniform(30, 150))):
        length = int(rng.uniform(0.01, 0.03) * HEARD_RATE)
        clap = coloured(rng, length, (600, 3500, 1)) * _fading(length, 5)
        _add(sound, int(rng.integers(0, max(1, samples))), rng.uniform(0.2, 1) * clap)
    return sound


def _fading(samples: int, speed: float) -> Sound:
    return np.exp(-speed * np.linspace(0, 1, samples))


def _add(sound: Sound, at: int, part: Sound) -> None:
    end = min(len(sound), at + len(part))
    if at < end:
        sound[at:end] += part[: end - at]


KINDS: Mapping[str, Make] = {
    "silence": _silence,
    "white noise": _white,
    "pink noise": _pink,
    "hum": _hum,
    "keyboard": _keyboard,
    "breath": _breath,
    "door": _door,
    "music": _music,
    "applause": _applause,
}
"""kind -> how it is made."""
