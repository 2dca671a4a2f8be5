"""How written English is said: abbreviations and the order of all rules. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voice.speakable import addresses as adr
from voice.speakable.english_numbers import number
from voice.speakable.english_quantities import QUANTITIES
from voice.speakable.english_words import (
    ABBREVIATIONS,
    BEFORE_NUMBER,
    NEVER_LAST,
    PERIODS,
    SYMBOLS,
    TITLES,
    UNDOTTED,
    UNITS,
    WEEKDAYS,
)
from voice.speakable.pieces import Language, Rule

# Where the full stop of an abbreviation also ends the sentence, it stays and is heard as a pause.
_STOP = r"(?:\.(?!\s*$|\s+[\"'(*_]*[A-Z]))?"
_USUAL = "Dr|Mr|Mrs|Ms|Prof"


def _one_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _street(m: re.Match[str]) -> str:
    """`St.` after a name is a street, before one a saint."""
    before = m.string[: m.start()].split()[-1:]
    named = bool(before) and before[0][0].isupper() and before[0][-1].isalnum()
    follows = re.match(r"\s+[A-Z]", m.string[m.end() :])
    return "Saint" if follows and not named else "Street"


def _expand(m: re.Match[str]) -> str | None:
    """`EST` is no "established"."""
    return None if m[1].isupper() else ABBREVIATIONS[m[1].lower()]


def _days(m: re.Match[str]) -> str:
    return f"{WEEKDAYS[m[1]]} to {WEEKDAYS[m[2]]}" if m[2] else WEEKDAYS[m[1]]


def _per(m: re.Match[str]) -> str:
    """What an amount is counted by: `/kg`, `/day`."""
    return f"per {UNITS[m[1]][0] if m[1] in UNITS else PERIODS.get(m[1], m[1])}"


_WORDS: tuple[Rule, ...] = (
    (
        re.compile(
            rf"(?:(?:{_one_of(TITLES)})\.|(?:{_USUAL})\b)(?=\s+[\"'(*_]*[A-Z])|(?:{_USUAL})\."
        ),
        lambda m: TITLES[m[0].rstrip(".")],
    ),
    (re.compile(r"St\.(?!\w)"), _street),
    (
        re.compile(rf"({_one_of(BEFORE_NUMBER)})\.(?=\s?\d)", re.IGNORECASE),
        lambda m: BEFORE_NUMBER[m[1].lower()],
    ),
    (
        re.compile(
            rf"({_one_of(WEEKDAYS)})\b\.?"
            rf"(?:[-\u2013]({_one_of(WEEKDAYS)})\b|(?=,? (?:\d|[JFMASOND][a-z]{{2}})))"
        ),
        _days,
    ),
    (
        re.compile(rf"({_one_of(NEVER_LAST)})\.(?!\w)", re.IGNORECASE),
        lambda m: NEVER_LAST[m[1].lower()],
    ),
    (re.compile(rf"({_one_of(ABBREVIATIONS)})(?=\.(?!\w)){_STOP}", re.IGNORECASE), _expand),
    (
        re.compile(r"((?:[A-Za-z]\.)+[A-Za-z])(?:\.(?!\s*$))?(?!\w)"),
        lambda m: adr.spell(m[1].replace(".", "")),
    ),
    (re.compile(r"([A-HJ-Z])\.(?=\s?[A-Z])"), lambda m: m[1]),
    (re.compile(rf"({_one_of(UNDOTTED)})(?![\w'\u2019])"), lambda m: UNDOTTED[m[1]]),
    (re.compile(r"#(?=[A-Za-z])"), lambda _: "hashtag"),
    (re.compile(r"w/o(?!\w)"), lambda _: "without"),
    (re.compile(r"w/(?=\s)"), lambda _: "with"),
    (re.compile(r"C\+\+"), lambda _: "C plus plus"),
    (re.compile(r"([CF])#(?!\w)"), lambda m: f"{m[1]} sharp"),
    (re.compile(rf"(?<=\w)/({_one_of(PERIODS)}|{_one_of(UNITS)})(?!\w)"), _per),
    (re.compile(r"(?<=\w)/(?=[A-Za-z])"), lambda _: ""),
)

ENGLISH = Language(
    rules=QUANTITIES + _WORDS,
    symbols=SYMBOLS,
    words=adr.AddressWords("at", "dot", "slash", "dash", "underscore", "plus", "some code", number),
    code_block="code block",
    item=lambda n: f"{number(n)},",
)
