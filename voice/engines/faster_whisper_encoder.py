"""Whisper's encoder on CTranslate2, fed only as much audio as there is."""

from __future__ import annotations

from typing import Any

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from voice.audio import HEARD_RATE, Pcm
from voice.engines.mel import HOP, log_mel

WINDOW = 30 * HEARD_RATE
"""Samples Whisper was trained on."""

MARGIN = HEARD_RATE
"""Silence encoded after the audio."""

TAIL = 100
"""Ready-made encoded frames of silence that follow (see `Encoder.short`).

Chosen on half of the recorded speech, 34 to 47 clips: without the tail 12 of them looped and with
0.5 s of margin 16; with 50 frames none looped but some words changed; 200 were no better.
"""

Encoded = NDArray[np.floating[Any]]
"""The encoder's output, shape `(1, frames, width)`, a frame every 20 ms."""


class Encoder:
    """The encoder of a loaded model, and silence it has seen."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._silence = self.whole(_short_noise(), WINDOW)

    def short(self, pcm: Pcm) -> Encoded:
        """The encoder's view of `pcm`, 1 s of silence, and a few glimpses of the silence that
        would follow up to 30 s.

        Without those the decoder cannot see that the speech is over, and says short sentences
        again and again. Silence looks the same after any speech, so its frames are taken, evenly
        spaced, from a window that was encoded once.
        """
        heard = self.whole(pcm, len(pcm) + MARGIN)
        first, last = heard.shape[1], self._silence.shape[1] - 1
        if first > last:
            return heard
        spread = np.unique(np.linspace(first, last, TAIL).astype(np.intp))
        return np.concatenate([heard, self._silence[:, spread]], axis=1)

    def whole(self, pcm: Pcm, samples: int) -> Encoded:
        """The encoder's view of `pcm` with silence up to `samples` (rounded up to 20 ms)."""
        window = np.zeros(-(-samples // (2 * HOP)) * 2 * HOP, dtype=np.float32)
        window[: len(pcm)] = pcm
        features = log_mel(window, mels=self._model.n_mels)[None]
        encoded = ctranslate2.StorageView.from_array(np.ascontiguousarray(features))
        return np.array(self._model.encode(encoded, to_cpu=True))


def view(encoded: Encoded) -> ctranslate2.StorageView:
    """What the decoder takes."""
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded))


def _short_noise() -> Pcm:
    """A second of quiet noise: something to be silent after, as the features are relative to
    the loudest frame.
    """
    noise = np.random.default_rng(0).normal(scale=0.05, size=HEARD_RATE)
    return noise.astype(np.float32)
