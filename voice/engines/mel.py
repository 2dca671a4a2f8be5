"""Whisper's log-mel spectrogram in numpy. Pure.

The same features serve Whisper and Smart Turn (whose encoder is Whisper's). The definition is that
of `log_mel_spectrogram` in openai/whisper (`whisper/audio.py`): 25 ms Hann windows every 10 ms,
power, Slaney-scaled mel filters, log10 floored 8 below its maximum, then `(x + 4) / 4`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voice.audio import HEARD_RATE, Pcm

HOP = 160
"""Samples from one feature frame to the next (10 ms at 16 kHz)."""

WINDOW = 400
"""Samples a feature frame sees (25 ms at 16 kHz)."""

Features = NDArray[np.float32]
"""Log-mel features, shape `(mels, frames)`, float32, roughly in [-1, 1]."""


def log_mel(pcm: Pcm, *, mels: int = 80) -> Features:
    """Features of `pcm` (16 kHz, at least `WINDOW` samples): `len(pcm) // HOP` frames.

    The floor is relative to the loudest frame of `pcm`, so features of a part are not always a
    part of the features.
    """
    edged = np.pad(pcm.astype(np.float32, copy=False), WINDOW // 2, mode="reflect")
    frames = sliding_window_view(edged, WINDOW)[::HOP][: len(pcm) // HOP]
    spectrum = np.fft.rfft(frames * _hann_window(), axis=-1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    energy = _mel_filters(mels) @ power.T.astype(np.float32, copy=False)
    logs = np.log10(np.maximum(energy, 1e-10))
    features: Features = (np.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0
    return features


@lru_cache(maxsize=1)
def _hann_window() -> NDArray[np.float32]:
    """Periodic Hann window, as `torch.hann_window` makes it."""
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=4)
def _mel_filters(mels: int) -> NDArray[np.float32]:
    """Triangular filters, shape `(mels, WINDOW // 2 + 1)`, each of area 1 (Slaney).

    The Slaney scale is linear up to 1 kHz (15 mels) and logarithmic above, a factor of 6.4 in
    frequency being 27 mels (librosa `filters.mel`, `htk=False`).
    """
    nyquist = HEARD_RATE / 2
    top = 15.0 + 27.0 * np.log(nyquist / 1000.0) / np.log(6.4)
    scale = np.linspace(0.0, top, mels + 2)
    hertz = np.where(scale < 15.0, scale * 200.0 / 3.0, 1000.0 * 6.4 ** ((scale - 15.0) / 27.0))
    bins = np.fft.rfftfreq(WINDOW, 1.0 / HEARD_RATE)
    rise = (bins - hertz[:-2, None]) / np.diff(hertz)[:-1, None]
    fall = (hertz[2:, None] - bins) / np.diff(hertz)[1:, None]
    area = 2.0 / (hertz[2:] - hertz[:-2])
    filters = np.maximum(0.0, np.minimum(rise, fall)) * area[:, None]
    narrow: NDArray[np.float32] = filters.astype(np.float32)
    return narrow
