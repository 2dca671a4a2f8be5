"""What languages a session may hear, and which voice answers in one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from voice.engines import Voice
from voice.engines.languages import Languages, primary, those_known
from voice.protocol.config import SessionConfig
from voice.settings import Settings

NAMES = {
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "pt": "Portuguese",
    "zh": "Chinese",
}
"""Languages that there are voices for, as a prompt names them."""


def may_be_heard(
    config: SessionConfig, settings: Settings, voices: Mapping[str, Voice], known: Collection[str]
) -> Languages:
    """What may be spoken in a session; `known` are the recogniser's languages.

    Only `stt.languages` shuts any out for good. The voice's language and those the client names
    are expected, the first of the latter most of all: it is the one its user reads.
    """
    allowed = those_known(settings.stt.languages, known)
    own = those_known([voices[config.voice].language], known)
    named = config.transcription.languages if config.transcription else None
    theirs = those_known(named or (), known)
    likely = [code for code in (*theirs, *own) if not allowed or code in allowed]
    return Languages(
        allowed=frozenset(allowed),
        expected=frozenset(likely),
        present=next(iter([*likely, *allowed]), ""),
    )


def only_allowed(settings: Settings) -> Languages:
    """What may be spoken where nothing is known of the speaker."""
    return Languages(allowed=frozenset(settings.stt.languages))


def speaks(voice: Voice, language: str) -> bool:
    """Whether `voice` is one of `language`; nothing is asked of it where that is empty."""
    return not language or primary(voice.language) == language


def voice_for(
    language: str, configured: str, voices: Mapping[str, Voice], preferred: Mapping[str, str]
) -> str:
    """The voice that answers somebody who speaks `language` (empty: not known).

    The one `configured`, if it is of that language or there is none that is.
    """
    if speaks(voices[configured], language):
        return configured
    wanted = preferred.get(language, "")
    if wanted in voices:
        return wanted
    return next((name for name in voices if speaks(voices[name], language)), configured)


def in_language(instructions: str, language: str, voice: Voice) -> str:
    """`instructions` that say to answer in `language`, if it is not English and `voice` speaks it.

    Without it SmolLM2 135M answered in English to questions in French, German, Spanish, Italian,
    Portuguese and Hindi, which a voice of another language cannot read.
    """
    foreign = language in NAMES and language != "en" and speaks(voice, language)
    return f"{instructions} Answer in {NAMES[language]}." if foreign else instructions
