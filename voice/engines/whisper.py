"""What Whisper's own numbers say about a decode: silence, a loop, or text to trust. Pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from voice.audio import HEARD_RATE, Pcm, quietest

MAX_COMPRESSION = 2.4
"""A text that zlib shrinks by more than this repeats itself (openai/whisper `transcribe`)."""

MIN_CONFIDENCE = -0.2
"""A mean log-probability below this is worth a second opinion from a longer window.

Whisper's own -1.0 is about garbage. The short window alone has a word error rate of 5.07 % over 16
sentences with a full text (138 words) and finds 312 of the 349 phrases of 123 recorded clips. With
a second opinion for the 38 below -0.2 it is 3.62 % and 311 (a window of 10 s, 0.43 s of CPU time at
the median), 313 (15 s, 0.61 s) or 316 (30 s, 1.54 s); 30 s for all clips: 3.62 % and 320. Below
-0.3 (18 clips) it is 4.35 % with any of them. A beam of 5 in the short window loops too often
(9.42 %).
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
        cut = quietest(pcm, earliest, longest, width=window)
        parts.append(pcm[:cut])
        pcm = pcm[cut:]
    return [*parts, pcm]
