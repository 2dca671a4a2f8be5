"""The session's configuration: what a client may set, how a patch changes it, how it is shown.

Pure. The shapes are those of `openai.types.realtime` (session of type `realtime` or
`transcription`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from voice.errors import BadEvent


class ServerVad(Struct, tag_field="type", tag="server_vad", kw_only=True, frozen=True):
    """A turn ends after a fixed silence."""

    threshold: float | None = 0.5
    prefix_padding_ms: int | None = 300
    silence_duration_ms: int | None = 500
    idle_timeout_ms: int | None = None
    create_response: bool | None = True
    interrupt_response: bool | None = True


class SemanticVad(Struct, tag_field="type", tag="semantic_vad", kw_only=True, frozen=True):
    """A turn ends when the turn detector and the words say so."""

    eagerness: Literal["low", "medium", "high", "auto"] | None = "auto"
    create_response: bool | None = True
    interrupt_response: bool | None = True


class AudioFormat(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How audio is encoded on the wire."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma", "audio/opus"]
    rate: int | None = None


class NoiseReduction(Struct, kw_only=True, frozen=True):
    """Accepted and kept; the engines need none."""

    type: Literal["near_field", "far_field"]


class Transcription(Struct, kw_only=True, frozen=True):
    """How the user's speech is transcribed.

    `languages` (`vivavoce.v1`) are BCP 47 tags of what the user is likely to speak, most likely
    first; they help only where no `language` is named. Those not known here are passed over.
    """

    model: str | None = None
    language: str | None = None
    prompt: str | None = None
    languages: list[str] | UnsetType | None = UNSET


class InputAudio(Struct, kw_only=True, frozen=True):
    """What comes from the microphone and how turns are found in it."""

    format: AudioFormat | UnsetType | None = UNSET
    noise_reduction: NoiseReduction | UnsetType | None = UNSET
    transcription: Transcription | UnsetType | None = UNSET
    turn_detection: ServerVad | SemanticVad | UnsetType | None = UNSET


class VoiceId(Struct, frozen=True):
    """The long form of a voice."""

    id: str


class OutputAudio(Struct, kw_only=True, frozen=True):
    """How replies sound."""

    format: AudioFormat | UnsetType | None = UNSET
    voice: str | VoiceId | UnsetType | None = UNSET
    speed: float | UnsetType | None = UNSET


class Audio(Struct, kw_only=True, frozen=True):
    """Both directions."""

    input: InputAudio | UnsetType | None = UNSET
    output: OutputAudio | UnsetType | None = UNSET


class ToolSpec(Struct, kw_only=True, frozen=True):
    """A function the model may call; `parameters` is a JSON schema."""

    name: str
    type: Literal["function"] = "function"
    description: str | None = None
    parameters: dict[str, Any] | None = None


Modalities = list[Literal["text", "audio"]]
MaxTokens = int | Literal["inf"]


class SessionPatch(Struct, kw_only=True, frozen=True):
    """What `session.update` may carry; what is unset stays as it is.

    Null means unset, as clients write it, save where the protocol gives it a meaning of its own:
    no noise reduction, no transcription, no turn detection.
    """

    type: Literal["realtime", "transcription"] | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    instructions: str | UnsetType | None = UNSET
    output_modalities: Modalities | UnsetType | None = UNSET
    max_output_tokens: MaxTokens | UnsetType | None = UNSET
    tools: list[ToolSpec] | UnsetType | None = UNSET
    tool_choice: str | dict[str, Any] | UnsetType | None = UNSET
    truncation: Any = UNSET
    tracing: Any = UNSET
    include: list[str] | UnsetType | None = UNSET
    audio: Audio | UnsetType | None = UNSET


class SessionConfig(Struct, kw_only=True, frozen=True):
    """A session's complete configuration."""

    kind: Literal["realtime", "transcription"] = "realtime"
    model: str = "vivavoce"
    instructions: str = ""
    modality: Literal["text", "audio"] = "audio"
    max_output_tokens: MaxTokens = "inf"
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | dict[str, Any] = "auto"
    input_format: AudioFormat = AudioFormat(type="audio/pcm", rate=24000)
    output_format: AudioFormat = AudioFormat(type="audio/pcm", rate=24000)
    noise_reduction: NoiseReduction | None = None
    transcription: Transcription | None = None
    turn_detection: ServerVad | SemanticVad | None = ServerVad()
    voice: str = "af_heart"
    speed: float = 1.0


OPENAI_VOICES = {
    "alloy": "af_alloy",
    "ash": "am_michael",
    "ballad": "bm_george",
    "coral": "af_bella",
    "echo": "am_echo",
    "fable": "bm_fable",
    "nova": "af_nova",
    "onyx": "am_onyx",
    "sage": "af_sarah",
    "shimmer": "af_sky",
    "verse": "am_puck",
    "marin": "af_heart",
    "cedar": "am_fenrir",
}
"""Voices that clients ask for by habit, and the ones here that stand in for them."""


MOST_LANGUAGES = 32
"""More languages than anybody's browser names."""


def merge(
    config: SessionConfig,
    patch: SessionPatch,
    *,
    voices: frozenset[str],
    languages: frozenset[str],
    text_chars: int,
    max_tools: int,
    extended: bool = True,
) -> SessionConfig:
    """`config` changed by `patch`; raises `BadEvent` naming the field that cannot be.

    `voices` and `languages` are those there are, `text_chars` bounds the instructions, `max_tools`
    the tools; `extended` says that the fields of `vivavoce.v1` may be used.
    """
    changes: dict[str, Any] = {}
    _take(changes, "kind", patch.type or UNSET)
    _take(changes, "model", patch.model or UNSET)
    if isinstance(patch.instructions, str):
        short = len(patch.instructions) <= text_chars
        _check(short, "instructions", f"at most {text_chars} characters")
        changes["instructions"] = patch.instructions
    if isinstance(patch.output_modalities, list):
        one = len(patch.output_modalities) == 1
        _check(one, "output_modalities", 'either ["audio"] or ["text"]')
        changes["modality"] = patch.output_modalities[0]
    if isinstance(patch.max_output_tokens, int | str):
        wanted = patch.max_output_tokens
        _check(
            wanted == "inf" or (isinstance(wanted, int) and 1 <= wanted <= 32_768),
            "max_output_tokens",
            '1 to 32768 or "inf"',
        )
        changes["max_output_tokens"] = wanted
    if isinstance(patch.tools, list):
        _check(len(patch.tools) <= max_tools, "tools", f"at most {max_tools} tools")
        changes["tools"] = tuple(patch.tools)
    _take(changes, "tool_choice", patch.tool_choice or UNSET)
    if patch.audio:
        changes |= _merge_audio(patch.audio, voices, languages, extended=extended)
    merged = msgspec.structs.replace(config, **changes)
    if merged.kind == "transcription" and merged.transcription is None:
        merged = msgspec.structs.replace(merged, transcription=Transcription())
    return merged


def _merge_audio(
    audio: Audio, voices: frozenset[str], languages: frozenset[str], *, extended: bool
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if audio.input:
        heard = audio.input
        if heard.format:
            changes["input_format"] = _check_format(heard.format, "audio.input.format")
        _take(changes, "noise_reduction", heard.noise_reduction)
        _take(changes, "transcription", heard.transcription)
        if heard.transcription:
            language = heard.transcription.language
            _check(
                language is None or language in languages,
                "audio.input.transcription.language",
                "one of GET /v1/languages",
                code="unknown_language",
            )
            _check_languages(heard.transcription.languages, extended=extended)
        if heard.turn_detection is not UNSET:
            if isinstance(heard.turn_detection, ServerVad):
                _check_vad(heard.turn_detection)
            changes["turn_detection"] = heard.turn_detection
    if audio.output:
        spoken = audio.output
        if spoken.format:
            changes["output_format"] = _check_format(spoken.format, "audio.output.format")
        if spoken.voice:
            changes["voice"] = resolve_voice(spoken.voice, voices)
        if isinstance(spoken.speed, int | float):
            _check(0.25 <= spoken.speed <= 4.0, "audio.output.speed", "0.25 to 4.0")
            changes["speed"] = spoken.speed
    return changes


def resolve_voice(voice: str | VoiceId, voices: frozenset[str]) -> str:
    """The id of the voice that is meant; raises `BadEvent` if there is none of that name."""
    name = voice.id if isinstance(voice, VoiceId) else voice
    name = OPENAI_VOICES.get(name, name)
    _check(name in voices, "audio.output.voice", "one of GET /v1/voices", code="unknown_voice")
    return name


def show(config: SessionConfig, session_id: str) -> dict[str, Any]:
    """The session object of `session.created` and `session.updated`."""
    heard: dict[str, Any] = {
        "format": show_format(config.input_format),
        "noise_reduction": msgspec.to_builtins(config.noise_reduction),
        "transcription": msgspec.to_builtins(config.transcription),
        "turn_detection": msgspec.to_builtins(config.turn_detection),
    }
    shown: dict[str, Any] = {
        "id": session_id,
        "object": "realtime.session",
        "type": config.kind,
        "audio": {"input": heard},
        "include": None,
    }
    if config.kind == "transcription":
        return {**shown, "object": "realtime.transcription_session"}
    shown["audio"]["output"] = {
        "format": show_format(config.output_format),
        "speed": config.speed,
        "voice": config.voice,
    }
    return {
        **shown,
        "model": config.model,
        "instructions": config.instructions,
        "output_modalities": [config.modality],
        "max_output_tokens": config.max_output_tokens,
        "tools": msgspec.to_builtins(config.tools),
        "tool_choice": config.tool_choice,
        "truncation": "auto",
        "tracing": None,
    }


def show_format(audio: AudioFormat) -> dict[str, Any]:
    """The format as it appears on the wire; the rate of `audio/pcmu` and `audio/pcma` is fixed."""
    shown: dict[str, Any] = {"type": audio.type}
    return {**shown, "rate": 24000} if audio.type in ("audio/pcm", "audio/opus") else shown


def _check_format(audio: AudioFormat, param: str) -> AudioFormat:
    rate = 24_000 if audio.type in ("audio/pcm", "audio/opus") else 8_000
    _check(audio.rate in (None, rate), f"{param}.rate", str(rate))
    return audio


def _check_languages(tags: list[str] | UnsetType | None, *, extended: bool) -> None:
    at = "audio.input.transcription.languages"
    _check(not tags or extended, at, "left out by clients of another protocol than vivavoce.v1")
    _check(not tags or len(tags) <= MOST_LANGUAGES, at, f"at most {MOST_LANGUAGES} languages")


def _check_vad(vad: ServerVad) -> None:
    at = "audio.input.turn_detection"
    _check(vad.threshold is None or 0 < vad.threshold < 1, f"{at}.threshold", "between 0 and 1")
    for name, value, low, high in (
        ("prefix_padding_ms", vad.prefix_padding_ms, 0, 5000),
        ("silence_duration_ms", vad.silence_duration_ms, 0, 10_000),
        ("idle_timeout_ms", vad.idle_timeout_ms, 5000, 30_000),
    ):
        _check(value is None or low <= value <= high, f"{at}.{name}", f"{low} to {high}")


def _take(changes: dict[str, Any], name: str, value: Any) -> None:
    if value is not UNSET:
        changes[name] = value


def _check(good: bool, param: str, expected: str, *, code: str = "invalid_value") -> None:
    if not good:
        raise BadEvent(f"session.{param} must be {expected}", code=code, param=f"session.{param}")
