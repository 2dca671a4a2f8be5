"""Japanese: words and readings from UniDic through MeCab, readings to Kokoro's phonemes.

The dictionary (unidic-lite) says how each word is pronounced in katakana; the kana are rewritten
by the table of misaki's `cutlet.py` (hexgrad/misaki 0.9.4, Apache-2.0, after polm/cutlet, MIT),
with which Kokoro v1.0's Japanese voices were trained. Latin words are read as English, digits as
Japanese numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

import fugashi  # type: ignore[import-untyped]
from num2words import num2words

from voice.engines.phonemes import espeak

_ROWS = (
    ("アイウエオ", "a i ɯ e o"),
    ("カキクケコ", "ka kʲi kɯ ke ko"),
    ("ガギグゲゴ", "ɡa ɡʲi ɡɯ ɡe ɡo"),
    ("サシスセソ", "sa ɕi sɨ se so"),
    ("ザジズゼゾ", "ʣa ʥi zɨ ʣe ʣo"),
    ("タチツテト", "ta ʨi ʦɨ te to"),
    ("ダヂヅデド", "da ʥi zɨ de do"),
    ("ナニヌネノ", "na ɲi nɯ ne no"),
    ("ハヒフヘホ", "ha çi ɸɯ he ho"),
    ("バビブベボ", "ba bʲi bɯ be bo"),
    ("パピプペポ", "pa pʲi pɯ pe po"),
    ("マミムメモ", "ma mʲi mɯ me mo"),
    ("ヤユヨ", "ja jɯ jo"),
    ("ラリルレロ", "ɾa ɾʲi ɾɯ ɾe ɾo"),
    ("ワヰヱヲヴ", "βa i e o vɯ"),
    ("ァィゥェォャュョヮ", "a i ɯ e o ja jɯ jo βa"),
)
"""Kana and how they sound, in the order of the syllabary."""

_KANA = {
    kana: sound for row, sounds in _ROWS for kana, sound in zip(row, sounds.split(), strict=True)
}

_SMALL = {"ァ": "a", "ィ": "i", "ゥ": "ɯ", "ェ": "e", "ォ": "o", "ャ": "a", "ュ": "ɨ", "ョ": "o"}

_GLIDES = {"ク": "kᵝ", "グ": "ɡᵝ", "ウ": "β", "イ": "j"}
"""Consonants of kana that change before a small vowel."""

_SOFTENED = frozenset("テデフツヴ")
"""Kana whose consonant is palatal before a small i or yu."""

_READINGS = {"私": "ワタシ"}
"""Where the dictionary's first reading is not the everyday one."""


@cache
def _tagger() -> fugashi.Tagger:
    try:
        return fugashi.Tagger()
    except RuntimeError as error:
        raise ImportError("the Japanese dictionary (unidic-lite) is missing") from error


def pronounce(words: Sequence[str]) -> list[str]:
    """Kokoro phonemes of each of `words` (runs of Japanese without spaces or punctuation)."""
    return [" ".join(_sounds(_numbers_read(word))) for word in words]


def _numbers_read(text: str) -> str:
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return re.sub(r"\d{1,15}", lambda digits: str(num2words(int(digits[0]), lang="ja")), text)


def _sounds(text: str) -> Iterator[str]:
    """The phonemes of each phrase: a word and the endings that lean on it."""
    kana = ""
    for token in _tagger()(text):
        leans = token.feature.pos1 in ("助動詞", "接尾辞") or token.feature.pos2 == "接続助詞"
        if kana and not leans:
            yield from _nonempty(phonemes_of(kana))
            kana = ""
        if token.surface.isascii():
            yield from _nonempty(" ".join(espeak.pronounce([token.surface], "en-US")))
        else:
            kana += _READINGS.get(token.surface) or token.feature.pron or _katakana(token.surface)
    yield from _nonempty(phonemes_of(kana))


def _nonempty(sound: str) -> tuple[str, ...]:
    return (sound,) if sound else ()


def _katakana(text: str) -> str:
    """Hiragana as katakana, which lie 96 code points higher; other signs stay."""
    return "".join(chr(ord(sign) + 96) if "ぁ" <= sign <= "ゖ" else sign for sign in text)


def phonemes_of(kana: str) -> str:
    """Kokoro phonemes of `kana` (katakana); unknown signs are left out."""
    sounds = ""
    for at in range(len(kana)):
        sounds += _sound(kana[at], kana[at + 1 : at + 3], before=kana[:at][-1:])
    return sounds


def _sound(kana: str, after: str, before: str = "") -> str:
    if kana == "ー":
        return "ː"
    if kana == "ッ":
        return "ʔ"
    if kana == "ン":
        return _nasal(_sound(after[:1], after[1:]) if after else "")
    if kana in _SMALL and before in _KANA and before not in _SMALL:
        return ""  # part of the syllable before
    vowel = _SMALL.get(after[:1])
    if vowel is None or kana in _SMALL:
        return _KANA.get(kana, "")
    base = _KANA.get(kana, "")
    onset = _GLIDES.get(kana, base[:-1])
    if kana in _SOFTENED and after[0] in "ィャュョ":
        onset += "ʲ"
    return onset + vowel


def _nasal(following: str) -> str:
    """The moraic n takes the place of articulation of what follows."""
    for beginnings, nasal in (("mpb", "m"), ("kɡ", "ŋ"), ("ɲʨʥ", "ɲ"), ("ntdɾz", "n")):
        if following[:1] and following[0] in beginnings:
            return nasal
    return "ɴ"
