"""A whole text as speech, outside a conversation."""

from __future__ import annotations

import numpy as np

from voice.audio import Pcm
from voice.clauses import Clauses
from voice.engines import Tts
from voice.errors import ConfigError
from voice.speakable import speak


async def speak_text(tts: Tts, text: str, *, voice: str, speed: float) -> Pcm:
    """Speak a whole text, clause by clause as in a reply; 24 kHz."""
    if voice not in tts.voices:
        raise ConfigError(f"there is no voice {voice!r}")
    language = tts.voices[voice].language
    clauses = Clauses(language)
    spoken: list[Pcm] = []
    for clause in [*clauses.feed(text), *clauses.flush()]:
        words = " ".join(piece.spoken for piece in speak(clause, language) if piece.spoken)
        spoken.append((await tts.synthesize(words, voice=voice, speed=speed)).pcm)
    return np.concatenate(spoken) if spoken else np.zeros(0, dtype=np.float32)
