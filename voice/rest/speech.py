"""`POST /v1/audio/speech`: text to speech, sent as it is synthesised."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from voice.audio import Pcm
from voice.clauses import Clauses
from voice.engines import Tts
from voice.protocol.config import OPENAI_VOICES, VoiceId
from voice.rest.encoding import MEDIA_TYPES, encoder
from voice.rest.errors import BadRequest
from voice.rest.service import Rest, primed, read_json, stream_events, whole_text
from voice.speakable import speak, spoken_text

MOST_VOICES = 8
"""Voices in one blend."""


class SpeechRequest(Struct, kw_only=True, frozen=True):
    """What is to be said and how. `instructions` and the model's name are taken and left aside:
    there is one synthesiser, and its voices read as they read.
    """

    input: Annotated[str, Meta(min_length=1)]
    model: str = "tts-1"
    voice: str | VoiceId | None = None
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = "mp3"
    speed: Annotated[float, Meta(ge=0.25, le=4.0)] | None = 1.0
    stream_format: Literal["audio", "sse"] | None = "audio"
    instructions: str | None = None


async def speech(rest: Rest, request: Request) -> Response:
    """Speak the text."""
    tts = rest.ready().tts
    wanted = await read_json(request, SpeechRequest)
    longest = rest.settings.limits.speech_chars
    if len(wanted.input) > longest:
        raise BadRequest(f"at most {longest} characters", code="too_long", param="input")
    voice, language = choose_voice(tts, wanted.voice, rest.settings.tts.voice)
    text = whole_text(wanted.input)
    made = spoken(tts, text, voice=voice, language=language, speed=wanted.speed or 1.0)
    name = wanted.response_format or "mp3"
    if wanted.stream_format == "sse":
        return await stream_events(speech_events(made, name, len(text)))
    return StreamingResponse(await primed(encoded(made, name)), media_type=MEDIA_TYPES[name])


def choose_voice(tts: Tts, asked: str | VoiceId | None, default: str) -> tuple[str, str]:
    """The voice (or blend, as `af_heart+am_adam`) that is meant, and the language it speaks,
    the first voice's. Raises `BadRequest` `unknown_voice`.
    """
    asked = asked.id if isinstance(asked, VoiceId) else asked or default
    names = [OPENAI_VOICES.get(name.strip(), name.strip()) for name in asked.split("+")]
    unknown = [name for name in names if name not in tts.voices]
    if unknown or len(names) > MOST_VOICES:
        message = f"there is no voice {unknown[0][:40]!r}" if unknown else "too many voices"
        raise BadRequest(f"{message}; see GET /v1/voices", code="unknown_voice", param="voice")
    return "+".join(names), tts.voices[names[0]].language


async def spoken(
    tts: Tts, text: str, *, voice: str, language: str, speed: float
) -> AsyncGenerator[Pcm, None]:
    """Speak a text of any length clause by clause, behind whatever is live; 24 kHz.

    Raises `BadRequest` `nothing_to_say` if there is no word in it.
    """
    silent = True
    for words in clauses(text, language):
        async for piece in tts.stream(words, voice=voice, speed=speed, urgent=False):
            silent = False
            yield piece.pcm
    if silent:
        raise BadRequest("there is no word in it", code="nothing_to_say", param="input")


def clauses(text: str, language: str) -> Iterator[str]:
    """The text as it is said, in pieces fit for the synthesiser."""
    cut = Clauses(language)
    for clause in [*cut.feed(text), *cut.flush()]:
        words = spoken_text(speak(clause, language))
        if any(sign.isalnum() for sign in words):
            yield words


async def encoded(made: AsyncGenerator[Pcm, None], name: str) -> AsyncGenerator[bytes, None]:
    """The audio in the format `name`, one of `MEDIA_TYPES`."""
    encode = encoder(name)
    async with aclosing(made):
        async for pcm in made:
            if data := await asyncio.to_thread(encode.feed, pcm):
                yield data
    if rest := await asyncio.to_thread(encode.finish):
        yield rest


async def speech_events(
    made: AsyncGenerator[Pcm, None], name: str, chars: int
) -> AsyncGenerator[dict[str, Any], None]:
    """The same as events. Usage is counted in characters in and bytes out: there are no tokens."""
    sent = 0
    async with aclosing(encoded(made, name)) as pieces:
        async for data in pieces:
            sent += len(data)
            yield {"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()}
    usage = {"input_tokens": chars, "output_tokens": sent, "total_tokens": chars + sent}
    yield {"type": "speech.audio.done", "usage": usage}
