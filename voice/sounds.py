"""What comes in and goes out as sound, whatever its encoding."""

from __future__ import annotations

from typing import Literal

from voice import g711, opus
from voice.audio import SPOKEN_RATE, Pcm, pcm_from_int16

Encoding = Literal["audio/pcm", "audio/pcmu", "audio/pcma", "audio/opus"]
"""PCM16 at 24 kHz, G.711 at 8 kHz, pieces of Opus."""

RATES: dict[Encoding, int] = {
    "audio/pcm": SPOKEN_RATE,
    "audio/pcmu": g711.RATE,
    "audio/pcma": g711.RATE,
    "audio/opus": opus.RATE,
}
"""Samples a second once it is decoded."""


class Sounds:
    """One direction of a session, piece after piece."""

    def __init__(self) -> None:
        self._opus = opus.Decoder()

    def decode(self, data: bytes | memoryview, encoding: Encoding) -> Pcm:
        """The samples at the encoding's rate.

        Raises `ValueError` if PCM16 has half a sample, `BadEvent` `invalid_audio` for Opus that is
        none.
        """
        if encoding == "audio/pcm":
            return pcm_from_int16(data)
        if encoding == "audio/opus":
            return self._opus.decode(data)
        return g711.decode(data, encoding)
