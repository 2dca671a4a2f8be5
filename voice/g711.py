"""Telephone audio: ITU-T G.711, mu-law and A-law, 8000 bytes a second. Pure.

A byte stands for one of 256 levels of a logarithmic scale. Decoding is a table made from the
recommendation's formulas; encoding takes the nearest level.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from voice.audio import SPOKEN_RATE, Pcm, pcm_from_int16

RATE = 8_000
"""Samples (and bytes) a second."""

Law = Literal["audio/pcmu", "audio/pcma"]

_BYTES = np.arange(256, dtype=np.int32)


def _mu_levels() -> NDArray[np.int32]:
    """The 16-bit value of each mu-law byte (table 2a of the recommendation, 14 bits times 4)."""
    code = ~_BYTES & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -size, size)


def _a_levels() -> NDArray[np.int32]:
    """The 16-bit value of each A-law byte (table 1a of the recommendation, 13 bits times 8)."""
    code = _BYTES ^ 0x55
    segment = (code & 0x70) >> 4
    step = ((code & 0x0F) << 4) + 8
    size = np.where(segment > 0, (step + 0x100) << np.maximum(segment - 1, 0), step)
    return np.where(code & 0x80, size, -size)


_LEVELS: dict[Law, NDArray[np.int32]] = {"audio/pcmu": _mu_levels(), "audio/pcma": _a_levels()}


def _nearest(levels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """For each 16-bit value, from -32768, the byte of the nearest level."""
    order = np.argsort(levels, kind="stable")
    edges = (levels[order][1:] + levels[order][:-1]) / 2
    places = np.searchsorted(edges, np.arange(-32_768, 32_768))
    return order[places].astype(np.uint8)


_ENCODED = {law: _nearest(levels) for law, levels in _LEVELS.items()}


def decode(data: bytes | memoryview, law: Law) -> Pcm:
    """The samples that the bytes stand for, at 8 kHz."""
    table = (_LEVELS[law] / 32_768).astype(np.float32)
    samples: Pcm = table[np.frombuffer(data, dtype=np.uint8)]
    return samples


def encode(pcm: Pcm, law: Law) -> bytes:
    """One byte for each sample at 8 kHz; values outside [-1, 1] are clipped."""
    scaled = np.clip(np.rint(pcm * 32_768), -32_768, 32_767).astype(np.int32)
    data: bytes = _ENCODED[law][scaled + 32_768].tobytes()
    return data


class Encoder:
    """A reply on its way to a telephone: from pieces of PCM16 at 24 kHz to bytes of G.711."""

    def __init__(self, law: Law) -> None:
        self._law = law
        self._resampler = soxr.ResampleStream(SPOKEN_RATE, RATE, 1, dtype="float32", quality="LQ")

    def encode(self, pcm16: bytes) -> bytes:
        """What of the reply is ready when this piece has come; a little stays behind."""
        return encode(self._resampler.resample_chunk(pcm_from_int16(pcm16)), self._law)

    def flush(self) -> bytes:
        """What has stayed behind, once the reply is over."""
        rest = self._resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        return encode(rest, self._law)
