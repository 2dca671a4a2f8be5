"""Rooms between a loudspeaker and a microphone, recorded and made up; 16 kHz throughout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.speech import read_manifest
from voice.audio import HEARD_RATE, Pcm

DIRECT = 40
"""Samples before the direct sound that are kept of a recorded room."""


def synthetic(reverberation: float, *, reverberant: float = 0.15, seed: int = 0) -> Pcm:
    """A direct sound and noise that falls by 60 dB in `reverberation` seconds, its first samples
    `reverberant` times as high as the direct sound.
    """
    length = int(reverberation * HEARD_RATE)
    noise = np.random.default_rng(seed).standard_normal(length)
    room = noise * reverberant * 10.0 ** (-3.0 * np.arange(length) / length)
    room[:DIRECT] = 0.0
    room[DIRECT] = 1.0
    return room.astype(np.float32)


def recorded(folder: Path) -> Mapping[str, Pcm]:
    """The impulse responses of the corpus, by name."""
    rooms = {}
    for clip in read_manifest(folder):
        if clip.kind == "impulse response":
            pcm = clip.read()
            begins = max(0, int(np.argmax(np.abs(pcm))) - DIRECT)
            rooms[clip.name] = pcm[begins:] / np.abs(pcm).max()
    return rooms


def heard_in(room: Pcm, pcm: Pcm) -> Pcm:
    """What is heard of `pcm` in the room, as long as it sounds."""
    length = len(pcm) + len(room) - 1
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(pcm, size) * np.fft.rfft(room, size)
    return np.fft.irfft(spectrum)[:length].astype(np.float32)


def level(pcm: Pcm) -> float:
    """Root mean square of the 10 ms in which there is speech (within 30 dB of the loudest)."""
    power = np.square(pcm[: len(pcm) // 160 * 160].reshape(-1, 160)).mean(axis=1)
    return float(np.sqrt(power[power > power.max() * 1e-3].mean()))


def at_level(pcm: Pcm, decibels: float) -> Pcm:
    """`pcm` with its speech at so many decibels of full scale."""
    scaled: Pcm = (pcm * (10.0 ** (decibels / 20.0) / level(pcm))).astype(np.float32)
    return scaled


def ducked(pcm: Pcm, start: float, end: float, gain: float = 0.2) -> Pcm:
    """`pcm` turned down between `start` and `end` seconds, with ramps of 60 ms."""
    gains = np.ones(len(pcm))
    gains[int(start * HEARD_RATE) : int(end * HEARD_RATE)] = gain
    ramp = HEARD_RATE * 60 // 1000
    smooth = np.convolve(np.pad(gains, ramp, mode="edge"), np.full(ramp, 1 / ramp), mode="same")
    quieter: Pcm = (pcm * smooth[ramp:-ramp]).astype(np.float32)
    return quieter


def noise(length: int, decibels: float = -70.0, seed: int = 0) -> Pcm:
    """White noise of a quiet room, in decibels of full scale."""
    made = np.random.default_rng(seed).standard_normal(length) * 10.0 ** (decibels / 20.0)
    sound: Pcm = made.astype(np.float32)
    return sound


def mixed(length: int, *sounds: tuple[int, Pcm]) -> Pcm:
    """`length` samples in which each sound begins at its sample."""
    out = np.zeros(length, dtype=np.float32)
    for begin, pcm in sounds:
        piece = pcm[: max(0, length - begin)]
        out[begin : begin + len(piece)] += piece
    return out
