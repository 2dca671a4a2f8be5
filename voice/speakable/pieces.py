"""Building the list of pieces: which stretch of the text is said how. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from voice.speakable.addresses import AddressWords

Rule: TypeAlias = tuple[re.Pattern[str], Callable[[re.Match[str]], str | None]]
"""A pattern tried at the current place, and what to say for its match: `""` leaves it silent,
`None` declines the match so that the next rule is tried."""

_PAUSES = ",.;:!?…、。，！？；：।"


@dataclass(frozen=True, slots=True)
class Language:
    """What `speak` needs to know of a language; one file makes one (or a few) of these."""

    rules: tuple[Rule, ...]
    symbols: Mapping[str, str]
    """What is said for a sign that stands alone."""
    words: AddressWords
    code_block: str
    """What is said instead of a block of code."""
    item: Callable[[str], str]
    """Reads the number of a list item, with the pause after it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Source characters `start:end` and the words spoken for them, `""` where nothing is said."""

    start: int
    end: int
    spoken: str


@dataclass(slots=True)
class _Draft:
    start: int
    end: int
    spoken: str
    plain: bool


class Pieces:
    """Collects pieces from left to right; punctuation joins the words before it."""

    def __init__(self) -> None:
        self._drafts: list[_Draft] = []
        self._last: _Draft | None = None  # the last one with something spoken
        self._ended = True  # what was spoken so far ends with a pause

    def say(self, start: int, end: int, spoken: str, *, plain: bool = False) -> None:
        """Add words. `plain` words that touch each other in the text are one spoken word."""
        last = self._last
        if plain and last is not None and last.plain and self._touches(start):
            while self._drafts[-1] is not last:
                self._drafts.pop()
            last.end = end
            last.spoken += spoken
            return
        self._last = _Draft(start, end, spoken, plain)
        self._drafts.append(self._last)
        self._ended = spoken[-1] in _PAUSES

    def skip(self, start: int, end: int, *, inside_word: bool = False) -> None:
        """Add a stretch for which nothing is said; `inside_word` if it does not part a word."""
        self._drafts.append(_Draft(start, end, "", inside_word))

    def pause(self, start: int, end: int, mark: str) -> None:
        """Add punctuation. It belongs to the words right before it, else it is silent."""
        last = self._last
        if last is not None and last is self._drafts[-1] and last.end == start:
            last.end = end
        else:
            self.skip(start, end)
        self.breathe(mark)

    def breathe(self, mark: str) -> None:
        """Have the words so far end with the pause `mark`; a pause that is there already stays."""
        if self._last is not None and not self._ended:
            self._last.spoken += mark
            self._last.plain = False
            self._ended = True

    def done(self) -> tuple[Piece, ...]:
        """The pieces in the order of the text."""
        return tuple(Piece(d.start, d.end, d.spoken) for d in self._drafts)

    def _touches(self, start: int) -> bool:
        at = start
        for draft in reversed(self._drafts):
            if draft.end != at or not draft.plain:
                return False
            if draft is self._last:
                return True
            at = draft.start
        return False


def read_pause(marks: str) -> str:
    """The one mark that a run of sentence punctuation amounts to: `"?!?"` is `"?"`."""
    for mark in "?!？！。।":
        if mark in marks:
            return mark
    if "…" in marks or ".." in marks:
        return "…"
    return next((mark for mark in marks if mark in _PAUSES), "")
