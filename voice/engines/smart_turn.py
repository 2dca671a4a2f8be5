"""Smart Turn v3.2: has the speaker finished, judged from the sound alone?

The model (pipecat-ai/smart-turn, BSD-2) is a Whisper tiny encoder with a small head. It hears the
last 8 s, which end where the audio ends.
"""

from __future__ import annotations

import numpy as np
import onnxruntime

from voice.audio import HEARD_RATE, Pcm
from voice.engines import EngineOptions
from voice.engines.mel import Features, log_mel
from voice.engines.onnx import open_session
from voice.errors import EngineFailed
from voice.lane import Lane

SPAN = 8 * HEARD_RATE
"""Samples the model hears: 8 s."""


class SmartTurn:
    """The detector; see `voice.engines.TurnDetector`. The model is int8 and made for the CPU."""

    device = "cpu"

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._lane = Lane("turn")

    async def completion(self, pcm: Pcm) -> float:
        """Probability in [0, 1] that the turn in `pcm` (16 kHz, any length) is complete.

        Only the last 8 s count. Raises `Overloaded` if too much waits, `EngineFailed` if the
        model fails; cancelling before the work starts costs nothing.
        """
        return await self._lane.run(lambda: self.judge(pcm))

    def judge(self, pcm: Pcm) -> float:
        """`completion` without the queue (blocking)."""
        try:
            (answer,) = self._session.run(None, {"input_features": features(pcm)[None]})
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise EngineFailed("the turn detector failed") from error
        return float(answer[0, 0])

    def close(self) -> None:
        """Refuse further work."""
        self._lane.close()


def features(pcm: Pcm) -> Features:
    """What the model is fed for `pcm`: shape `(80, 800)`.

    As in training (`WhisperFeatureExtractor(chunk_length=8)`, `do_normalize=True`): silence goes
    to the left, then the whole 8 s are brought to zero mean and unit variance.
    """
    heard = np.zeros(SPAN, dtype=np.float32)
    tail = pcm[-SPAN:]
    heard[SPAN - len(tail) :] = np.clip(np.nan_to_num(tail), -1.0, 1.0)
    return log_mel((heard - heard.mean()) / np.sqrt(heard.var() + 1e-7))


def load(options: EngineOptions) -> SmartTurn:
    """Load and warm the model (blocking); `ConfigError` if its weights are missing."""
    name = "smart-turn/smart-turn-v3.2-cpu.onnx"
    detector = SmartTurn(open_session(options.weights, name, threads=options.threads))
    detector.judge(np.zeros(0, dtype=np.float32))
    return detector
