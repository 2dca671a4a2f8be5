"""The way from the loudspeaker to the microphone, learnt while it is used. Pure.

A partitioned-block frequency-domain Kalman filter: F. Kuech, E. Mabande, G. Enzner, "State-space
architecture of the partitioned-block-based acoustic echo controller" (ICASSP 2014). It knows how
uncertain each of its coefficients is, so it learns fast at first and hardly at all while someone
speaks over the echo. Beside it, one gain for everything follows the volume (a page that ducks).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice.audio import Pcm

FRAME = 512
PARTS = 8
"""The filter is `PARTS * FRAME` samples long: 256 ms. What sounds on after that is suppressed."""

_BINS = FRAME + 1
_STAYS = 0.998
"""Share of a coefficient's power that stays from frame to frame: the room changes slowly."""

_SMOOTHED = 0.8
"""Share of the earlier estimate of what is not echo that is kept."""

_GAIN_WANDERS = 0.02
"""Variance that the gain gains in a frame: from 1 to a fifth in about two."""

_LOUD_ENOUGH = 3e-7
"""Mean power of an expected echo that can be missed (-65 dB)."""

_BASS = 6
"""Bins of hum that are left aside."""

_FLATTENED = 17
"""Bins over which a spectrum is made even."""

_HEARD = 0.7
"""From this correlation on the echo is what was expected."""

_SOFT, _FORGETS = 0.006, 0.99
"""Less than this share of the loudest frame lately is no measure; share of that in the next."""

_SURELY = 0.7
"""The same for one that is not so many times what it may be off by."""

_SHORT = 4.0
"""But so many times what is heard was certainly expected."""

_LIKE, _UNLIKE = 0.7, 0.4
"""An echo is missing if it should have a correlation of at least the one with what is heard, and
has less than the other's share of that. A voice over it lowers what it should have as well.
"""

_SOFTEST, _LOUDEST = 0.05, 1.3
"""Bounds of the gain: louder than learnt is learnt, not followed, and nothing is learnt from 0."""


class Split(NamedTuple):
    """A frame taken apart: what is left, the echo that was taken out, and for each bin the power
    that the echo's estimate may be off by (of `FRAME` samples, in a transform of twice that).

    `missing` says that the echo that was expected is not in there; None if that cannot be told.
    """

    left: Pcm
    echo: Pcm
    doubt: NDArray[np.float32]
    missing: bool | None


class EchoFilter:
    """Takes the echo out of one frame after another."""

    def __init__(self) -> None:
        shape = (PARTS, _BINS)
        self._coefficients: NDArray[np.complex64] = np.zeros(shape, dtype=np.complex64)
        self._variance: NDArray[np.float32] = np.ones(shape, dtype=np.float32)
        self._line: NDArray[np.complex64] = np.zeros(shape, dtype=np.complex64)
        self._others: NDArray[np.float32] = np.full(_BINS, 1e-4, dtype=np.float32)
        self._known = False
        self._gain = 1.0
        self._gain_variance = 0.01
        self._usual = 1.0
        """The gain when the echo was last heard as expected."""
        self._ratio = 1.0
        """Power of the echo over that of the line, when it was first heard."""
        self._loudest = 0.0
        """Power of the loudest frame of echo lately."""

    def expect(self, ratio: float) -> None:
        """What is learnt is nothing or wrong: the echo has about `ratio` times the power of the
        line, less the later it comes.
        """
        self._ratio = min(ratio, 10.0, 2.0 * self._ratio if self._known else 10.0)
        falling = np.exp2(-np.arange(PARTS, dtype=np.float32))[:, None] * self._ratio
        self._variance = np.maximum(self._variance * self._known, falling).astype(np.float32)
        self._known = True

    def relearn(self) -> None:
        """What was learnt is wrong: the echo has the same power, but may come from anywhere."""
        self._variance[:] = 2.0 * self._ratio / PARTS
        self._coefficients[:] = 0.0
        self._others[:] = 1e-6
        self.restore()

    def restore(self) -> None:
        """The volume is what it was when the filter was learnt, as far as one knows."""
        self._gain = self._usual = 1.0

    def align(self, line: Pcm) -> None:
        """Another delay: `line` ends where the next frame's will begin, `(PARTS + 1) * FRAME`."""
        for part in range(PARTS):
            end = len(line) - part * FRAME
            self._line[part] = np.fft.rfft(line[end - 2 * FRAME : end])

    def split(self, heard: Pcm, line: Pcm, *, learn: bool) -> Split:
        """`line` is what was played at the time of the frame before and of this one."""
        self._line[1:] = self._line[:-1].copy()
        self._line[0] = np.fft.rfft(line)
        block = np.zeros((2, 2 * FRAME), dtype=np.float32)
        echo = np.fft.irfft((self._line * self._coefficients).sum(axis=0))[FRAME:]
        block[0, FRAME:] = echo
        block[1, FRAME:] = heard
        predicted, observed = np.fft.rfft(block)
        power = np.square(np.abs(self._line))
        wavering = 0.5 * (power * self._variance).sum(axis=0)
        self._follow_gain(predicted, observed, 1.0 / (self._others + wavering))
        missing = self._is_missing(predicted, observed, wavering)
        gain = self._gain
        scaled: Pcm = (gain * echo).astype(np.float32)
        rest = observed - gain * predicted
        power *= gain * gain
        doubt = wavering * (gain * gain)
        beyond = np.maximum(np.square(np.abs(rest)) - doubt, 0.0)
        smoothed = _SMOOTHED * self._others + (1 - _SMOOTHED) * beyond
        # Someone who begins to speak must count at once, or the filter learns their voice.
        self._others = np.maximum(smoothed, 0.5 * beyond).astype(np.float32) + 1e-9
        if learn:
            self._learn(rest, power, doubt)
        return Split(heard - scaled, scaled, doubt.astype(np.float32), missing)

    def _is_missing(
        self,
        predicted: NDArray[np.complexfloating],
        observed: NDArray[np.complexfloating],
        wavering: NDArray[np.floating],
    ) -> bool | None:
        """Whether what was predicted is not in what was observed, of which it may be a part.

        All of the spectrum counts alike, or one loud vowel would decide.
        """
        predicted, observed = predicted[_BASS:], observed[_BASS:]
        power = float(np.mean(np.square(np.abs(predicted))))
        self._loudest = max(power, _FORGETS * self._loudest)
        if power < _LOUD_ENOUGH * FRAME:
            return None
        heard = np.square(np.abs(observed))
        weight = 1.0 / (np.convolve(heard, np.full(_FLATTENED, 1 / _FLATTENED), "same") + 1e-6)
        expected = self._usual * float(weight @ np.square(np.abs(predicted))) ** 0.5
        whole = float(weight @ heard) ** 0.5
        common = float(weight @ (observed * predicted.conj()).real) * self._usual
        if expected < _LIKE * whole:
            return None
        soft = power < max(_SOFT * self._loudest, _SURELY * float(np.mean(wavering[_BASS:])))
        if soft and expected < _SHORT * whole:
            return None  # a tail, of which much may be wrong
        if common >= _HEARD * expected * whole:
            self._usual = self._gain
            return False
        return bool(common < _UNLIKE * min(expected, whole) * expected)

    def _learn(
        self,
        rest: NDArray[np.complexfloating],
        power: NDArray[np.floating],
        doubt: NDArray[np.floating],
    ) -> None:
        step = self._variance / (2.0 * (doubt + self._others))
        change = np.fft.irfft(step * np.conj(self._line) * self._gain * rest)
        change[:, FRAME:] = 0.0  # of a circular convolution, only this half is the filter
        self._coefficients += np.fft.rfft(change).astype(np.complex64)
        kept = np.maximum(1.0 - 0.5 * step * power, 0.0) * self._variance
        drift = (1.0 - _STAYS) * np.square(np.abs(self._coefficients))
        self._variance = (_STAYS * kept + drift + 1e-12).astype(np.float32)

    def _follow_gain(
        self,
        predicted: NDArray[np.complexfloating],
        observed: NDArray[np.complexfloating],
        weight: NDArray[np.floating],
    ) -> None:
        certainty = float(np.square(np.abs(predicted)) @ weight)
        if certainty <= 1.0:
            return
        measured = float((observed * predicted.conj()).real @ weight) / certainty
        self._gain_variance += _GAIN_WANDERS
        share = self._gain_variance / (self._gain_variance + 1.0 / certainty)
        self._gain = min(max(self._gain + share * (measured - self._gain), _SOFTEST), _LOUDEST)
        self._gain_variance *= 1.0 - share
