"""`POST /v1/audio/transcriptions`: a recording to text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from voice.audio import HEARD_RATE, Pcm
from voice.engines import Spoken, Stt
from voice.engines.timed import HeardPart, TimedStt
from voice.languages import only_allowed
from voice.rest import transcripts
from voice.rest.decoding import decode
from voice.rest.errors import BadRequest
from voice.rest.service import Rest, bounded, stream_events, wrong_field
from voice.rest.service import whole_text as clean

FORM_BYTES = 256 * 2**10
"""Room in the body for everything but the file."""

PROMPT_CHARS = 8_000


class TranscriptionFields(Struct, kw_only=True, frozen=True):
    """The form's fields beside `file`. The model's name is taken and left aside, and so is the
    temperature: decoding is greedy.
    """

    model: str = "whisper-1"
    language: str | None = None
    prompt: Annotated[str, Meta(max_length=PROMPT_CHARS)] = ""
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = "json"
    stream: bool = False
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.0
    timestamp_granularities: list[Literal["word", "segment"]] = []


async def transcriptions(rest: Rest, request: Request) -> Response:
    """Transcribe the uploaded file."""
    stt = rest.ready().stt
    limits = rest.settings.limits
    form = await _read_form(bounded(request, limits.upload_bytes + FORM_BYTES))
    try:
        wanted = read_fields(form)
        asked = known_language(stt, wanted.language or rest.settings.stt.language)
        language = asked or only_allowed(rest.settings)
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise BadRequest("the form has no file", code="missing_file", param="file")
        pcm = await asyncio.to_thread(decode, file.file, seconds=limits.upload_seconds)
    finally:
        await form.close()
    if not len(pcm):
        raise BadRequest("the file holds no sound", code="invalid_audio", param="file")
    timed = wanted.response_format in ("srt", "vtt", "verbose_json") and not wanted.stream
    parts = hear(stt, pcm, language=language, prompt=clean(wanted.prompt), words=timed)
    if wanted.stream:
        return await stream_events(transcript_events(parts))
    heard = [part async for part in parts]
    return shaped(heard, wanted, len(pcm) / HEARD_RATE)


async def _read_form(request: Request) -> FormData:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadRequest("the body must be multipart/form-data", code="invalid_form")
    try:
        return await request.form(max_files=1, max_fields=32, max_part_size=FORM_BYTES)
    except (HTTPException, MultiPartException, UnicodeDecodeError, KeyError, ValueError):
        raise BadRequest("the form cannot be read", code="invalid_form") from None


def read_fields(form: FormData) -> TranscriptionFields:
    """The form's fields. Raises `BadRequest` naming the one that is wrong."""
    fields: dict[str, Any] = {
        name: value
        for name, value in form.items()
        if name in TranscriptionFields.__struct_fields__ and isinstance(value, str) and value
    }
    for name in ("timestamp_granularities", "timestamp_granularities[]"):
        if several := [value for value in form.getlist(name) if value]:
            fields["timestamp_granularities"] = several
    if isinstance(fields.get("stream"), str):
        fields["stream"] = fields["stream"].lower()
    try:
        return msgspec.convert(fields, TranscriptionFields, strict=False)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None


def known_language(stt: Stt, language: str | None) -> str | None:
    """The ISO 639-1 code of what was asked for (`en-US` is `en`). Raises `BadRequest`."""
    if not language:
        return None
    code = language.replace("_", "-").split("-")[0].lower()
    if code not in stt.languages:
        raise BadRequest(
            "this language is not known; see GET /v1/languages",
            code="unknown_language",
            param="language",
        )
    return code


async def hear(
    stt: Stt, pcm: Pcm, *, language: Spoken, prompt: str, words: bool
) -> AsyncGenerator[HeardPart, None]:
    """What was said, part by part, behind all live speech.

    A recogniser that is no `TimedStt` hears it in one go; raises `BadRequest` `unsupported_format`
    if it is asked for times.
    """
    if isinstance(stt, TimedStt):
        parts: AsyncIterator[HeardPart] = stt.hear(
            pcm, language=language, prompt=prompt, words=words
        )
        async with aclosing(cast("AsyncGenerator[HeardPart, None]", parts)) as heard:
            async for part in heard:
                yield part
        return
    if words:
        raise BadRequest(
            "this recogniser tells no times", code="unsupported_format", param="response_format"
        )
    transcript = await stt.transcribe(pcm, language=language, urgent=False)
    yield HeardPart(0.0, len(pcm) / HEARD_RATE, transcript)


def shaped(heard: list[HeardPart], wanted: TranscriptionFields, duration: float) -> Response:
    """The answer in the format that was asked for."""
    match wanted.response_format:
        case "text":
            return PlainTextResponse(transcripts.whole_text(heard) + "\n")
        case "srt":
            lines = transcripts.segments(heard)
            return PlainTextResponse(transcripts.srt(lines), media_type="application/x-subrip")
        case "vtt":
            lines = transcripts.segments(heard)
            return PlainTextResponse(transcripts.vtt(lines), media_type="text/vtt")
        case "verbose_json":
            granularities = wanted.timestamp_granularities or ["segment"]
            return JSONResponse(
                transcripts.verbose(heard, duration=duration, granularities=granularities)
            )
        case _:
            text = transcripts.whole_text(heard)
            return JSONResponse({"text": text, "usage": transcripts.usage(duration)})


async def transcript_events(
    parts: AsyncGenerator[HeardPart, None],
) -> AsyncGenerator[dict[str, Any], None]:
    """A delta for each part in which something was said, and the whole at the end."""
    heard: list[HeardPart] = []
    async with aclosing(parts):
        async for part in parts:
            if part.transcript.text:
                gap = " " if any(earlier.transcript.text for earlier in heard) else ""
                yield {"type": "transcript.text.delta", "delta": gap + part.transcript.text}
            heard.append(part)
    yield {"type": "transcript.text.done", "text": transcripts.whole_text(heard)}
