"""Cutting for Kokoro: signs into passes the model can take, audio to what sounds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from voice.audio import SPOKEN_RATE, Pcm
from voice.engines.phonemes.vocabulary import CLAUSE_MARKS, MARKS, SENTENCE_MARKS

LIMIT = 510
"""Signs the model takes in one pass: 512 positions less the two pads (config.json, plbert)."""

AUDIBLE = 0.005
"""Smallest |sample| that counts as sound: -46 dB full scale; the model's own noise lies below."""

SAMPLES_PER_PICTURE = 300
"""Audio samples for one frame of the generator's picture (hop 5 x upsampling 60)."""

LEAD = SPOKEN_RATE * 5 // 1000
"""Samples kept before the first audible one."""
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
    pieces = list(trimmed_pieces([pcm], pause))
    cut = pieces[0][1] if pieces else 0
    return np.concatenate([np.zeros(0, np.float32), *(piece for piece, _ in pieces)]), cut


def trimmed_pieces(pieces: Iterable[Pcm], pause: float) -> Iterator[tuple[Pcm, int]]:
    """`trimmed` for audio that comes in pieces of at least 3 ms, given on as soon as can be.

    With every piece comes the number of samples taken off the front.
    """
    room = round(pause * SPOKEN_RATE)
    rest = np.zeros(0, dtype=np.float32)
    cut = -1
    end = 0
    """Where in `rest` the last audible sample so far has ended."""
    for piece in pieces:
        rest = np.concatenate((rest, piece))
        loud = np.flatnonzero(np.abs(rest) > AUDIBLE)
        if not len(loud):
            continue  # silence is kept back: it may be the end
        end = int(loud[-1]) + 1
        if cut < 0:
            cut = max(int(loud[0]) - LEAD, 0)
            rest, end = rest[cut:], end - cut
            _fade(rest[:_FADE], 0.0, 1.0)
        ready = min(end + room, len(rest)) - _FADE
        if ready > 0:
            yield rest[:ready], cut
            rest, end = rest[ready:], end - ready
    if cut >= 0:
        last = np.pad(rest[: end + room], (0, max(end + room - len(rest), 0)))
        _fade(last[-_FADE:], 1.0, 0.0)
        yield last, cut


def _fade(pcm: Pcm, begin: float, end: float) -> None:
    pcm *= np.linspace(begin, end, len(pcm), dtype=np.float32)


def spans(signs: Sequence[Sign], edges: Sequence[int]) -> dict[int, tuple[int, int]]:
    """First and last sample of each word that sounds; sign `i` lies in `edges[i]:edges[i + 1]`."""
    found: dict[int, tuple[int, int]] = {}
    for at, sign in enumerate(signs):
        if _is_sound(sign):
            start, _ = found.get(sign.word, (edges[at], 0))
            found[sign.word] = (start, edges[at + 1])
    return found


FIRST, SECOND, GROWTH, LARGEST = 27, 24, 1.3, 96
"""Frames in the first two pieces of a picture, how much longer each further one is, and at most.

Each must be made while those before it play, with something to spare: on two cores without VNNI
a frame takes about half of the time it plays. The first piece holds about 0.3 s of sound.
"""
SMALLEST = 16
"""Frames that are not worth a piece of their own."""
EARLY = 10
"""Frames that are made before the place that the durations give the first sound.

Measured at speed 1: 136 utterances of two voices began 6 to 114 ms before it, sibilants the most;
of 60 in 28 voices, one of ten began more than 120 ms before it, the earliest 162.
"""
AROUND = 5
"""Frames on each side of a piece that its sound depends on. The generator's layers reach 7; beyond
5 the error is that of the quantisation (measured: 12 dB below the signal with 4, 14 from 6 on)."""


def pieces_of(first: int, frames: int, early: int = EARLY) -> list[tuple[int, int]]:
    """First and last frame of each piece, `early` frames before frame `first` and on."""
    begin, size = max(first - early, 0), float(FIRST)
    found = []
    while begin < frames:
        end = begin + round(size)
        end = end if frames - end >= SMALLEST else frames
        found.append((begin, end))
        size = SECOND if len(found) == 1 else min(size * GROWTH, LARGEST)
        begin = end
    return found


def blended(pieces: Iterable[tuple[Pcm, int]]) -> Iterator[Pcm]:
    """One sound from pieces that overlap: each comes with how many of its last samples are the
    first ones of the next, which they are faded into.
    """
    before = np.zeros(0, dtype=np.float32)
    for pcm, shared in pieces:
        ramp = np.linspace(0.0, 1.0, len(before), dtype=np.float32)
        head = pcm[: len(before)] * ramp + before * (1 - ramp)
        whole = np.concatenate((head, pcm[len(before) :]))
        cut = len(whole) - shared
        before = whole[cut:]
        yield whole[:cut]
