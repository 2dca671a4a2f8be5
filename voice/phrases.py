"""The few things that are said without a language model, by language. Pure data."""

from __future__ import annotations

ONE_MOMENT = {
    "en": "One moment, please.",
    "es": "Un momento, por favor.",
    "fr": "Un instant, s'il vous plaît.",
    "hi": "एक पल रुकिए।",
    "it": "Un attimo, per favore.",
    "ja": "少々お待ちください。",
    "pt": "Um momento, por favor.",
    "zh": "请稍等。",
}
"""A function that was called takes long; ISO 639-1 code -> sentence."""


def one_moment(language: str) -> str:
    """The sentence in the language of a BCP 47 tag, or in English."""
    return ONE_MOMENT.get(language.split("-", maxsplit=1)[0].lower(), ONE_MOMENT["en"])
