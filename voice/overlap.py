"""What is said over a reply: an interruption, a backchannel, or nothing at all. Pure.

A listener who says "mm-hm" wants to hear on, one who says "no, I meant" does not, and a cough is
neither. Which it is shows in the words more than in the sound, so the words are asked for early,
and the length of the sound decides only where there are none.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from voice.audio import HEARD_RATE
from voice.overlap_words import AGREEING, BACKCHANNELS, HESITATIONS, HUSHES, LONGEST, STOPS

Kind = Literal["nothing", "hesitation", "backchannel", "stop", "speech"]
Sensitivity = Literal["low", "medium", "high"]
Verdict = Literal["interrupt", "dismiss"]

UNHEARD = HEARD_RATE * 12 // 10
"""Sound this long interrupts if nobody could say so far what it is: recognition is behind."""

FAINT = 12.0
"""Speech so many decibels below what this user usually has is probably somebody else's."""

LATE = HEARD_RATE * 15 // 10
"""Within the last so many samples of a reply that asks something, "yes" is its answer."""

UNSURE = -0.55
"""Below this mean log-probability a word or two are a hum, a grunt or a laugh in disguise.

Whisper base, 27 short things said by three of Kokoro's voices: names and questions had -0.07 to
-0.47 where they were understood; "stop" and "wait" went down to -0.80, and count all the same. What
it made of hums ("Yah", "I thought", "Erta") had -0.61 to -1.58, but for one -0.54 and two -0.35.
"""

CHANTED = 4
"""One word so many times over is what Whisper makes of coughs and knocks: "Puh, puh, puh, puh"."""

GUESSED = -0.75
"""The same for three words, and for more of which the end is missing."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_HUM = re.compile(
    r"(?:m+(?:-?h+m*)*|h+m+|h+-?m+|a+h+|o+h+|u+h+(?:-?h+u+h+)*|a+h?-?ha+|u+h?-?hu+h?|he+h|ha(?:-?ha)+|"
    r"e+h|hu+h|n+|na+|a+|o+|e+|[mh]+(?:-[mh]+)*|mm\w*)"
)
"""Sounds that Whisper writes down for a hum, a grunt, a laugh."""
_DROPPED = re.compile(r"[\[(*\u266a][^\])*\u266a]*[\])*\u266a]")
"""Whisper's words about sounds: [laughter], (coughs), *sigh*, music between notes."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Speech over a reply as far as it is known.

    `voiced` is how long it sounds (samples), `over` whether it has stopped; `text` is what was
    understood of it (None: not known yet) with which mean log-probability, `level` its loudness in
    decibels above this user's usual one. `awaited`: the reply is about to end in a question.
    """

    voiced: int
    over: bool
    text: str | None
    confidence: float = 0.0
    level: float = 0.0
    awaited: bool = False


def weigh(overlap: Overlap, sensitivity: Sensitivity) -> Verdict | None:
    """Whether the speech interrupts the reply or is let pass; None: it is too early to say.

    Never None once the speech is over and its text is known.
    """
    if sensitivity == "high" and not overlap.over:
        return "interrupt"
    if sensitivity != "low" and overlap.level < -FAINT:
        sensitivity = "low"
    if overlap.text is None:
        unheard = sensitivity == "medium" and overlap.voiced >= UNHEARD and not overlap.over
        return "interrupt" if unheard else None
    kind, words = understand(overlap.text, overlap.confidence)
    if kind == "stop":
        return "interrupt"
    if kind == "backchannel" and overlap.awaited and agrees(overlap.text):
        return "interrupt" if overlap.over else None
    if overlap.over:
        enough = words >= (2 if sensitivity == "low" else 1)
        return "interrupt" if kind == "speech" and enough else "dismiss"
    # The end of what was heard so far may be half a word, so one word is not enough.
    enough = words >= (3 if sensitivity == "low" else 2)
    sure = overlap.confidence >= GUESSED
    return "interrupt" if kind == "speech" and enough and sure else None


def understand(text: str, confidence: float = 0.0) -> tuple[Kind, int]:
    """What kind of utterance `text` is, and how many different words it has beside those that
    only say that one is listening or thinking. Characters of unspaced scripts count as half a word.
    """
    words = _words(text)
    if not words or confidence < 2 * UNSURE:
        return "nothing", 0
    said, stops = 0, False
    rest: list[str] = []
    hesitates = True
    while said < len(words):
        length = _longest(BACKCHANNELS, words, said)
        if length:
            said += length
            hesitates = False
            continue
        if not rest and _longest(STOPS, words, said):
            stops = True
        if _HUM.fullmatch(words[said]) or words[said] in HESITATIONS:
            hesitates = hesitates and words[said] in HESITATIONS
            said += 1
            continue
        rest.append(words[said])
        said += 1
    # What was cut off in the middle is often written down twice: "Last. Last."
    content = -(-len(rest) // 2) if _unspaced(words) else len(set(rest))
    if stops:
        return "stop", content
    if len(rest) >= CHANTED and content == 1:
        return "nothing", 0
    if (0 < content <= 2 and confidence < UNSURE) or (content == 3 and confidence < GUESSED):
        return "nothing", 0
    if content:
        return "speech", content
    return ("hesitation" if hesitates else "backchannel"), 0


def agrees(text: str) -> bool:
    """Whether it may be the answer to a question: "yes", "okay", "sure"."""
    words = _words(text)
    return any(_longest(AGREEING, words, at) for at in range(len(words)))


def only_stops(text: str) -> bool:
    """Whether it says that the assistant shall stop, and nothing else."""
    words, said = _words(text), 0
    while said < len(words):
        length = _longest(HUSHES, words, said) or _longest(BACKCHANNELS, words, said)
        if not length and words[said] not in HESITATIONS:
            return False
        said += length or 1
    return understand(text)[0] == "stop"


@lru_cache(maxsize=64)
def _words(text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKC", _DROPPED.sub(" ", text)).casefold().replace("\u2019", "'")
    words: list[str] = []
    for word in _WORD.findall(plain):
        words += word if _unspaced_char(word[0]) else [word]
    return tuple(words)


def _unspaced_char(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\u4e00" <= char <= "\u9fff"


def _unspaced(words: tuple[str, ...]) -> bool:
    return any(_unspaced_char(word[0]) for word in words)


def _longest(phrases: frozenset[str], words: tuple[str, ...], at: int) -> int:
    """How many words the longest of `phrases` has that stands at `at`; 0: none does."""
    for count in range(min(LONGEST, len(words) - at), 0, -1):
        if " ".join(words[at : at + count]) in phrases:
            return count
    return 0
