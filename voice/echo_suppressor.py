"""What the filter leaves of the echo, turned down where little else is heard. Pure.

A Wiener gain in each bin from the power of the echo that may be left. How much that is, compared to
the echo that was taken out, is learnt for each band from the frames where it was least: nobody
spoke over those.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice.audio import Pcm
from voice.echo_filter import FRAME, Split

_BANDS = 32
_TAPS = 256
_FADE = 128
"""Samples over which one frame's gains pass into the next's."""

_FLOOR = 0.03
"""Smallest gain."""

_CAUTION = 2.0
"""The echo that is left is taken for so many times what it is estimated to be."""

_EARLY_CAUTION, _EARLY = 6.0, 64
"""So many times in the first frame there is an echo, from where it falls over so many frames."""

_FALLS, _RISES = 0.08, 0.008
"""How fast the share of the echo that is left is learnt, downwards and upwards, in a frame."""

_REVERBERATION = 0.05
"""Power of the echo that sounds on after the filter's length."""

_DECAY = 0.6
"""Share of it that is still there a frame later (-60 dB in 0.87 s)."""


class Suppressor:
    """Turns down what is left of the echo, one frame after another; adds no delay."""

    def __init__(self) -> None:
        self._window = np.hanning(2 * FRAME + 1)[:-1].astype(np.float32)
        self.beware()
        self.rest()

    def beware(self) -> None:
        """The filter is new or was found wrong: as much echo may be left as it predicts."""
        self._share: NDArray[np.float32] = np.ones(_BANDS, dtype=np.float32)
        self._age = 0

    def rest(self) -> None:
        """The echo has died down: forget the sound, keep what was learnt."""
        self._before: NDArray[np.float32] = np.zeros((2, FRAME), dtype=np.float32)
        self._reverberation: NDArray[np.float32] = np.zeros(FRAME + 1, dtype=np.float32)
        self._tail: Pcm = np.zeros(_TAPS - 1, dtype=np.float32)
        self._taps: Pcm | None = None

    def suppress(self, split: Split) -> Pcm:
        """What is left of the frame without what is left of the echo."""
        now = np.stack((split.left, split.echo))
        both = np.concatenate((self._before, now), axis=1) * self._window
        self._before = now
        left, echo = np.square(np.abs(np.fft.rfft(both)))
        share = np.repeat(self._learn_share(left, echo), FRAME // _BANDS)
        residue = 0.4 * split.doubt + self._reverberation
        residue[:FRAME] += share * echo[:FRAME]
        self._reverberation = _DECAY * (self._reverberation + _REVERBERATION * echo)
        early = max(0.0, 1.0 - self._age / _EARLY)
        caution = _CAUTION + (_EARLY_CAUTION - _CAUTION) * early
        self._age += 1
        gains = np.maximum(1.0 - caution * residue / (left + 1e-9), _FLOOR)
        gains = np.convolve(np.pad(gains, 2, mode="edge"), np.full(5, 0.2), mode="valid")
        return self._apply(split.left, _minimum_phase(gains))

    def _learn_share(
        self, left: NDArray[np.floating], echo: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        of_left = left[:FRAME].reshape(_BANDS, -1).mean(axis=1)
        of_echo = echo[:FRAME].reshape(_BANDS, -1).mean(axis=1)
        ratio = np.minimum(of_left / (of_echo + 1e-9), 1.0)
        known = of_echo > 0.01 * of_echo.max() + 1e-6
        pace = np.where(ratio < self._share, _FALLS, _RISES) * known
        self._share = (self._share + pace * (ratio - self._share)).astype(np.float32)
        return self._share

    def _apply(self, left: Pcm, taps: Pcm) -> Pcm:
        sound = np.concatenate((self._tail, left))
        self._tail = sound[-(_TAPS - 1) :]
        old = taps if self._taps is None else self._taps
        self._taps = taps
        spectra = np.fft.rfft(np.stack((old, taps)), 2 * FRAME) * np.fft.rfft(sound, 2 * FRAME)
        before, after = np.fft.irfft(spectra)[:, _TAPS - 1 : _TAPS - 1 + FRAME]
        fade = np.minimum(np.arange(FRAME, dtype=np.float32) / _FADE, 1.0)
        out: Pcm = (before + fade * (after - before)).astype(np.float32)
        return out


def _minimum_phase(gains: NDArray[np.floating]) -> Pcm:
    """The causal filter of these gains that delays least: by folding the cepstrum."""
    cepstrum = np.fft.irfft(np.log(gains))
    cepstrum[1:FRAME] *= 2.0
    cepstrum[FRAME + 1 :] = 0.0
    taps: Pcm = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:_TAPS].astype(np.float32)
    return taps
