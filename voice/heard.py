"""What the listener has heard of a reply, from played time to words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SpokenWord(NamedTuple):
    """A displayed word of a reply: its place in the text and when it sounds (seconds from the
    start of the reply's audio). A word that is not spoken sounds for no time at all.
    """

    start_char: int
    end_char: int
    start: float
    end: float


def heard_chars(words: Sequence[SpokenWord], played: float) -> int:
    """How many characters of the text were heard after `played` seconds of its audio.

    A word counts as heard when at least half of it sounded; below that the listener did not
    recognise it. Returns the end of the last such word (0: none).
    """
    end = 0
    for word in words:
        if played <= 0 or played < (word.start + word.end) / 2:
            break
        end = word.end_char
    return end
