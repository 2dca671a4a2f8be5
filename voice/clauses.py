"""Cuts a streamed reply into clauses fit to be synthesised one after another. Pure.

The first clause is short, so that something is heard soon; each later one may be longer, because
it is made while the one before it is played. With the starter voice on two cores a clause costs
about 0.2 s and 0.03 to 0.05 s a word, and a word sounds for about 0.35 s: a clause covers the
making of one three times as long with room to spare, hence `growth`.

Where a cut is made depends only on the text, never on how it arrived: a cut is made once no
continuation could change it. So any chunking gives the same clauses, and joined they are exactly
the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from voice.raw_data import data_end

_ABBREVIATIONS: Mapping[str, frozenset[str]] = {
    "": frozenset(
        "dr mr mrs ms prof st rev gen sgt capt lt col gov sen hon mt vs approx cf ca dept e.g i.e"
        " a.k.a".split()
    ),
    "de": frozenset("z d h b u bzw ggf vgl nr str hr fr evtl inkl z.b d.h u.a".split()),
    "es": frozenset("sr sra dra ud uds p ej ee uu aprox".split()),
    "fr": frozenset("m mme mlle p ex env c.-à-d".split()),
    "it": frozenset("sig sig.ra dott p es".split()),
    "pt": frozenset("sr sra dra p ex".split()),
}
"""Without the last full stop, which never ends a sentence."""

_MAY_END = frozenset("etc inc ltd co corp al jr sr usw ecc a.m p.m".split())
"""Abbreviations a sentence may end with: a capital after them says that it does."""

_NUMBERED = frozenset("est no nos fig figs vol p pp ch sec eq art ext tel ver".split())
"""Abbreviations only where a digit follows."""

_LINKS: Mapping[str, str] = {
    "en": "and but or so because that which who when while if though although where as than until"
    " since|of in on at to for with from by about into over after before between through without"
    "|the a an my your his her its our their this these those",
    "de": "und aber oder weil dass wenn als während ob denn|mit von zu für in auf an bei nach aus"
    " um|der die das den dem des ein eine einen einem einer",
    "es": "y pero o porque que cuando si aunque donde como|de en con para por a desde sobre sin"
    "|el la los las un una",
    "fr": "et mais ou car que qui quand si où comme|de dans avec pour par sur sans chez à en"
    "|le la les un une des du",
    "it": "e ma o perché che quando se dove come|di in con per da su a senza"
    "|il lo la i gli le un una",
    "pt": "e mas ou porque que quando se onde como|de em com para por a sobre sem|o os as um uma",
}
"""Conjunctions | prepositions: a clause may well begin with them | articles: none ends with one."""

_CLOSERS = "\"'*_)]}”’»~`"
_OPENERS = "\"'*_([{“‘«~`¿¡"
_NEVER_FIRST = frozenset(".,;:!?…»”)]}%€°।")
_WIDE = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef"  # written without spaces
_WIDE_OPENERS = "「『（【《〈"
_WIDE_CLOSERS = "」』）】》〉"
_WIDE_NEVER_FIRST = _WIDE_CLOSERS + "。！？、，；：ー々…ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
_SENTENCE = re.compile(r"[.!?…।。！？]$")
_PHRASE = re.compile(r"(?:[,;:–—、，；：]|--|^-)$")
_LIST_NUMBER = re.compile(r"\d{1,3}[.)]$")
_INITIALS = re.compile(r"[^\W\d](?:\.[^\W\d])*")

_ORDINARY = re.compile(rf"[^\s`~\[<{_WIDE}]+")
_WIDE_TOKEN = re.compile(
    rf"[{_WIDE_OPENERS}]*[{_WIDE}][{_WIDE_NEVER_FIRST}]*(?=(?P<known>.)|$)", re.DOTALL
)
_GAP = re.compile(r"\s*")
_TICKS = re.compile(r"`+|~+")
_LONGEST_MARK = 400
"""Inline code, a link's text or address and a tag end within so many characters, or are none."""

# How good a place for a cut is: the larger the better.
_NONE, _WORD, _PREPOSITION, _CONJUNCTION, _PHRASE_END, _SENTENCE_END, _LINE_END = range(7)


@dataclass(frozen=True, slots=True)
class _Token:
    """What is never cut: `text[start:end]`, the white space `text[end:next]` after it."""

    start: int
    end: int
    next: int
    words: float
    fence: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A place to cut at: where, how many words lie before it, and how good it is."""

    at: int
    words: float
    rank: int


class Clauses:
    """Splits streamed text; the clauses joined are the text that was fed.

    The first clause has about `first_min` to `first_max` words. Later ones end with a sentence or a
    line, or at a comma (or the like) once they have `soft` words; they have at most `hard` words
    and at most `growth` times those of the longest before them (infinite where synthesis is much
    faster than speech). A bound is overstepped by one word where that ends a phrase, and where only
    numbers and the like stand that must not be torn apart. Characters of scripts written without
    spaces count as half a word. A block of code, or of JSON, is a clause, however long.
    """

    def __init__(
        self,
        language: str = "en",
        *,
        first_min: int = 2,
        first_max: int = 8,
        soft: int = 12,
        hard: int = 40,
        growth: float = 3.0,
    ) -> None:
        code = re.split(r"[-_]", language)[0].lower()
        conjunctions, prepositions, articles = _LINKS.get(code, "||").split("|")
        self._begins = dict.fromkeys(prepositions.split(), _PREPOSITION)
        self._begins |= dict.fromkeys(conjunctions.split(), _CONJUNCTION)
        self._never_last = frozenset(self._begins) | frozenset(articles.split())
        self._abbreviations = _ABBREVIATIONS[""] | _ABBREVIATIONS.get(code, frozenset())
        self._ordinals_have_stops = code == "de"
        self._first_min, self._first_max = first_min, first_max
        self._soft, self._hard, self._growth = soft, hard, growth
        self._text = ""
        self._longest = 0.0  # words of the longest clause so far

    def feed(self, delta: str) -> list[str]:
        """Take more text; returns the clauses that are complete by it."""
        self._text += delta
        return self._take(final=False)

    def flush(self) -> list[str]:
        """The text has ended: returns what is left, and is ready for another text."""
        clauses = self._take(final=True)
        self._longest = 0.0
        return clauses

    def _take(self, *, final: bool) -> list[str]:
        clauses = []
        while self._text and (place := self._first_cut(final=final)) is not None:
            clauses.append(self._text[: place.at])
            self._text = self._text[place.at :]
            self._longest = max(self._longest, place.words)
        return clauses

    def _first_cut(self, *, final: bool) -> _Place | None:
        """Where the next clause ends; None if only further text can tell."""
        text, limit = self._text, self._limit()
        places: list[_Place] = []
        words = 0.0
        for token in _tokens(text, final=final):
            if token.fence and words:
                return _Place(token.start, words, _LINE_END)
            before, words = words, words + token.words
            if token.fence or token.next == len(text):
                return _Place(token.next, words, _LINE_END)
            rank = self._rank(token, first=not before)
            if self._suffices(rank, words, limit):
                return _Place(token.next, words, rank)
            if places and places[-1].rank == _WORD:
                word = text[token.start : token.end].strip(_OPENERS).lower()
                places[-1] = _Place(places[-1].at, before, self._begins.get(word, _WORD))
            if before >= limit and (best := _best(places, limit)):
                return best
            places.append(_Place(token.next, words, rank))
        return _Place(len(text), words, _LINE_END) if final else None

    def _limit(self) -> float:
        if not self._longest:
            return self._first_max
        return min(self._hard, max(self._first_max, self._growth * self._longest))

    def _suffices(self, rank: int, words: float, limit: float) -> bool:
        """Whether to cut here and look no further."""
        if rank == _LINE_END:
            return words > 0
        if rank == _SENTENCE_END or (rank == _PHRASE_END and not self._longest):
            return words >= self._first_min
        return rank == _PHRASE_END and words >= min(self._soft, limit / 2)

    def _rank(self, token: _Token, *, first: bool) -> int:
        """How good the place after `token` is."""
        word, following = self._text[token.start : token.end], self._text[token.next]
        if "\n" in self._text[token.end : token.next]:
            return _LINE_END
        core = word.rstrip(_CLOSERS + _WIDE_CLOSERS)
        if following in _NEVER_FIRST or not core or (first and _LIST_NUMBER.match(core)):
            return _NONE
        if _SENTENCE.search(core):
            return self._rank_stop(core, following)
        if _PHRASE.search(core):
            dated = core[-2:-1].isdigit() and following.isdigit()  # "Nov 21, 2026"
            return _NONE if dated else _PHRASE_END
        torn = core[-1].isdigit() or following.isdigit() or following in "$€£¥₹+-"
        return _NONE if torn or core.lower() in self._never_last else _WORD

    def _rank_stop(self, core: str, following: str) -> int:
        """How good the place after a full stop or its like is."""
        carries_on = following.islower()
        if core.endswith(".") and not core.endswith(".."):
            stem = core[:-1].lstrip(_OPENERS).lower()
            if stem in _MAY_END:
                return _WORD if carries_on or following in _CLOSERS else _SENTENCE_END
            numbered = stem in _NUMBERED and following.isdigit()
            ordinal = self._ordinals_have_stops and stem.isdecimal() and len(stem) < 3
            initials = _INITIALS.fullmatch(stem) and stem != "i"
            if stem in self._abbreviations or numbered or ordinal or initials:
                return _NONE
        return _PHRASE_END if carries_on else _SENTENCE_END


def _best(places: list[_Place], limit: float) -> _Place | None:
    """Where to cut words that will not end: the best place in the second half, the later of equals.

    Places that tear something apart are taken only once the words are twice too many.
    """
    late = [place for place in places if place.rank > _NONE and place.words >= limit / 2]
    if not late and places[-1].words >= 2 * limit:
        late = places[-1:]
    return max(late, key=lambda place: (place.rank, place.at), default=None)


def _tokens(text: str, *, final: bool) -> Iterator[_Token]:
    """The tokens of `text` as far as no continuation can change them; all of them if `final`."""
    at = _space(text, 0)
    if at == len(text) and final and text:
        yield _Token(0, at, at, 0)
    while at < len(text):
        ticks = _TICKS.match(text, at)
        if ticks and len(ticks[0]) >= 3:
            end, fence = _fence_end(text, ticks, final=final), True
        elif (end := data_end(text, at)) != -1:
            end, fence = len(text) if end is None and final else end, True
        else:
            end, fence = _token_end(text, at, final=final), False
        if end is None:
            return
        following = _space(text, end)
        if following == len(text) and not final:
            return
        yield _Token(at, end, following, _words_in(text, at, end), fence)
        at = following


def _space(text: str, at: int) -> int:
    match = _GAP.match(text, at)
    return match.end() if match else at


def _words_in(text: str, start: int, end: int) -> float:
    """One for a word, a half for a character of a script without spaces, none for mere signs."""
    if re.match(f"[{_WIDE_OPENERS}]*[{_WIDE}]", text[start:end]):
        return 0.5
    return 1.0 if any(c.isalnum() for c in text[start:end]) else 0.0


def _fence_end(text: str, opening: re.Match[str], *, final: bool) -> int | None:
    closing = text.find(opening[0], opening.end())
    if opening.end() == len(text) or closing < 0:
        return len(text) if final else None
    run = _TICKS.match(text, closing)
    end = run.end() if run else closing
    return end if final or end < len(text) else None


def _token_end(text: str, at: int, *, final: bool) -> int | None:
    """The end of the token at `at`, or None while it may go on."""
    if wide := _WIDE_TOKEN.match(text, at):
        return wide.end() if wide["known"] or final else None
    end = at
    while end < len(text):
        if ordinary := _ORDINARY.match(text, end):
            end = ordinary.end()
            continue
        char = text[end]
        if char.isspace() or (end > at and re.match(f"[{_WIDE}]", char)):
            return end
        ticks = _TICKS.match(text, end)
        if ticks and len(ticks[0]) >= 3 and end > at:
            return end
        mark_end = _mark_end(text, end, ticks, final=final)
        if mark_end is None:
            return None
        end = mark_end
    return end if final else None


def _mark_end(text: str, at: int, ticks: re.Match[str] | None, *, final: bool) -> int | None:
    """The end of the inline code, link or tag at `at`; just after its sign if it is none."""
    opened = ticks.end() if ticks else at + 1
    if opened == len(text):
        return opened if final else None
    tag = text[at] == "<" and (text[opened].isalpha() or text[opened] in "/!")
    if tag or text[at] == "`":
        return _closed(text, opened, ">" if tag or not ticks else ticks[0], final=final)
    if text[at] != "[":
        return opened
    end = _closed(text, opened, "]", final=final)
    if end == len(text) and not final:
        return None
    if end is None or end == opened or text[end : end + 1] != "(":
        return end
    return _closed(text, end + 1, ")", final=final, otherwise=end)


def _closed(
    text: str, start: int, closer: str, *, final: bool, otherwise: int | None = None
) -> int | None:
    """Just after `closer` if it comes on this line and soon; `start` (or `otherwise`) if not."""
    window = text[start : start + _LONGEST_MARK]
    line, newline, _ = window.partition("\n")
    found = line.find(closer)
    if found >= 0:
        return start + found + len(closer)
    if newline or final or len(window) == _LONGEST_MARK:
        return start if otherwise is None else otherwise
    return None
