"""Mandarin: characters to pinyin with tones, pinyin to Kokoro's phonemes.

pypinyin chooses readings by its dictionary of phrases. Initials and finals become IPA by the table
of stefantaubert/pinyin-to-ipa (MIT) and tones become arrows, as in misaki's `zh.py`
(hexgrad/misaki 0.9.4, Apache-2.0), with which Kokoro v1.0's Mandarin voices were trained. Latin
words are read as English, digits as Chinese numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pypinyin import Style, lazy_pinyin
from pypinyin.contrib.tone_convert import to_finals, to_initials
from pypinyin.seg import mmseg

from voice.engines.phonemes import espeak

_INITIALS = {
    "b": "p", "c": "ʦʰ", "ch": "\uab67ʰ", "d": "t", "f": "f", "g": "k", "h": "x", "j": "ʨ",
    "k": "kʰ", "l": "l", "m": "m", "n": "n", "p": "pʰ", "q": "ʨʰ", "r": "ɻ", "s": "s", "sh": "ʂ",
    "t": "tʰ", "x": "ɕ", "z": "ʦ", "zh": "\uab67", "": "",
}  # fmt: skip

# The tone's arrow goes where the 0 stands.
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0",
    "en": "ə0n", "eng": "ə0ŋ", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ",
    "iao": "jau0", "ie": "je0", "in": "i0n", "iou": "jou0", "ing": "i0ŋ", "iong": "jʊ0ŋ",
    "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0", "uai": "wai0", "uan": "wa0n",
    "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "ü": "y0",
    "üe": "ɥe0", "üan": "ɥɛ0n", "ün": "y0n",
}  # fmt: skip

_WHOLE = {
    "er": "ɚ0", "o": "ɔ0", "io": "jɔ0", "ê": "ɛ0", "m": "m0", "n": "n0", "ng": "ŋ0", "hm": "hm0",
    "hng": "hŋ0",
}  # fmt: skip
"""Syllables that are not an initial and a final."""

_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}


def pronounce(words: Sequence[str]) -> list[str]:
    """Kokoro phonemes of each of `words` (runs of Chinese without spaces or punctuation)."""
    return [_pronounced(_numbers_read(word)) for word in words]


def _numbers_read(text: str) -> str:
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return re.sub(r"[0-9]{1,16}", lambda digits: number_in_characters(int(digits[0])), text)


def number_in_characters(number: int) -> str:
    """`number`, from 0 to 10**16 - 1, as it is read: 1050 is 一千零五十."""
    read, left_out = "", False
    for place in range(15, -1, -1):
        digit = number // 10**place % 10
        if digit:
            read += "零" if left_out and read else ""
            read += "零一二三四五六七八九"[digit] + ("", "十", "百", "千")[place % 4]
        left_out = not digit
        if place % 4 == 0 and number // 10**place % 10_000:
            read += ("", "万", "亿", "万亿")[place // 4]
    return re.sub("^一十", "十", read) or "零"


def _pronounced(text: str) -> str:
    sounds = []
    for run in re.findall(r"[\u3007\u3400-\u9fff\uf900-\ufaff]+|[A-Za-zÀ-ɏ']+", text):
        if run[0] < "\u3007":
            sounds += espeak.pronounce([run], "en-US")
            continue
        for word in mmseg.seg.cut(run):
            pinyin = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True)
            sounds.append("".join(map(phonemes_of, pinyin)))
    return " ".join(filter(None, sounds))


def phonemes_of(pinyin: str) -> str:
    """Kokoro phonemes of one syllable such as `hao3`; "" if it is none."""
    syllable, tone = pinyin[:-1], _TONES.get(pinyin[-1:])
    if tone is None:
        return ""
    if syllable in _WHOLE:
        return _WHOLE[syllable].replace("0", tone)
    initial = to_initials(syllable, strict=True)
    final = to_finals(syllable, strict=True, v_to_u=True)
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        return f"{_INITIALS[initial]}ɨ{tone}"
    return _INITIALS.get(initial, "") + _FINALS.get(final, "").replace("0", tone)
