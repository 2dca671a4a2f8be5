"""The words to say for displayed text, and which of its characters each of them belongs to.

The text may be any fragment of Markdown: a clause cut out of a reply still being generated. So the
marks are read one by one and not as a document: an emphasis that ends in a later clause is no
problem, and nothing is ever refused.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

from voice.raw_data import OPENING
from voice.speakable import addresses as adr
from voice.speakable.english import ENGLISH
from voice.speakable.european import EUROPEAN
from voice.speakable.pieces import Language, Piece, Pieces, Rule, read_pause
from voice.speakable.unspaced import UNSPACED

__all__ = ["LANGUAGES", "Piece", "speak", "spoken_text"]

LANGUAGES = {"en": ENGLISH} | EUROPEAN | UNSPACED
"""ISO 639-1 code -> how it is said; all other languages are read by the English rules."""

# Python's \w leaves combining marks out, and Hindi vowels are among them.
_COMBINING = "".join(
    chr(c)
    for c in (*range(0x300, 0x2100), *range(0xA600, 0xAC00))
    if unicodedata.category(chr(c))[0] == "M"
)
_LETTERS = rf"[^\W\d_][^\W\d_{_COMBINING}]*(?:[{_COMBINING}]+[^\W\d_]*)*"
_WORD = re.compile(rf"{_LETTERS}(?:['\u2019\u2010\u2011-]{_LETTERS})*")
_EASY = re.compile(r"[a-z]+(?:'[a-z]+)?(?=[\s,!?;]|$)")  # no rule can want such a word but these:
_HARD = frozenset({"vs", "eg", "ie", "etc", "aka", "approx"})
_SPACE = re.compile(r"\s+")

_RULED = re.compile(
    r"(?:\|?[ :|]{0,9}-{2,}[ :|-]{0,999}|[=_*]{3,}[ ]*|(?:[-*_] ){2,99}[-*_])(?=\n|$)"
)
_LINE_MARK = re.compile(r"#{1,6}(?=\s|$)|>+|[-*+\u2022\u2023◦](?=\s)|\[[ xX]\](?=\s)")
_ITEM = re.compile(r"(\d{1,3})[.)](?=\s)")
_FENCE = re.compile(r"(`{3,}|~{3,})(.*?)(?:\1[`~]*|$)", re.DOTALL)
_DATA = re.compile(OPENING + r"(?:.*[}\]]|.*$)", re.DOTALL)
"""JSON, which `voice.clauses` keeps in one piece: the rest of the text up to its last bracket."""
_CODE = re.compile(r"(`{1,2})(?!`)([^`]+)\1")
_SILENT = re.compile(
    r"!(?=\[)|\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)|\]\[[^\]\n]*\]|\[\^[^\]\n]*\]"
    r"|<!--.{0,999}?-->|</?[A-Za-z][\w-]*(?:\s+[\w:-]+(?:=(?:\"[^\"]*\"|'[^']*'|[^\s<>\"']+))?)*\s*/?>"
    r"|[:;]-?[)(DP](?!\w)|\\(?=[^\w\s])|[*_`]+|~~+|([^\w\s.,;:!?-])\1+",
    re.DOTALL,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z]{2,8});")
_PAUSE = re.compile(r"[.,;:!?…、。，！？；：।]+")
_DASH = re.compile(r"\s*(?:[\u2013\u2014\u2015]+|--+|(?<=\s)-(?=\s))")
_BREATH = re.compile(r"\(|\|(?![ ]*(?:\n|$))|\)(?=[\"'*_]*\s+[^\s|\u2013\u2014-])")


def speak(text: str, language: str = "en") -> tuple[Piece, ...]:
    """Read `text` aloud: its pieces in order, those that stay silent included.

    `language` is a BCP 47 tag of which the first part counts. Every character that is not white
    space lies in exactly one piece; a piece may span spaces (`"5 km"`). What the synthesiser gets
    is `spoken_text(pieces)`. Never raises.
    """
    code = re.split(r"[-_]", language)[0].lower()
    code = code if code in LANGUAGES else "en"
    tongue, markup = LANGUAGES[code], _markup(code)
    said = Pieces()
    at, end = 0, len(text)
    opens, structured = True, False  # at the start of a line; in a heading, list or table
    while at < end:
        if space := _SPACE.match(text, at):
            lines = space[0].count("\n")
            if lines:
                if structured or lines > 1:
                    said.breathe(".")
                opens, structured = True, False
            at = space.end()
            continue
        if opens and (mark := _RULED.match(text, at) or _LINE_MARK.match(text, at)):
            said.skip(at, mark.end())
            at, structured = mark.end(), mark[0] != ">"
            continue
        if opens and (item := _ITEM.match(text, at)):
            said.say(at, item.end(), tongue.item(item[1]))
            at, opens, structured = item.end(), False, True
            continue
        opens = False
        easy = _EASY.match(text, at)
        if easy and easy[0] not in _HARD:
            said.say(at, easy.end(), easy[0], plain=True)
            at = easy.end()
            continue
        if text[at] == "|":
            structured = True
        at = _read_one(text, at, tongue, markup, said)
    if structured:
        said.breathe(".")
    return said.done()


def spoken_text(pieces: tuple[Piece, ...]) -> str:
    """What the synthesiser is given: the words of all pieces, white space between them."""
    return " ".join(piece.spoken for piece in pieces if piece.spoken)


def _read_one(text: str, at: int, tongue: Language, markup: tuple[Rule, ...], said: Pieces) -> int:
    """Read what begins at `at`, which is no white space; returns where it ends."""
    for rules in (markup, tongue.rules):
        for pattern, read in rules:
            match = pattern.match(text, at)
            if match is not None and match.end() > at:
                words = read(match)
                if words is not None:
                    if words:
                        said.say(at, match.end(), words)
                    else:
                        said.skip(at, match.end())
                    return match.end()
    if silent := _SILENT.match(text, at):
        said.skip(at, silent.end(), inside_word=silent[0][0] in "*_`~")
        return silent.end()
    if word := _WORD.match(text, at):
        return _read_word(text, word, tongue, said)
    return _read_sign(text, at, tongue, said)


def _read_word(text: str, match: re.Match[str], tongue: Language, said: Pieces) -> int:
    """A plain word, up to a character in it that is a numeral and no letter (`x²`)."""
    start, end = match.span()
    word = match[0]
    if not word.isalpha():
        for offset, char in enumerate(word):
            if char.isnumeric() and not char.isalpha():
                if offset == 0:
                    return _read_sign(text, start, tongue, said)
                word, end = word[:offset], start + offset
                break
        word = word.translate(_PLAIN_SIGNS)
    said.say(start, end, word, plain=True)
    return end


_PLAIN_SIGNS = {0x2019: "'", 0x2010: "-", 0x2011: "-"}


def _read_sign(text: str, at: int, tongue: Language, said: Pieces) -> int:
    """Punctuation, brackets and symbols."""
    pair = text[at : at + 2]
    if len(pair) == 2 and pair in tongue.symbols:
        said.say(at, at + 2, tongue.symbols[pair])
        return at + 2
    if pause := _PAUSE.match(text, at):
        said.pause(at, pause.end(), read_pause(pause[0]))
        return pause.end()
    if dash := _DASH.match(text, at):
        said.skip(at, dash.end())
        said.breathe(",")
        return dash.end()
    char = text[at]
    if _BREATH.match(text, at):
        said.skip(at, at + 1)
        said.breathe(",")
    elif char in tongue.symbols:
        said.say(at, at + 1, tongue.symbols[char])
    elif char.isnumeric() and unicodedata.numeric(char).is_integer():
        said.say(at, at + 1, tongue.words.digits(str(int(unicodedata.numeric(char)))))
    else:
        said.skip(at, at + 1, inside_word=unicodedata.category(char) == "Cf")
    return at + 1


def _read_entity(match: re.Match[str], tongue: Language) -> str:
    char = html.unescape(match[0])
    return char if char.isalpha() else tongue.symbols.get(char, "")


@lru_cache(maxsize=16)
def _markup(code: str) -> tuple[Rule, ...]:
    """Rules for Markdown, HTML and addresses: the same in all languages but for the words."""
    tongue = LANGUAGES[code]
    words = tongue.words
    return (
        (_DATA, lambda _: f"{tongue.code_block}."),
        (_FENCE, lambda m: f"{tongue.code_block}." if m[2].strip() else ""),
        (_CODE, lambda m: adr.read_code(m[2], words)),
        (re.compile(rf"<?({adr.EMAIL})>?"), lambda m: adr.read_email(m[1], words)),
        (re.compile(rf"<?({adr.URL}(?<![.,;:!?]))>?"), lambda m: adr.read_url(m[1], words)),
        (re.compile(rf"{adr.DOMAIN}(?<![.,;:!?])"), lambda m: adr.read_url(m[0], words)),
        (re.compile(adr.PATH), lambda m: adr.read_path(m[0], words)),
        (re.compile(adr.FILE), lambda m: adr.read_file(m[0], words)),
        (re.compile(adr.IDENTIFIER), lambda m: adr.read_identifier(m[0], words)),
        (_ENTITY, lambda m: _read_entity(m, tongue)),
    )
