"""Pronunciation by espeak-ng, word by word but as it sounds in the sentence.

espeak-ng gives phonemes for a whole clause, with its words run together where people do
("of the" -> "ʌvðə") and numbers spread over several. `split_among` finds again which word each
phoneme belongs to. The signs are then rewritten as Kokoro knows them, by the tables of misaki's
`espeak.py` (hexgrad/misaki 0.9.4, Apache-2.0), with which Kokoro's training text was made.

espeak-ng is GPL-3: see `docs/decisions/0002-phonemes.md`.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Sequence
from functools import cache, lru_cache

import espeakng_loader

from voice.engines.phonemes.vocabulary import known

_VOICES = {
    "en-US": "en-us",
    "en-GB": "en",
    "es": "es",
    "fr-FR": "fr",
    "hi": "hi",
    "it": "it",
    "pt-BR": "pt-br",
}

# The constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1
_IPA_TIED = 0x02 | 0x80 | ord("^") << 8

_TABLE = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^z", "ʣ"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("o^ʊ", "O"),
    ("ə^ʊ", "Q"), ("s^s", "S"), ("t^s", "ʦ"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("^", ""), ("-", ""),
)  # fmt: skip

_ENGLISH = (
    ("ʔˌn\u0329", "ʔn"), ("ʔn\u0329", "ʔn"), ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("ə^l", "ᵊl"), ("ʲo", "jo"), ("ʲə", "jə"),
    ("ʲ", ""), ("ɚ", "əɹ"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɐ", "ə"), ("ɬ", "l"),
    ("\u0303", ""),
)  # fmt: skip

_BRITISH = (("e^ə", "ɛː"), ("i^ə", "ɪə"), ("iə", "ɪə"), ("ə^ʊ", "Q"))

_AMERICAN = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))

_LAST = (("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"), ("^", ""))


_WEAK = {
    "a": ("ə", "ɐ"),
    "an": ("ən", "ɐn"),
    "am": ("əm", "ɐm"),
    "the": ("ðə", "ðə"),
    "to": ("tə", "tə"),
}
"""Unstressed little words, and how misaki's `en.py` writes them."""

_LOCK = threading.RLock()
"""espeak-ng keeps its state in globals: one call at a time in the whole process."""


class _Library:
    """The one espeak-ng of this process."""

    def __init__(self) -> None:
        self._voice = ""
        try:
            self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
            data = espeakng_loader.get_data_path().encode()
        except (OSError, RuntimeError) as error:
            raise ImportError("espeak-ng cannot be loaded") from error
        if self._lib.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT) < 0:
            raise ImportError("espeak-ng does not find its data")
        self._speak = self._lib.espeak_TextToPhonemes
        self._speak.restype = ctypes.c_char_p
        self._speak.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]

    def phonemes(self, text: str, voice: str) -> str:
        if voice != self._voice:
            if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
                raise ImportError(f"espeak-ng has no voice {voice!r}")
            self._voice = voice
        rest = ctypes.c_char_p(text.replace("\0", "").encode("utf-8", "ignore"))
        clauses = []
        while rest.value:
            said = self._speak(ctypes.byref(rest), _UTF8, _IPA_TIED)
            clauses.append((said or b"").decode("utf-8", "replace"))
        return " ".join(clauses)


@cache
def _library() -> _Library:
    return _Library()


def ipa(text: str, language: str) -> str:
    """What espeak-ng says for `text`: IPA, the signs of one phoneme tied by `^`.

    Raises `ImportError` if espeak-ng, its data or the language is missing.
    """
    with _LOCK:
        return _library().phonemes(text, _VOICES[language])


def pronounce(words: Sequence[str], language: str) -> list[str]:
    """Kokoro phonemes of each of `words`, which are one clause without its punctuation.

    A word that sounds as several (a number) has spaces inside; one that is not spoken is "".
    """
    together = _say(" ".join(words), language).split()
    alone = [_alone(word, language) for word in words]
    shares = split_among(together, alone)
    if not language.startswith("en"):
        return shares
    return [_as_trained(word, share) for word, share in zip(words, shares, strict=True)]


def _as_trained(word: str, sounds: str) -> str:
    """The English `sounds` of `word` with the stress that misaki's `en.py` would write.

    A capital, as at the start of a sentence, is worth a secondary stress: without it the model
    swallows a first "I" or "She".
    """
    weak, written = _WEAK.get(word.lower(), ("", ""))
    if weak:
        return written if sounds == weak else sounds
    if word[:1].isupper() and not {"ˈ", "ˌ"} & set(sounds):
        return re.sub(f"[{_VOWELS}]", r"ˌ\g<0>", sounds, count=1)
    return sounds


@lru_cache(maxsize=8192)
def _alone(word: str, language: str) -> tuple[str, ...]:
    return tuple(_say(word, language).split())


def _say(text: str, language: str) -> str:
    raw = ipa(text, language)
    raw = re.sub(r"\(\^?\w[\w^-]*\)", "", raw)  # marks of a switch of language: (en), (^f^r)
    if not language.startswith("en"):
        return known(_rewritten(raw, _TABLE))
    raw = _rewritten(raw, _ENGLISH)
    raw = re.sub(r"(\S)\u0329", r"ᵊ\1", raw)
    return known(_rewritten(raw, (*(_BRITISH if language == "en-GB" else _AMERICAN), *_LAST)))


def _rewritten(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for old, new in table:
        text = text.replace(old, new)
    return text


_BEFORE, _AFTER = "ˈˌ", "ː\u0303ʰʲ"
"""Signs that belong to the one after them, and to the one before."""


def split_among(together: Sequence[str], alone: Sequence[Sequence[str]]) -> list[str]:
    """Give each word its share of the clause's phonemes.

    `together` are the space-separated runs espeak-ng made of the clause, `alone` those it makes of
    each word by itself. Where the counts agree the shares are read off; otherwise the two strings
    are aligned by least edits.
    """
    if sum(map(len, alone)) == len(together):
        shares, at = [], 0
        for runs in alone:
            shares.append(" ".join(together[at : at + len(runs)]))
            at += len(runs)
        return shares
    expected = [(sign, word) for word, runs in enumerate(alone) for run in runs for sign in run]
    heard = [(sign, not at) for run in together for at, sign in enumerate(run)]
    owners = _owners([sign for sign, _ in heard], expected)
    for at in reversed(range(len(heard) - 1)):
        if heard[at][0] in _BEFORE:
            owners[at] = owners[at + 1]
        if heard[at + 1][0] in _AFTER:
            owners[at + 1] = owners[at]
    parts = [""] * len(alone)
    for (sign, starts), owner in zip(heard, owners, strict=True):
        parts[owner] += f" {sign}" if starts and parts[owner] else sign
    return parts


def _owners(heard: Sequence[str], expected: Sequence[tuple[str, int]]) -> list[int]:
    """For each heard sign the word it belongs to: Wagner and Fischer's alignment, 1974."""
    if not expected:
        return [0] * len(heard)
    rows, columns = len(heard) + 1, len(expected) + 1
    cost = [[float(row + column) for column in range(columns)] for row in range(rows)]
    for row in range(1, rows):
        for column in range(1, columns):
            cost[row][column] = min(
                cost[row - 1][column - 1] + _difference(heard[row - 1], expected[column - 1][0]),
                cost[row - 1][column] + 1,
                cost[row][column - 1] + 1,
            )
    owners = [0] * len(heard)
    row, column = len(heard), len(expected)
    while row:
        here = cost[row][column]
        if column and here == cost[row][column - 1] + 1:
            column -= 1
            continue
        row -= 1
        owners[row] = expected[max(column - 1, 0)][1]
        pair = _difference(heard[row], expected[column - 1][0]) if column else 0
        if column and here == cost[row][column - 1] + pair:
            column -= 1
    return owners


_VOWELS = "aeiouyɑɐɒæɔəɚɛɜɨɪøœɯʊʌᵊᵻAIOQWY"


def _difference(left: str, right: str) -> float:
    if left == right:
        return 0.0
    # Powers of two, so that sums of costs compare exactly.
    return 0.5 if (left in _VOWELS) == (right in _VOWELS) else 1.5
