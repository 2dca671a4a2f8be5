"""Server events, and how they are written for each kind of client. Pure.

The shapes are those of `openai.types.realtime`. Events of a response carry `turn` on
`vivavoce.v1` only, and audio goes there as a binary frame.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from voice.protocol import frames
from voice.protocol.items import Item, Part


def new_id(kind: str) -> str:
    """A fresh id such as `item_3f…`; not guessable."""
    return f"{kind}_{secrets.token_hex(10)}"


def _event_id() -> str:
    return new_id("event")


class ServerEvent(Struct, tag_field="type", kw_only=True, frozen=True):
    """What every server event has."""

    event_id: str = field(default_factory=_event_id)


class ErrorDetail(Struct, kw_only=True, frozen=True):
    type: Literal["invalid_request_error", "server_error"]
    code: str
    message: str
    param: str | None = None
    event_id: str | None = None


class ErrorEvent(ServerEvent, tag="error", frozen=True, kw_only=True):
    error: ErrorDetail


class Resume(Struct, kw_only=True, frozen=True):
    """How to come back to a session whose socket broke: for how long that is possible."""

    token: str
    seconds: float


class SessionCreated(ServerEvent, tag="session.created", frozen=True, kw_only=True):
    """`resume` is there for clients of `vivavoce.v1` only."""

    session: dict[str, Any]
    resume: Resume | UnsetType = UNSET


class SessionResumed(ServerEvent, tag="session.resumed", frozen=True, kw_only=True):
    """The session goes on (`vivavoce.v1` only), after the `received` messages that arrived here.

    `restored`: the server was started anew, so that the count begins anew too, and the sound of
    what was said is gone.
    """

    received: int
    restored: bool = False


class SessionUpdated(ServerEvent, tag="session.updated", frozen=True, kw_only=True):
    session: dict[str, Any]


class SpeechStarted(
    ServerEvent, tag="input_audio_buffer.speech_started", frozen=True, kw_only=True
):
    item_id: str
    audio_start_ms: int


class SpeechStopped(
    ServerEvent, tag="input_audio_buffer.speech_stopped", frozen=True, kw_only=True
):
    item_id: str
    audio_end_ms: int


class BufferCommitted(ServerEvent, tag="input_audio_buffer.committed", frozen=True, kw_only=True):
    item_id: str
    previous_item_id: str | None


class BufferCleared(ServerEvent, tag="input_audio_buffer.cleared", frozen=True, kw_only=True):
    pass


class TimeoutTriggered(
    ServerEvent, tag="input_audio_buffer.timeout_triggered", frozen=True, kw_only=True
):
    """The user has been silent for `idle_timeout_ms`; the silence becomes an item."""

    item_id: str
    audio_start_ms: int
    audio_end_ms: int


class ItemAdded(ServerEvent, tag="conversation.item.added", frozen=True, kw_only=True):
    item: Item
    previous_item_id: str | None


class ItemDone(ServerEvent, tag="conversation.item.done", frozen=True, kw_only=True):
    item: Item
    previous_item_id: str | None


class ItemRetrieved(ServerEvent, tag="conversation.item.retrieved", frozen=True, kw_only=True):
    item: Item


class ItemTruncated(ServerEvent, tag="conversation.item.truncated", frozen=True, kw_only=True):
    item_id: str
    content_index: int
    audio_end_ms: int


class ItemDeleted(ServerEvent, tag="conversation.item.deleted", frozen=True, kw_only=True):
    item_id: str


_TRANSCRIPTION = "conversation.item.input_audio_transcription"


class TranscriptionDelta(ServerEvent, tag=f"{_TRANSCRIPTION}.delta", frozen=True, kw_only=True):
    item_id: str
    delta: str
    content_index: int = 0


class Duration(Struct, tag_field="type", tag="duration", frozen=True):
    seconds: float


class TranscriptionCompleted(
    ServerEvent, tag=f"{_TRANSCRIPTION}.completed", frozen=True, kw_only=True
):
    item_id: str
    transcript: str
    usage: Duration
    content_index: int = 0


class TranscriptionFailed(ServerEvent, tag=f"{_TRANSCRIPTION}.failed", frozen=True, kw_only=True):
    item_id: str
    error: ErrorDetail
    content_index: int = 0


class RateLimit(Struct, kw_only=True, frozen=True):
    name: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_seconds: float


class RateLimitsUpdated(ServerEvent, tag="rate_limits.updated", frozen=True, kw_only=True):
    rate_limits: list[RateLimit]


class InputTokens(Struct, kw_only=True, frozen=True):
    """Where the prompt's tokens come from: all of them are text to the language model."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0


class OutputTokens(Struct, kw_only=True, frozen=True):
    """Where the reply's tokens go."""

    text_tokens: int = 0
    audio_tokens: int = 0


class Usage(Struct, kw_only=True, frozen=True):
    """Tokens of the language model; audio has none of its own here."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_token_details: InputTokens
    output_token_details: OutputTokens


def usage(prompt: int, completion: int) -> Usage:
    """The usage of one reply, from the tokens of its prompt and of its text."""
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        total_tokens=prompt + completion,
        input_token_details=InputTokens(text_tokens=prompt),
        output_token_details=OutputTokens(text_tokens=completion),
    )


class StatusDetails(Struct, kw_only=True, frozen=True, omit_defaults=True):
    type: Literal["completed", "cancelled", "incomplete", "failed"]
    reason: Literal["turn_detected", "client_cancelled", "max_output_tokens"] | None = None
    error: dict[str, str] | None = None


class Response(Struct, kw_only=True, frozen=True):
    """A reply as a whole."""

    id: str
    status: Literal["completed", "cancelled", "failed", "incomplete", "in_progress"]
    status_details: StatusDetails | None = None
    output: list[Item] = field(default_factory=list)
    output_modalities: list[str]
    conversation_id: str | None
    audio: dict[str, Any] | None = None
    max_output_tokens: int | str = "inf"
    metadata: dict[str, str] | None = None
    usage: Usage | None = None
    object: Literal["realtime.response"] = "realtime.response"


class ResponseEvent(ServerEvent, frozen=True, kw_only=True):
    """An event of one response; `turn` is filled in for clients of `vivavoce.v1`."""

    turn: int | UnsetType = UNSET


class ResponseCreated(ResponseEvent, tag="response.created", frozen=True, kw_only=True):
    response: Response


class ResponseDone(ResponseEvent, tag="response.done", frozen=True, kw_only=True):
    response: Response


class OutputItemAdded(ResponseEvent, tag="response.output_item.added", frozen=True, kw_only=True):
    response_id: str
    item: Item
    output_index: int


class OutputItemDone(ResponseEvent, tag="response.output_item.done", frozen=True, kw_only=True):
    response_id: str
    item: Item
    output_index: int


class _PartEvent(ResponseEvent, frozen=True, kw_only=True):
    response_id: str
    item_id: str
    output_index: int
    content_index: int = 0


class ContentPartAdded(_PartEvent, tag="response.content_part.added", frozen=True, kw_only=True):
    part: Part


class ContentPartDone(_PartEvent, tag="response.content_part.done", frozen=True, kw_only=True):
    part: Part


class TextDelta(_PartEvent, tag="response.output_text.delta", frozen=True, kw_only=True):
    delta: str


class TextDone(_PartEvent, tag="response.output_text.done", frozen=True, kw_only=True):
    text: str


class AudioDelta(_PartEvent, tag="response.output_audio.delta", frozen=True, kw_only=True):
    """`delta` is PCM16 or G.711 bytes here, base64 or a binary frame on the wire."""

    delta: bytes


class OpusDelta(AudioDelta, tag="response.output_audio.delta", frozen=True, kw_only=True):
    """`delta` is a piece of Opus (`vivavoce.v1` only)."""


class AudioDone(_PartEvent, tag="response.output_audio.done", frozen=True, kw_only=True):
    pass


class TranscriptDelta(
    _PartEvent, tag="response.output_audio_transcript.delta", frozen=True, kw_only=True
):
    delta: str


class TranscriptDone(
    _PartEvent, tag="response.output_audio_transcript.done", frozen=True, kw_only=True
):
    transcript: str


class _ArgumentsEvent(ResponseEvent, frozen=True, kw_only=True):
    response_id: str
    item_id: str
    output_index: int
    call_id: str


class ArgumentsDelta(
    _ArgumentsEvent, tag="response.function_call_arguments.delta", frozen=True, kw_only=True
):
    delta: str


class ArgumentsDone(
    _ArgumentsEvent, tag="response.function_call_arguments.done", frozen=True, kw_only=True
):
    name: str
    arguments: str


class WordTime(Struct, kw_only=True, frozen=True):
    """A displayed word and when it sounds, from the start of the item's audio."""

    text: str
    start_ms: int
    end_ms: int


class AudioWords(_PartEvent, tag="response.output_audio.words", frozen=True, kw_only=True):
    """When each displayed word sounds (`vivavoce.v1` only)."""

    words: list[WordTime]
    exact: bool


class ItemRendered(ServerEvent, tag="conversation.item.rendered", frozen=True, kw_only=True):
    """A message's Markdown as sanitised HTML (`vivavoce.v1` only), again as it grows."""

    item_id: str
    html: str


class Timings(ResponseEvent, tag="response.timings", frozen=True, kw_only=True):
    """How long each stage of the answer took, in milliseconds (`vivavoce.v1` only)."""

    response_id: str
    stages: dict[str, float]


class VoiceMissing(ResponseEvent, tag="response.voice_missing", frozen=True, kw_only=True):
    """There is no voice for the language that was spoken (`vivavoce.v1` only); `voice` reads the
    reply instead.
    """

    response_id: str
    language: str
    voice: str


class OutputCleared(ResponseEvent, tag="output_audio_buffer.cleared", frozen=True, kw_only=True):
    """Stop playing this turn's audio (`vivavoce.v1` only)."""

    response_id: str


class ConversationAttached(ServerEvent, tag="conversation.attached", frozen=True, kw_only=True):
    """What is said is stored in this conversation (`vivavoce.v1` only); None: in a new one, whose
    id is told in another such event once it has words.
    """

    conversation_id: str | None


EXTENSIONS = (
    SessionResumed,
    ConversationAttached,
    AudioWords,
    Timings,
    VoiceMissing,
    OutputCleared,
    ItemRendered,
)
"""Events that only a client of `vivavoce.v1` has asked for."""

_encoder = msgspec.json.Encoder()


def encode_json(event: ServerEvent) -> str:
    """Write an event as OpenAI's clients expect it."""
    return _encoder.encode(event).decode()


def encode_vivavoce(event: ServerEvent, turn: int) -> str | bytes:
    """Write an event for `vivavoce.v1`: audio becomes a binary frame, the rest JSON with `turn`."""
    if isinstance(event, AudioDelta):
        kind = frames.REPLY_OPUS if isinstance(event, OpusDelta) else frames.REPLY
        return frames.encode(kind, turn, event.delta)
    if isinstance(event, ResponseEvent) and event.turn is UNSET:
        event = msgspec.structs.replace(event, turn=turn)
    return encode_json(event)


def event_types() -> frozenset[str]:
    """The `type` of every event the server can send."""

    def leaves(cls: type[ServerEvent]) -> list[type[ServerEvent]]:
        below = [leaf for child in cls.__subclasses__() for leaf in leaves(child)]
        return below or [cls]

    tags = {leaf.__struct_config__.tag for leaf in leaves(ServerEvent)}
    return frozenset(str(tag) for tag in tags)
