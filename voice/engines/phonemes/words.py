"""From raw text to words, and from words to sounding parts and punctuation marks. Pure.

Word boundaries are kept from the first step on, because the times of a word are found by counting
the phonemes that belong to it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from voice.engines.phonemes.vocabulary import MARKS


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the word with index `word`: either sounding `text` or one punctuation `mark`."""

    word: int
    text: str = ""
    mark: str = ""


_SAME_AS = str.maketrans(
    {
        "’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'",
        "«": "“", "»": "”", "„": "“", "「": "“", "」": "”", "『": "“", "』": "”",
        "–": "—", "―": "—", "。": ".", "．": ".", "、": ",", "，": ",", "；": ";", "：": ":",
        "！": "!", "？": "?", "।": ".", "॥": ".", "・": " ", "·": " ", "（": "(", "）": ")",
        "[": "(", "]": ")", "{": "(", "}": ")",
    }
)  # fmt: skip

_PIECE = re.compile(
    r"\.{2,}|-{2,}|[;:,!?—…\"“”()](?!(?<=\d[,:])\d)"
    r"|(?:[^;:,!?—…\"“”().-]|(?<=\d)[,:](?=\d)|-(?!-)|\.(?!\.))+"
)

_ABBREVIATED = frozenset(
    "dr mr mrs ms st prof jr sr vs etc approx dept est inc ltd co no fig gen sgt lt col rev hon "
    "sra srta ud uds dra sig dott mme mlle".split()
)


@lru_cache(maxsize=4096)
def _speakable(sign: str, scripts: tuple[str, ...]) -> bool:
    category = unicodedata.category(sign)
    if category[0] in "LM":
        name = unicodedata.name(sign, "")
        return name.startswith(scripts) or name.startswith("COMBINING")
    return category[0] in "NP" or category in ("Sc", "Sm") or sign == "°"


def clean(word: str, scripts: tuple[str, ...]) -> str:
    """`word` with unified punctuation and without what no voice can say.

    Control characters, emoji, private-use signs, lone surrogates and letters outside `scripts`
    (prefixes of Unicode character names, such as `LATIN`) are left out.
    """
    unified = unicodedata.normalize("NFKC", word.translate(_SAME_AS)).translate(_SAME_AS)
    return "".join(sign for sign in unified if _speakable(sign, scripts))


def parts_of(text: str, scripts: tuple[str, ...] = ("LATIN",)) -> Iterator[Part]:
    """The parts of all whitespace-separated words of `text`, in order.

    A full stop that belongs to an abbreviation stays in the text; at the end of the whole text
    it is a mark as well.
    """
    words = text.split()
    for index, word in enumerate(words):
        for piece in _PIECE.findall(clean(word, scripts)):
            yield from _part(index, piece, last=index == len(words) - 1)


def _part(index: int, piece: str, *, last: bool) -> Iterator[Part]:
    mark = {"...": "…", "--": "—", "---": "—", "-": "—"}.get(piece, piece)
    if mark in MARKS:
        yield Part(index, mark=mark)
        return
    if mark.startswith(".."):
        yield Part(index, mark="…")
        return
    stem = piece.rstrip(".")
    short = stem.lower() in _ABBREVIATED or "." in stem
    sounding = piece if short else stem
    sounding = sounding.strip("-")
    if any(sign.isalnum() for sign in sounding) or sounding in ("&", "+", "%", "@", "="):
        yield Part(index, text=sounding.strip("'") or sounding)
    if piece.endswith(".") and (last or not short):
        yield Part(index, mark=".")
