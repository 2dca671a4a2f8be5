"""Text to Kokoro's phonemes, one string for each word, in nine languages.

Each language's library is loaded when it is first needed: call `warm` to have it beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib import import_module

from voice.engines.phonemes.vocabulary import known
from voice.engines.phonemes.words import Part, parts_of

LANGUAGES = ("en-US", "en-GB", "es", "fr-FR", "hi", "it", "ja", "pt-BR", "zh")
"""BCP 47 tags of what `phonemize` speaks."""

_OWN = {
    "hi": ("espeak", ("DEVANAGARI", "LATIN")),
    "ja": ("japanese", ("HIRAGANA", "KATAKANA", "CJK", "IDEOGRAPHIC", "LATIN")),
    "zh": ("mandarin", ("CJK", "IDEOGRAPHIC", "LATIN")),
}
"""Module and scripts (beginnings of Unicode names of letters) where they are not the usual."""

_LONGEST = 40
"""Words pronounced at once: finding whose phonemes are whose takes time in the square of this."""

Pronounce = Callable[[Sequence[str]], Sequence[str]]


def warm(language: str) -> None:
    """Load what `language` needs (blocking; up to seconds)."""
    pronounce, _ = _language(language)
    pronounce(["a"])


def phonemize(text: str, language: str) -> list[str]:
    """Phonemes and punctuation of each whitespace-separated word of `text`, in order.

    Always `len(text.split())` strings of signs of the alphabet; "" for a word that cannot be
    spoken. Blocking: mostly under a millisecond, but the first call of a language loads its
    library. Raises `ImportError` when that library is missing.
    """
    pronounce, scripts = _language(language)
    spoken = [""] * len(text.split())
    clause: list[Part] = []

    def finish() -> None:
        sounds = pronounce([part.text for part in clause]) if clause else []
        for part, sound in zip(clause, sounds, strict=True):
            before = spoken[part.word]
            joint = " " if sound and before[-1:] not in ("", "(", "“", '"', "—") else ""
            spoken[part.word] = before + joint + known(sound)
        clause.clear()

    for part in parts_of(text, scripts):
        if part.mark or len(clause) == _LONGEST:
            finish()
        if part.mark:
            spoken[part.word] += part.mark
        else:
            clause.append(part)
    finish()
    return spoken


@cache
def _language(language: str) -> tuple[Pronounce, tuple[str, ...]]:
    """How `language` is pronounced, and the scripts it is written in."""
    name, scripts = _OWN.get(language, ("espeak", ("LATIN",)))
    pronounce = import_module(f"{__name__}.{name}").pronounce
    return (partial(pronounce, language=language) if name == "espeak" else pronounce), scripts
