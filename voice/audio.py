"""PCM as the house knows it: mono float32 arrays in [-1, 1]. Pure.

Two rates exist inside: what the listening models take (`HEARD_RATE`, 16 kHz) and what the
synthesiser makes (`SPOKEN_RATE`, 24 kHz, also the rate of `audio/pcm` on the wire).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.float32]
"""Mono samples, shape `(n,)`, float32 in [-1, 1]; the rate is the context's."""

HEARD_RATE = 16_000
"""Samples a second given to VAD, turn detector and speech recognition."""

SPOKEN_RATE = 24_000
"""Samples a second of synthesised speech, and of `audio/pcm` on the wire."""


def pcm_from_int16(data: bytes | memoryview) -> Pcm:
    """Decode little-endian 16-bit PCM bytes; `ValueError` if the byte count is odd."""
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0


def int16_from_pcm(pcm: Pcm) -> bytes:
    """Encode as little-endian 16-bit PCM; values outside [-1, 1] are clipped, NaN becomes 0."""
    scaled = np.nan_to_num(pcm, nan=0.0, posinf=1.0, neginf=-1.0) * 32768.0
    data: bytes = np.clip(np.rint(scaled), -32768, 32767).astype("<i2").tobytes()
    return data


def seconds(samples: int, rate: int) -> float:
    """Duration in seconds of `samples` at `rate` samples a second."""
    return samples / rate


def loudness(pcm: Pcm) -> float:
    """The level of `pcm` in decibels of full scale, -120 for silence."""
    power = float(np.mean(np.square(pcm, dtype=np.float64))) if len(pcm) else 0.0
    return 10.0 * float(np.log10(max(power, 1e-12)))


def quietest(pcm: Pcm, earliest: int, latest: int, *, width: int) -> int:
    """The middle of the quietest `width` samples of `pcm` between `earliest` and `latest`."""
    energy = np.cumsum(np.square(pcm[earliest:latest], dtype=np.float64))
    return earliest + int((energy[width:] - energy[:-width]).argmin()) + width // 2
