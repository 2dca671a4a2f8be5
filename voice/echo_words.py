"""Whether a transcript is what the assistant was just saying, heard again. Pure.

Words are aligned locally (T. Smith, M. Waterman, "Identification of common molecular subsequences",
1981), so that words misheard, left out or put in do not hide an echo, and what somebody said in
between is left over. Signs of scripts without spaces count as words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from voice.overlap_words import AGREEING, STOPS

_SIGN = "\u3005\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{_SIGN}]|(?:(?![{_SIGN}])[\\w'\u2019])+")

_MATCH, _ALIKE, _OTHER, _GAP = 2.0, 1.5, -1.0, -1.0

_ALIKE_FROM = 0.7
"""Two words sound alike if they have this share of their letters in common, in order."""

_LETTERS = 6
"""Fewer letters in common prove nothing (a sign counts as two)."""

_LONGEST = 120
"""Words of what was said that are looked at, the last ones."""


class _Token(NamedTuple):
    word: str
    start: int
    end: int


def unsaid(transcript: str, said: str) -> str:
    """What is left of `transcript` without the words of it that the assistant `said`.

    It takes two words or more in a row, with six letters or three signs, to be taken out. One word
    alone is never an echo: "stop" is an interruption though a bus stop was spoken of. A false
    interruption costs a sentence, one that is ignored makes the assistant deaf.
    """
    if not said:
        return transcript
    heard, spoken = _tokens(transcript), _tokens(said)[-_LONGEST:]
    left = _left(heard, [token.word for token in spoken])
    edge = len(left) == 1 < len(heard) and left[0] in (heard[0], heard[-1])
    if edge and len(left[0].word) <= 2 and left[0].word not in STOPS | AGREEING:
        return ""  # half a word at the edge of an echo
    spans: list[list[int]] = []
    place = {token: number for number, token in enumerate(heard)}
    for token in left:
        follows = spans and place[token] and heard[place[token] - 1].end == spans[-1][1]
        if follows:
            spans[-1][1] = token.end
        else:
            spans.append([token.start, token.end])
    return " ".join(transcript[start:end] for start, end in spans)


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(match[0].lower().replace("\u2019", "'").strip("'"), match.start(), match.end())
        for match in _WORD.finditer(text)
    ]


def _left(heard: Sequence[_Token], said: Sequence[str]) -> list[_Token]:
    """The words in `heard` that belong to no stretch of `said`, longest stretches first."""
    if not heard or not said:
        return list(heard)
    pairs = _stretch([token.word for token in heard], said)
    words = [heard[i].word for i, j in pairs if _pair(heard[i].word, said[j]) > 0]
    if len(words) < 2 or sum(map(_letters, words)) < _LETTERS:
        return list(heard)
    (first, first_said), (last, last_said) = pairs[0], pairs[-1]
    same = {i for i, _ in pairs}
    inside = [heard[number] for number in range(first, last + 1) if number not in same]
    # An echo keeps the order; a question may put the same words in another.
    before = _left(heard[:first], said[:first_said])
    return [*before, *inside, *_left(heard[last + 1 :], said[last_said + 1 :])]


def _stretch(heard: Sequence[str], said: Sequence[str]) -> list[tuple[int, int]]:
    """The best local alignment: pairs of the number of a word in `heard` and of the one in `said`
    that it stands for, well or badly understood.
    """
    width = len(said) + 1
    scores = [[0.0] * width for _ in range(len(heard) + 1)]
    best, row, column = 0.0, 0, 0
    for i, word in enumerate(heard, 1):
        above, here = scores[i - 1], scores[i]
        for j, other in enumerate(said, 1):
            score = max(0.0, above[j - 1] + _pair(word, other), above[j] + _GAP, here[j - 1] + _GAP)
            here[j] = score
            if score > best:
                best, row, column = score, i, j
    pairs: list[tuple[int, int]] = []
    while row and column and scores[row][column] > 0:
        score = scores[row][column]
        if score == scores[row - 1][column - 1] + _pair(heard[row - 1], said[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((row, column))
        elif score == scores[row - 1][column] + _GAP:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]


@lru_cache(maxsize=4096)
def _pair(word: str, other: str) -> float:
    if word == other:
        return _MATCH
    shorter, longer = sorted((len(word), len(other)))
    if shorter < 3 or 2 * shorter < _ALIKE_FROM * (shorter + longer):
        return _OTHER
    matcher = SequenceMatcher(None, word, other, autojunk=False)
    alike = matcher.quick_ratio() >= _ALIKE_FROM and matcher.ratio() >= _ALIKE_FROM
    return _ALIKE if alike else _OTHER


def _letters(word: str) -> int:
    return 2 if re.fullmatch(f"[{_SIGN}]", word) else len(word)
