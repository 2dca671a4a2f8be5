"""Speech recognition that also tells when each word sounds: what an engine may offer beside `Stt`.

Kept apart because a live conversation never needs it and not every recogniser can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from voice.audio import Pcm
from voice.engines import Spoken, Transcript, Word


@dataclass(frozen=True, slots=True)
class HeardPart:
    """A stretch of the audio, from `start` to `end` seconds, and what was said in it.

    `words` are timed from the start of the whole audio and hold the text's words in order, their
    punctuation with them; empty where no times were asked for or nothing was said.
    """

    start: float
    end: float
    transcript: Transcript
    words: tuple[Word, ...] = ()


@runtime_checkable
class TimedStt(Protocol):
    """An `Stt` that hears recordings of any length, part by part."""

    def hear(
        self, pcm: Pcm, *, language: Spoken = None, prompt: str = "", words: bool = False
    ) -> AsyncIterator[HeardPart]:
        """Transcribe `pcm` (16 kHz), each part as a job of its own behind all live speech.

        `prompt` is text in the style, and with the names, that are expected; only its end counts
        where it is too long. Raises as `Stt.transcribe`.
        """
        ...
