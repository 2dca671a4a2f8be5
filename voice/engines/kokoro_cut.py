"""Cutting for Kokoro: signs into passes the model can take, audio to what sounds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voice.audio import SPOKEN_RATE, Pcm
from voice.engines.phonemes.vocabulary import CLAUSE_MARKS, MARKS, SENTENCE_MARKS

LIMIT = 510
"""Signs the model takes in one pass: 512 positions less the two pads (config.json, plbert)."""

AUDIBLE = 0.005
"""Smallest |sample| that counts as sound: -46 dB full scale; the model's own noise lies below."""

_LEAD = SPOKEN_RATE * 5 // 1000
_FADE = SPOKEN_RATE * 3 // 1000


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of the alphabet and the index of the word it belongs to, -1 for between words."""

    sign: str
    word: int


def signs_of(spoken: Sequence[str]) -> list[Sign]:
    """The signs of all words with a space between those that have any."""
    signs: list[Sign] = []
    for word, phonemes in enumerate(spoken):
        if phonemes and signs:
            signs.append(Sign(" ", -1))
        signs.extend(Sign(sign, word) for sign in phonemes)
    return signs


def sounds(signs: Sequence[Sign]) -> bool:
    """Whether there is anything but punctuation in `signs`."""
    return any(_is_sound(sign) for sign in signs)


def _is_sound(sign: Sign) -> bool:
    return sign.sign != " " and sign.sign not in MARKS


def passes(signs: Sequence[Sign], limit: int = LIMIT) -> list[Sequence[Sign]]:
    """Cut `signs` into runs of at most `limit`, each with some sound in it.

    Cuts after a sentence where there is one in the second half of what fits, else after a clause,
    else between words, else anywhere.
    """
    runs: list[Sequence[Sign]] = []
    rest = _stripped(signs)
    while len(rest) > limit:
        at = _best_cut(rest, limit)
        runs.append(_stripped(rest[:at]))
        rest = _stripped(rest[at:])
    runs.append(rest)
    return [run for run in runs if sounds(run)]


def _best_cut(signs: Sequence[Sign], limit: int) -> int:
    for wanted in (SENTENCE_MARKS, CLAUSE_MARKS, " "):
        for at in range(limit, limit // 2, -1):
            if signs[at - 1].sign in wanted and signs[at].sign not in MARKS:
                return at
    return limit


def _stripped(signs: Sequence[Sign]) -> Sequence[Sign]:
    first, last = 0, len(signs)
    while first < last and signs[first].sign == " ":
        first += 1
    while last > first and signs[last - 1].sign == " ":
        last -= 1
    return signs[first:last]


def pause_after(signs: Sequence[Sign]) -> float:
    """Seconds of silence that belong after `signs`, by the punctuation they end with.

    Inside one pass the model itself leaves 90 to 200 ms (|x| < 0.005) after a full stop, about
    60 ms after a comma and 200 to 370 ms after a semicolon (three voices, four texts).
    """
    for sign in reversed(signs):
        if sign.sign in SENTENCE_MARKS:
            return 0.24
        if sign.sign in CLAUSE_MARKS:
            return 0.12
        if _is_sound(sign):
            break
    return 0.04


def trimmed(pcm: Pcm, pause: float) -> tuple[Pcm, int]:
    """`pcm` without its silent ends, and how many samples were taken off the front.

    5 ms stay before the first audible sample, and `pause` seconds after the last one: the rest of
    the model's own silence, or zeros where it has too little. Both ends are faded over 3 ms.
    """
    loud = np.flatnonzero(np.abs(pcm) > AUDIBLE)
    if not len(loud):
        return np.zeros(0, dtype=np.float32), 0
    first = max(int(loud[0]) - _LEAD, 0)
    last = int(loud[-1]) + 1 + round(pause * SPOKEN_RATE)
    cut = np.array(pcm[first:last], dtype=np.float32)
    ramp = np.linspace(0.0, 1.0, min(_FADE, len(cut)), dtype=np.float32)
    cut[: len(ramp)] *= ramp
    cut[len(cut) - len(ramp) :] *= ramp[::-1]
    return np.pad(cut, (0, last - first - len(cut))), first


def spans(signs: Sequence[Sign], edges: Sequence[int]) -> dict[int, tuple[int, int]]:
    """First and last sample of each word that sounds; sign `i` lies in `edges[i]:edges[i + 1]`."""
    found: dict[int, tuple[int, int]] = {}
    for at, sign in enumerate(signs):
        if _is_sound(sign):
            start, _ = found.get(sign.word, (edges[at], 0))
            found[sign.word] = (start, edges[at + 1])
    return found
