"""What an engine must offer, and where each one lives.

An engine is one file with `load(options) -> engine`, one line in `ENGINES`, one entry in
`models/manifest.toml`, and it passes the contract tests of its kind. Nothing imports an engine
statically: its native library is loaded only when it is chosen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from voice.audio import SPOKEN_RATE, Pcm
from voice.engines.languages import Languages
from voice.errors import ConfigError

Spoken = str | Languages | None
"""What is known of the language of some speech: which it is, something, or nothing."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the composition root tells an engine.

    `weights` is the folder the manifest's files were installed under; `device` is `auto`, `cpu`
    or `cuda`; `threads` is the number of CPU threads the engine may use.
    """

    weights: Path
    device: str = "auto"
    threads: int = 2
    model: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it sounds, in seconds from the start of its audio."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a piece of audio.

    `language` is an ISO 639-1 code. `no_speech` is the probability that nothing was said,
    `confidence` the mean log-probability of the tokens (0 is certain, below about -1 doubtful),
    `compression` the zlib ratio of the text (high means repetition). `full_context` says that
    the second opinion, from a longer window, produced the text. `unsure` is what would have been
    heard if anything was said, where the text is empty because that is improbable.
    """

    text: str
    language: str
    no_speech: float = 0.0
    confidence: float = 0.0
    compression: float = 0.0
    full_context: bool = False
    unsure: str = ""


@dataclass(frozen=True, slots=True)
class Speech:
    """Synthesised audio at `SPOKEN_RATE`, leading silence trimmed, or a piece of it.

    `words` holds one entry for each whitespace-separated word of the text, in order, so
    `len(words) == len(text.split())`; of several pieces the first has them all, the others none.
    The last may be said to end after the audio of all pieces. `exact` says that the times are the
    synthesiser's own.
    """

    pcm: Pcm
    words: tuple[Word, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice one may ask for: its id, its BCP 47 language and what people call it."""

    id: str
    language: str
    name: str
    gender: str


class VadStream(Protocol):
    """Voice activity over one stream of audio; holds that stream's state."""

    def probability(self, frame: Pcm) -> float:
        """Probability that `frame` (exactly `Vad.frame` samples at 16 kHz) holds speech.

        Synchronous: it costs well under a millisecond, less than a thread hop.
        """
        ...


class Vad(Protocol):
    """Voice activity detection: one shared model, many small streams."""

    frame: int
    device: str

    def open(self) -> VadStream:
        """A fresh stream."""
        ...


class TurnDetector(Protocol):
    """Judges from the sound whether the speaker has finished."""

    device: str

    async def completion(self, pcm: Pcm) -> float:
        """Probability in [0, 1] that the turn in `pcm` (16 kHz, any length) is complete."""
        ...


class Stt(Protocol):
    """Speech to text."""

    device: str
    languages: frozenset[str]

    async def transcribe(
        self,
        pcm: Pcm,
        *,
        language: Spoken = None,
        prefix: str = "",
        urgent: bool = True,
        early: Callable[[Transcript], None] | None = None,
    ) -> Transcript:
        """Transcribe `pcm` (16 kHz). `language` is detected unless it is given; `prefix` is text
        already agreed on, which the transcript then starts with. What is not `urgent` waits for
        all that is. `early` is told, on the event loop, what was understood at first while the
        recogniser has another try.

        Raises `Overloaded` when too much waits already, `EngineFailed` when the model fails.
        Cancelling the call before its work starts costs nothing.
        """
        ...


class Tts(Protocol):
    """Text to speech."""

    device: str
    voices: Mapping[str, Voice]

    def stream(
        self, text: str, *, voice: str, speed: float = 1.0, urgent: bool = True
    ) -> AsyncIterator[Speech]:
        """Speak `text` (already in speakable form) as one clause; the voice sets the language.

        At least one piece comes. Each is made when it is asked for; the first is short, and each
        can be made while those before it play. What is `urgent` goes first.

        Raises `Overloaded`, `EngineFailed`, or `VoiceError` with code `unknown_voice`.
        """
        ...

    async def synthesize(self, text: str, *, voice: str, speed: float = 1.0) -> Speech:
        """All that `stream` gives, in one."""
        ...

    async def warm(self, voice: str) -> None:
        """Do what makes `voice` speak sooner; it may take some seconds. Raises as `stream`."""
        ...


def joined(pieces: Sequence[Speech]) -> Speech:
    """One `Speech` of the pieces that a stream gave; no word lasts longer than the sound."""
    pcm = np.concatenate([piece.pcm for piece in pieces])
    end = len(pcm) / SPOKEN_RATE
    words = tuple(Word(w.text, min(w.start, end), min(w.end, end)) for w in pieces[0].words)
    return Speech(pcm, words, pieces[0].exact)


ENGINES: Mapping[str, Mapping[str, str]] = {
    "vad": {"silero": "voice.engines.silero:load"},
    "turn": {"smart-turn": "voice.engines.smart_turn:load"},
    "stt": {"faster-whisper": "voice.engines.faster_whisper:load"},
    "tts": {"kokoro": "voice.engines.kokoro:load"},
}
"""kind -> name -> "module:function"; the function takes `EngineOptions`."""


def load_engine(kind: str, name: str, options: EngineOptions) -> Any:
    """Import and load the engine `name` of `kind` (blocking: seconds).

    Raises `ConfigError` if there is no such engine or it cannot be loaded.
    """
    table = ENGINES[kind]
    if name not in table:
        known = ", ".join(sorted(table))
        raise ConfigError(f"there is no {kind} engine {name!r}; known: {known}")
    module, function = table[name].split(":")
    try:
        loaded = getattr(import_module(module), function)(options)
    except ImportError as error:
        raise ConfigError(f"the {kind} engine {name!r} needs a library: {error}") from error
    return loaded
