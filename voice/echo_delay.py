"""How much later than expected the loudspeaker is heard: generalised cross-correlation. Pure.

C. Knapp, G. Carter, "The generalized correlation method for estimation of time delay" (1976), with
the partly whitened spectrum that suits reverberant rooms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice.audio import Pcm

SPAN = 4096
"""Samples of the microphone that are compared at a time: 256 ms."""

EARLY = 800
"""The echo may come so many samples before it is expected (50 ms: the guess was late)."""

LATE = 16_800
"""Or so many after (1050 ms: network, the client's buffer, loudspeaker, room)."""

_FFT = 32_768
_WHITENED = 0.8
"""Exponent of the magnitude that is divided out; 1 would be the phase transform, 0 nothing."""

_KEPT = 0.8
"""Share of the earlier correlation that is kept."""

_LOWEST = 100 * _FFT // 16_000
"""Hum below 100 Hz is left out (bin)."""


class Delay:
    """Finds one delay from a few comparisons; see `compare`."""

    def __init__(self) -> None:
        self._seen: NDArray[np.float32] | None = None

    def reset(self) -> None:
        """Forget what was compared."""
        self._seen = None

    def compare(self, heard: Pcm, line: Pcm) -> tuple[int, float]:
        """Compare the last `SPAN` samples heard with `line`, what was expected from `LATE` before
        their beginning until `EARLY` after their end.

        Returns the likeliest delay in samples and how far its peak stands out, in standard
        deviations. Of 60 pairs of a voice and an unrelated reply none reached 10.5, nor 8.5 three
        times in a row; echoes reach 10 to 30.
        """
        spectrum = np.fft.rfft(line, _FFT) * np.conj(np.fft.rfft(heard, _FFT))
        spectrum /= np.abs(spectrum) ** _WHITENED + 1e-9
        spectrum[:_LOWEST] = 0.0
        # Position i says that the microphone's first sample is sample i of the line.
        found = np.fft.irfft(spectrum, _FFT)[: EARLY + LATE].astype(np.float32)
        possible = _overlapped(line)
        found[~possible] = 0.0
        found /= np.sqrt(np.mean(np.square(found[possible]))) + 1e-12
        self._seen = found if self._seen is None else _KEPT * self._seen + (1 - _KEPT) * found
        heights = np.abs(self._seen)
        best = int(np.argmax(heights))
        level = float(np.sqrt(np.mean(np.square(self._seen[possible])))) + 1e-12
        return LATE - best, float(heights[best]) / level


def _overlapped(line: Pcm) -> NDArray[np.bool_]:
    """Positions at which enough sounds in the line: elsewhere its edge alone makes a peak."""
    energy = np.concatenate(([0.0], np.cumsum(np.square(line, dtype=np.float64))))
    under = energy[SPAN:][: EARLY + LATE] - energy[:-SPAN][: EARLY + LATE]
    enough: NDArray[np.bool_] = under > 0.2 * under.max()
    return enough
