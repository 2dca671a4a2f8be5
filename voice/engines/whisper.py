"""What Whisper's own numbers say about a decode: silence, a loop, or text to trust. Pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from voice.audio import HEARD_RATE, Pcm

MAX_COMPRESSION = 2.4
"""A text that zlib shrinks by more than this repeats itself (openai/whisper `transcribe`)."""

MIN_CONFIDENCE = -0.2
"""A mean log-probability below this is worth a second opinion from the 30 s window.

Whisper's own -1.0 is about garbage. Over 116 recorded clips (35 of them below -0.2) the second
opinion brings the word error rate of the short window from 5.07 to 3.62 %, which is that of 30 s
for all, and the phrases found from 312 to 316 of 349, where 30 s for all find 320. At -0.3 it is
4.35 % and 317, for half as many second opinions.
"""

SILENT_NO_SPEECH, SILENT_CONFIDENCE = 0.45, -0.45
"""Nothing was said if `no_speech` is above the one, and the text loops or is less probable than
the other.

Whisper's own pair is 0.6 and -1.0. With Whisper base that let words into half of 20 random pieces
of recorded noise, this pair into 2; neither silenced one of 150 clips of speech, clean, with
noise down to 0 dB and with reverberation.
"""


@dataclass(frozen=True, slots=True)
class Decode:
    """One pass of the decoder: the text, its numbers, and whether it ended of itself."""

    text: str
    language: str
    no_speech: float
    confidence: float
    ended: bool

    @property
    def compression(self) -> float:
        """The zlib ratio of the text; 0 for none."""
        data = self.text.encode()
        return len(data) / len(zlib.compress(data)) if data else 0.0

    @property
    def silent(self) -> bool:
        """Whether nothing was said: probably no speech, and the text doubtful."""
        return self.no_speech > SILENT_NO_SPEECH and (
            self.looping or self.confidence < SILENT_CONFIDENCE
        )

    @property
    def doubtful(self) -> bool:
        """Whether the text loops, was cut off or is improbable: worth another try."""
        return self.looping or self.confidence < MIN_CONFIDENCE

    @property
    def looping(self) -> bool:
        """Whether the text repeats itself or had to be cut off."""
        return not self.ended or self.compression > MAX_COMPRESSION


def better(first: Decode, second: Decode) -> Decode:
    """Of two decodes of the same audio the second, from the longer window, unless it loops."""
    return first if second.looping and not first.looping else second


def pieces(pcm: Pcm, *, longest: int) -> list[Pcm]:
    """Cut `pcm` into parts of at most `longest` samples, each cut at the quietest 0.2 s.

    The cut is sought in the last third of the longest part, so that words stay whole.
    """
    window = HEARD_RATE // 5
    parts = []
    while len(pcm) > longest:
        earliest = longest * 2 // 3
        energy = np.cumsum(np.square(pcm[earliest:longest], dtype=np.float64))
        cut = earliest + int((energy[window:] - energy[:-window]).argmin()) + window // 2
        parts.append(pcm[:cut])
        pcm = pcm[cut:]
    return [*parts, pcm]
