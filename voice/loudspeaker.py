"""What a client's loudspeaker is expected to play, and when: from the audio that goes out."""

from __future__ import annotations

import numpy as np
import soxr

from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm
from voice.echo import Echo
from voice.sounds import RATES, Encoding, Sounds


class Loudspeaker:
    """Tells an `Echo` what is played. Times are samples of the microphone at `HEARD_RATE`."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._reply = ""
        self._begins = 0
        self._encoding: Encoding = "audio/pcm"
        self._sounds = Sounds()
        self._resampler = _resampler(SPOKEN_RATE)

    def play(self, data: bytes, at: int, *, of: str, encoding: Encoding = "audio/pcm") -> None:
        """A piece of the reply `of` went out at sample `at`.

        It sounds when the pieces before it have sounded. `ValueError` if PCM16 has half a sample.
        """
        sound = self._sounds.decode(data, encoding)
        fresh = of != self._reply
        if fresh or encoding != self._encoding:
            self._resampler = _resampler(RATES[encoding])
        self._encoding = encoding
        pcm: Pcm = self._resampler.resample_chunk(sound)
        begins = self._echo.play(pcm, at)
        if fresh:
            self._reply = of
            self._begins = begins

    def stop(self, at: int) -> None:
        """What has not sounded by sample `at` never will."""
        self._echo.stop(at)
        self._reply = ""

    def played(self, of: str, seconds: float, at: int) -> None:
        """By sample `at`, the client says, it has played so much of the reply `of`."""
        if of == self._reply:
            self._echo.played(self._begins + int(seconds * HEARD_RATE), at)


def _resampler(rate: int) -> soxr.ResampleStream:
    return soxr.ResampleStream(rate, HEARD_RATE, 1, dtype=np.float32, quality="LQ")
