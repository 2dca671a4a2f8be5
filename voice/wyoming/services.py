"""What is on offer, sound to text, and text to sound, in the words of Wyoming."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import soxr
from wyoming.audio import AudioChunk, AudioFormat
from wyoming.info import AsrModel, AsrProgram, Attribution, Info, TtsProgram, TtsVoice
from wyoming.tts import SynthesizeVoice

from voice.audio import HEARD_RATE, Pcm
from voice.clauses import Clauses
from voice.engines import Tts
from voice.errors import BadEvent, VoiceError
from voice.session import Engines
from voice.settings import Settings
from voice.speakable import speak, spoken_text

PROGRAM = "vivavoce"
NOBODY = Attribution(name="", url="")

RATES = range(8_000, 192_001)
"""Samples a second that a microphone may have."""


def describe(settings: Settings, engines: Engines) -> Info:
    """What this server can do."""
    model = AsrModel(
        name=settings.stt.model,
        attribution=NOBODY,
        installed=True,
        description=f"{settings.stt.engine} {settings.stt.model}",
        version=None,
        languages=sorted(engines.stt.languages),
    )
    voices = [
        TtsVoice(
            name=voice.id,
            attribution=NOBODY,
            installed=True,
            description=f"{voice.name} ({voice.gender})",
            version=None,
            languages=[voice.language],
        )
        for voice in engines.tts.voices.values()
    ]
    return Info(
        asr=[
            AsrProgram(
                name=PROGRAM,
                attribution=NOBODY,
                installed=True,
                description="Speech to text by Vivavoce",
                version=None,
                models=[model],
            )
        ],
        tts=[
            TtsProgram(
                name=PROGRAM,
                attribution=NOBODY,
                installed=True,
                description="Text to speech by Vivavoce",
                version=None,
                voices=voices,
                supports_synthesize_streaming=True,
            )
        ],
    )


class Recording:
    """Sound as it comes in, in the sender's format, kept as 16 kHz mono; `limit` in seconds."""

    def __init__(self, form: AudioFormat, limit: float) -> None:
        known = form.width in (1, 2, 4) and form.channels in (1, 2) and form.rate in RATES
        if not known:
            raise BadEvent(
                "sound comes in 1, 2 or 4 bytes a sample, 1 or 2 channels, 8 to 192 kHz",
                code="unsupported_format",
            )
        self._form = form
        self._limit = limit
        self._resampler = soxr.ResampleStream(form.rate, HEARD_RATE, 1, dtype="float32")
        self._parts: list[Pcm] = []
        self._length = 0

    def add(self, chunk: AudioChunk) -> None:
        """The next piece. Raises `BadEvent`."""
        form = self._form
        if (chunk.rate, chunk.width, chunk.channels) != (form.rate, form.width, form.channels):
            raise BadEvent("the format of the sound changes", code="unsupported_format")
        if len(chunk.audio) % (form.width * form.channels):
            raise BadEvent("the audio ends in half a sample", code="invalid_audio")
        self._keep(self._resampler.resample_chunk(_mono(chunk)))

    def finish(self) -> Pcm:
        """All of it."""
        self._keep(self._resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
        return np.concatenate(self._parts)

    def _keep(self, pcm: Pcm) -> None:
        self._parts.append(pcm)
        self._length += len(pcm)
        if self._length > self._limit * HEARD_RATE:
            raise BadEvent(f"the sound is longer than {self._limit:.0f} s", code="audio_too_large")


def _mono(chunk: AudioChunk) -> Pcm:
    if chunk.width == 1:
        pcm = (np.frombuffer(chunk.audio, dtype="u1").astype(np.float32) - 128) / 128
    else:
        whole = np.frombuffer(chunk.audio, dtype=f"<i{chunk.width}")
        pcm = (whole / 2.0 ** (8 * chunk.width - 1)).astype(np.float32)
    mixed: Pcm = pcm.reshape(-1, chunk.channels).mean(axis=1, dtype=np.float32)
    return mixed


def choose_voice(tts: Tts, asked: SynthesizeVoice | None, default: str) -> str:
    """The voice that is named, or one of the language that is named, `default` if it can be.

    Raises `VoiceError` with code `unknown_voice` or `unknown_language`.
    """
    if asked is not None and asked.name:
        if asked.name not in tts.voices:
            raise VoiceError("there is no such voice", code="unknown_voice", param="voice")
        return asked.name
    if asked is None or not asked.language:
        return default
    wanted = asked.language.replace("_", "-").lower()
    for exact in (True, False):
        for voice in (tts.voices[default], *tts.voices.values()):
            known = voice.language.lower()
            if known == wanted or (not exact and known.split("-")[0] == wanted.split("-")[0]):
                return voice.id
    raise VoiceError("no voice speaks this language", code="unknown_language", param="voice")


class Reading:
    """A text that is read aloud while it comes in."""

    def __init__(self, tts: Tts, voice: str, limit: int) -> None:
        self._tts = tts
        self._voice = voice
        self._language = tts.voices[voice].language
        self._clauses = Clauses(self._language)
        self._room = limit

    async def feed(self, text: str) -> AsyncIterator[Pcm]:
        """More of the text; yields sound, 24 kHz, of the clauses that are complete.

        Raises `BadEvent` `too_long`, and what `Tts.stream` raises.
        """
        self._room -= len(text)
        if self._room < 0:
            raise BadEvent("the text is too long", code="too_long", param="text")
        for clause in self._clauses.feed(text):
            async for pcm in self._say(clause):
                yield pcm

    async def finish(self) -> AsyncIterator[Pcm]:
        """The rest of it."""
        for clause in self._clauses.flush():
            async for pcm in self._say(clause):
                yield pcm

    async def _say(self, clause: str) -> AsyncIterator[Pcm]:
        words = spoken_text(speak(clause, self._language))
        if any(sign.isalnum() for sign in words):
            async for piece in self._tts.stream(words, voice=self._voice):
                yield piece.pcm
