"""Silero VAD v6: is there speech in these 32 ms?

One set of weights for all streams; a stream is 2 KB of recurrent state and the last samples of
the frame before. Runs on the CPU always: a frame costs less than the way to a GPU and back.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voice.audio import HEARD_RATE, Pcm
from voice.engines import EngineOptions
from voice.engines.onnx import open_session

FRAME = 512
"""Samples the model takes at 16 kHz, no other number."""

CONTEXT = 64
"""Samples of the frame before that are put in front of each frame (silero-vad `OnnxWrapper`)."""

_RATE = np.array(HEARD_RATE, dtype=np.int64)


class SileroVad:
    """The shared model; see `voice.engines.Vad`."""

    frame = FRAME
    device = "cpu"

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def open(self) -> SileroStream:
        """A fresh stream, which has heard silence so far."""
        return SileroStream(self._session)


class SileroStream:
    """One stream's state; see `voice.engines.VadStream`."""

    __slots__ = ("_input", "_session", "_state")

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._state: NDArray[np.float32] = np.zeros((2, 1, 128), dtype=np.float32)
        self._input: NDArray[np.float32] = np.zeros((1, CONTEXT + FRAME), dtype=np.float32)

    def probability(self, frame: Pcm) -> float:
        """Probability in [0, 1] that `frame`, shape `(512,)` at 16 kHz, holds speech.

        Samples outside [-1, 1] are clipped and NaN counts as 0: one bad sample would otherwise
        stay in the state for good. Raises `ValueError` for another number of samples.
        """
        if frame.shape != (FRAME,):
            raise ValueError(f"a frame has {FRAME} samples, not shape {frame.shape}")
        self._input[0, :CONTEXT] = self._input[0, -CONTEXT:]
        self._input[0, CONTEXT:] = np.clip(np.nan_to_num(frame), -1.0, 1.0)
        probability, self._state = self._session.run(
            None, {"input": self._input, "state": self._state, "sr": _RATE}
        )
        return float(probability[0, 0])


def load(options: EngineOptions) -> SileroVad:
    """Load the model (blocking); `ConfigError` if its weights are missing."""
    vad = SileroVad(open_session(options.weights, "silero/silero_vad.onnx", threads=1))
    vad.open().probability(np.zeros(FRAME, dtype=np.float32))
    return vad
