"""What counts as a word, the same in every database: taking texts apart, reading queries, marking.

A word is a run of letters and digits, without case and accents. Scripts that put no spaces between
words (Chinese, Japanese, Thai, Lao, Khmer, Burmese), and Korean, which glues particles to them,
are taken apart into single characters; a query of several is looked for as that sequence. So one
finds any part of such a text, of two characters as well, and nothing depends on a dictionary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from chat.storage.records import Piece

MAX_WORDS = 16_383
"""PostgreSQL numbers the words of a text up to here (its manual, 12.11); more are not indexed."""
MAX_WORD = 40
MAX_TERMS = 16
SNIPPET = 160
"""Characters of a text that are shown around what was found."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_ACCENTS = re.compile("[\u0300-\u036f]")
_CHUNK = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is compared, and where it stands in its text."""

    folded: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must follow each other; the last of a `prefix` may go on."""

    words: tuple[str, ...]
    prefix: bool = False
    without: bool = False


@cache
def _pattern() -> re.Pattern[str]:
    """One character of an unspaced script, or a run of other letters, digits and their marks."""
    marks = "".join(c for c in map(chr, range(0x300, 0x1FFFF)) if unicodedata.category(c)[0] == "M")
    return re.compile(
        rf"(?:(?=[^\W_])|(?=[{marks}]))[{_UNSPACED}]"
        rf"|(?:(?![{_UNSPACED}])(?:[^\W_]|[{marks}]))+"
    )


def fold(word: str) -> str:
    """`word` without case, accents and the width of its characters, and not too long."""
    if word.isascii():
        return word.lower()[:MAX_WORD]
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    composed = unicodedata.normalize("NFKC", _ACCENTS.sub("", decomposed)).casefold()
    kept = (c for c in composed if c.isalnum() or unicodedata.category(c)[0] == "M")
    return "".join(kept)[:MAX_WORD]


def words(text: str) -> Iterator[Word]:
    """The words of `text`, in order."""
    for match in _pattern().finditer(text):
        if folded := fold(match[0]):
            yield Word(folded, match.start(), match.end())


def index_of(text: str, dialect: str) -> str:
    """What the database is given to index `text`: words with spaces between, or a `tsvector`."""
    found = [word.folded for word in islice(words(text), MAX_WORDS)]
    if dialect != "postgresql":
        return " ".join(found)
    places: dict[str, list[int]] = {}
    for place, word in enumerate(found, 1):
        places.setdefault(word, []).append(place)
    # A tsvector keeps at most 256 positions of a word.
    return " ".join(f"'{word}':{','.join(map(str, at[:255]))}" for word, at in places.items())


def read_query(query: str) -> tuple[Term, ...]:
    """What is looked for: words, "phrases", beginnings* and -what must not be there.

    The last word counts as a beginning, because it may still be being typed, unless a space
    follows it.
    """
    terms: list[Term] = []
    for match in islice(_CHUNK.finditer(query), MAX_TERMS):
        minus, phrase, bare = match.groups()
        folded = tuple(word.folded for word in islice(words(phrase or bare or ""), MAX_TERMS))
        typed = bare is not None and (bare.endswith("*") or match.end() == len(query))
        if folded:
            terms.append(Term(folded, typed and not minus, bool(minus)))
    return tuple(terms)


def query_of(terms: Sequence[Term], dialect: str) -> str:
    """`terms` as an FTS5 `MATCH` or a `tsquery`; empty if nothing is looked for."""
    wanted = [term for term in terms if not term.without]
    unwanted = [term for term in terms if term.without]
    if not wanted:
        return ""
    if dialect == "postgresql":
        return " & ".join(
            [_tsquery(term) for term in wanted] + [f"!({_tsquery(term)})" for term in unwanted]
        )
    query = " AND ".join(_fts5(term) for term in wanted)
    return f"({query}) NOT ({' OR '.join(map(_fts5, unwanted))})" if unwanted else query


def _fts5(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + (" *" if term.prefix else "")


def _tsquery(term: Term) -> str:
    *before, last = (f"'{word}'" for word in term.words)
    return f"({' <-> '.join([*before, last + (':*' if term.prefix else '')])})"


def marked(text: str, terms: Sequence[Term], *, length: int = SNIPPET) -> tuple[Piece, ...]:
    """About `length` characters of `text` around the first thing found, in pieces."""
    spans = _spans(text, [term for term in terms if not term.without])
    first = spans[0][0] if spans else 0
    start = max(0, first - length // 4)
    if start:
        space = text.find(" ", start, first)
        start = space + 1 if space >= 0 else start
    end = min(len(text), max(start + length, spans[0][1] if spans else 0))
    pieces: list[Piece] = [Piece("…", False)] if start else []
    at = start
    for begin, stop in spans:
        if begin >= end:
            break
        if begin > at:
            pieces.append(Piece(text[at:begin], False))
        pieces.append(Piece(text[max(begin, at) : stop], True))
        at = stop
    if at < end:
        pieces.append(Piece(text[at:end], False))
    if max(at, end) < len(text):
        pieces.append(Piece("…", False))
    return tuple(pieces)


def _spans(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Where terms stand in `text`, sorted, those that touch joined."""
    found = list(islice(words(text), MAX_WORDS))
    spans: list[tuple[int, int]] = []
    for i in range(len(found)):
        for term in terms:
            here = found[i : i + len(term.words)]
            if len(here) == len(term.words) and _matches(here, term):
                spans.append((here[0].start, here[-1].end))
    joined: list[tuple[int, int]] = []
    for begin, stop in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((begin, stop))
    return joined


def _matches(here: Sequence[Word], term: Term) -> bool:
    *before, last = zip(here, term.words, strict=True)
    return all(word.folded == wanted for word, wanted in before) and (
        last[0].folded.startswith(last[1]) if term.prefix else last[0].folded == last[1]
    )
