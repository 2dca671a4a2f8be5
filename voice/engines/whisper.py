"""What Whisper's own numbers say about a decode: silence, a loop, or text to trust. Pure."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from voice.audio import HEARD_RATE, Pcm, quietest
from voice.engines import Transcript
from voice.engines.languages import BRIEF
from voice.engines.phantoms import is_phantom

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

SILENT = (0.45, -1.0)
"""Nothing was said if `no_speech` is above the one, and the text loops or is less probable than
the other; Whisper's own pair is 0.6 and -1.0.

Of 156 pieces of noise 149 gave such a decode, a phantom or a loop. None of them gave another text
more probable than -1.0, which short words are that have much silence around them ("Yes": 0.50 and
-0.55; "half past seven": 0.51 and -0.50).
"""

GARBLED = (0.15, -1.5)
"""The same for a text that is hardly believed, loop or not."""

PHANTOM = (0.35, -0.3)
"""The same for a text that recognisers are known to make of noise. In 93 pieces of noise that gave
one `no_speech` was 0.46 or more; in "thank you", "bye", "okay" and "thanks", said by three voices
of the synthesiser, 0.27 or less."""

NONSENSE = -0.55
"""A text less probable than this may have been said in another language: brief utterances then come
out as nonsense, or as nothing, of which the recogniser may be sure.
"""

CLEARLY = (0.15, -0.75)
"""By so much more probable, and at least so probable, must the text in that language be."""

DRAWN_OUT = 20.0
"""Nobody says what zlib shrinks by more than this: breath came out as "AHHH" 52 times as long. What
is said in a language that was not found may loop too, up to 11 in 123 recordings."""


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
        if not self.text:
            return True
        if self.looping and self.no_speech > SILENT[0]:
            return True
        return (
            self._beyond(*SILENT)
            or self._beyond(*GARBLED)
            or (self._beyond(*PHANTOM) and is_phantom(self.text))
        )

    def _beyond(self, no_speech: float, confidence: float) -> bool:
        return self.no_speech > no_speech and self.confidence < confidence

    @property
    def doubtful(self) -> bool:
        """Whether the text loops, was cut off or is improbable: worth another try."""
        return self.looping or self.confidence < MIN_CONFIDENCE

    @property
    def drawn_out(self) -> bool:
        """Whether it is one sound again and again."""
        return self.compression > DRAWN_OUT

    @property
    def looping(self) -> bool:
        """Whether the text repeats itself or was cut off."""
        return not self.ended or self.repeating

    @property
    def repeating(self) -> bool:
        """Whether the text repeats itself."""
        return self.compression > MAX_COMPRESSION


def makes_sense(decode: Decode, seconds: float) -> bool:
    """Whether what was heard in the expected language need not be tried in another one."""
    if decode.silent:
        return seconds >= BRIEF
    return decode.confidence >= NONSENSE


def clearer(expected: Decode, other: Decode) -> Decode:
    """Of two decodes of the same audio the one in the other language if that is clearly right."""
    least = CLEARLY[1]
    if not expected.silent:
        least = max(expected.confidence + CLEARLY[0], least)
    usable = not other.silent and not other.looping
    return other if usable and other.confidence > least else expected


def better(first: Decode, second: Decode) -> Decode:
    """Of two decodes of the same audio the second, from the longer window, unless it loops."""
    return first if second.looping and not first.looping else second


def once(text: str) -> str:
    """`text` without what is said three times or more in a row: a loop, of which one round may
    have been said.
    """
    return re.sub(r"(?<!\w)(\w.{3,}?)(?:\W+\1(?!\w)){2,}", r"\1", text)


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


def joined(prefix: str, text: str) -> str:
    """`text` after `prefix`, which may be empty or end in a space."""
    if not prefix or prefix[-1].isspace():
        text = text.lstrip()
    return prefix + text.rstrip()


def join(heard: list[Transcript]) -> Transcript:
    """One transcript of several parts; its numbers are those of the worst part."""
    if len(heard) == 1:
        return heard[0]
    return Transcript(
        text=" ".join(part.text for part in heard if part.text),
        language=next((part.language for part in heard if part.language), ""),
        no_speech=min(part.no_speech for part in heard),
        confidence=min(part.confidence for part in heard),
        compression=max(part.compression for part in heard),
        full_context=any(part.full_context for part in heard),
    )
