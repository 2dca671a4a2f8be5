"""How long a silence must last before it ends a turn. Pure.

The turn detector judges by sound, the transcript by what was said; each catches what the other
misses ("can I have a" sounds finished when said slowly, and reads unfinished at once). What the
constants do is measured by `bench/turns.py`, and written down in `docs/turn-taking.md`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Eagerness = Literal["low", "medium", "high", "auto"]


@dataclass(frozen=True, slots=True)
class Curve:
    """Silence wanted, in seconds: `sure` at probability 1, `unsure` at probability 0."""

    sure: float
    unsure: float


CURVES: dict[Eagerness, Curve] = {
    "low": Curve(0.60, 3.0),
    "medium": Curve(0.35, 1.8),
    "high": Curve(0.25, 1.4),
    "auto": Curve(0.35, 1.8),
}
"""Chosen on the tuning half with `bench/turns.py`. `medium` is no quicker because an answer is not
ready sooner on two cores."""

EXPONENT = 1.5
"""Of the doubt, so that near certainty, where most real ends are, a little of it costs little."""

# What a probability is worth, by the transcript; chosen on the tuning half with `bench/turns.py`.
UNHEARD_WEIGHT = 0.7
"""... while the transcript is still on its way."""
OPEN_WEIGHT = 0.45
"""... when the transcript does not end like a sentence."""
DANGLING_WEIGHT = 0.05
"""... when it ends in a word that wants another, or when nothing was understood (yet)."""

_CLOSED = re.compile("[.!?\u3002\uff01\uff1f\u061f\u0964][\"'\u201d\u2019)\\]]*$")
"""Ends like a sentence, in Latin, CJK, Arabic or Devanagari script, quotes and brackets aside."""
_TRAILING = re.compile("(?:[,;:\\-\u2013\u2014\u2026\u3001]|\\.\\.\\.)$")
_NUMBER = re.compile(
    r"(?:\d[\d\s,.\-]*|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine))\W*$"
)
_DANGLING = frozenset(
    re.findall(
        r"\S+",
        "a an and as because but if into my or our than the their uh um er erm hmm which while "
        "your und oder aber weil dass eine zu et ou mais que le les de du y pero porque el che "
        "il gli ",
    )
)
"""Nothing ends in these, whatever mark Whisper puts behind them."""


def silence_wanted(
    probability: float | None, transcript: str | None, eagerness: Eagerness = "auto"
) -> float:
    """Seconds of silence after which the turn is over.

    `probability` is the lowest the turn detector gave in this silence (None: not known): the longer
    it lasts the higher they get, whether or not the speaker goes on. `transcript` is what was
    understood of the turn so far (None: not known).
    """
    curve = CURVES[eagerness]
    weight = _weight(transcript)
    belief = (0.5 if probability is None else min(max(probability, 0.0), 1.0)) * weight
    share: float = (1.0 - belief) ** EXPONENT
    return min(curve.sure * (1 - share) + curve.unsure * share, curve.unsure)


def _weight(transcript: str | None) -> float:
    if transcript is None:
        return UNHEARD_WEIGHT
    text = transcript.strip()
    words = re.findall(r"[\w']+", text.lower().replace("\u2019", "'"))
    # Without a word there is nothing to answer, and so nothing is lost by waiting for one.
    if not words or _TRAILING.search(text) or words[-1] in _DANGLING:
        return DANGLING_WEIGHT
    if _NUMBER.search(text.lower()) and len(re.findall(r"\d", text)) > 2:
        return OPEN_WEIGHT
    return 1.0 if _CLOSED.search(text) else OPEN_WEIGHT
