"""How long a silence must last before it ends a turn. Pure.

The turn detector judges by sound, the transcript by what was said; each catches what the other
misses ("can I have a" sounds finished when said slowly, and reads unfinished at once).
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
    "medium": Curve(0.30, 1.8),
    "high": Curve(0.20, 1.0),
    "auto": Curve(0.30, 1.8),
}

UNHEARD_WEIGHT = 0.7
"""What a probability is worth while the transcript is still on its way."""
OPEN_WEIGHT = 0.45
"""... when the transcript does not end like a sentence."""
DANGLING_WEIGHT = 0.1
"""... when it ends in a word that wants another."""

_CLOSED = re.compile("[.!?\u3002\uff01\uff1f\u061f\u0964][\"'\u201d\u2019)\\]]*$")
"""Ends like a sentence, in Latin, CJK, Arabic or Devanagari script, quotes and brackets aside."""
_TRAILING = re.compile("(?:[,;:\\-\u2013\u2014\u2026]|\\.\\.\\.)$")
_NUMBER = re.compile(
    r"(?:\d[\d\s,.\-]*|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine))\W*$"
)
_DANGLING = frozenset(
    re.findall(
        r"\S+",
        "a an and as because but i if into my of or our than the their to uh um er erm hmm "
        "which while your und oder aber weil dass ein eine zu et ou mais que le la les un "
        "une de du des y o pero porque el los las una e ma che il lo gli ",
    )
)


def silence_wanted(
    probability: float | None, transcript: str | None, eagerness: Eagerness = "auto"
) -> float:
    """Seconds of silence after which the turn is over.

    `probability` is the turn detector's (None: not known), `transcript` what was understood so far
    (None: not known).
    """
    curve = CURVES[eagerness]
    weight = _weight(transcript)
    belief = (0.5 if probability is None else min(max(probability, 0.0), 1.0)) * weight
    # Squared doubt: waiting falls off slowly near certainty and steeply in the middle, where the
    # detector is seldom right.
    doubt = 1.0 - belief
    return curve.sure + (curve.unsure - curve.sure) * doubt * doubt


def _weight(transcript: str | None) -> float:
    if transcript is None:
        return UNHEARD_WEIGHT
    text = transcript.strip()
    words = re.findall(r"[\w']+", text.lower().replace("\u2019", "'"))
    if not words:
        return 1.0
    if _TRAILING.search(text) or words[-1] in _DANGLING:
        return DANGLING_WEIGHT
    if _NUMBER.search(text.lower()) and len(re.findall(r"\d", text)) > 2:
        return OPEN_WEIGHT
    return 1.0 if _CLOSED.search(text) else OPEN_WEIGHT
