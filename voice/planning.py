"""What follows from a session's configuration: rules for turns, and the plan of a reply. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chat.conversation import Item
from chat.prompts import INSTRUCTIONS, prompt
from chat.providers import ChatOptions, Tool
from voice.audio import HEARD_RATE
from voice.engines import Voice
from voice.events import Rev
from voice.languages import in_language, speaks, voice_for
from voice.protocol.client import ResponseParams
from voice.protocol.config import (
    Audio,
    SemanticVad,
    ServerVad,
    SessionConfig,
    SessionPatch,
    merge,
)
from voice.response import Plan
from voice.settings import Settings
from voice.turn import Policy


def first_config(settings: Settings) -> SessionConfig:
    """What a session begins with: OpenAI's defaults, our voice."""
    return SessionConfig(
        instructions=settings.llm.instructions,
        voice=settings.tts.voice,
        speed=settings.tts.speed,
        turn_detection=ServerVad(
            threshold=settings.vad.threshold,
            prefix_padding_ms=settings.vad.prefix_ms,
            silence_duration_ms=settings.turn.silence_ms,
        ),
    )


def policy(config: SessionConfig, settings: Settings, *, request_follows: bool) -> Policy:
    """How turns are taken under this configuration."""
    turn = settings.turn
    common: dict[str, Any] = {
        "speculation": turn.speculation,
        "interrupt": _samples(turn.interrupt_ms),
        "speaking": turn.interrupt_speaking,
        "thinking": turn.interrupt_thinking,
        "noise": int(turn.noise_seconds * HEARD_RATE),
        "idle": _samples(turn.idle_ms),
        "nudges": turn.idle_prompts,
        "reopen": _samples(turn.reopen_ms),
        "max_turn": int(turn.max_seconds * HEARD_RATE),
        "prefix": _samples(settings.vad.prefix_ms),
        "request_follows": request_follows,
        "partial": _samples(settings.stt.partial_ms),
        "partial_share": settings.stt.partial_share,
    }
    vad = config.turn_detection
    if vad is None:
        return Policy(detection="none", create_response=False, **common)
    common["create_response"] = config.kind == "realtime" and vad.create_response is not False
    common["interrupt_response"] = vad.interrupt_response is not False
    if isinstance(vad, SemanticVad):
        asked = vad.eagerness or "auto"
        eagerness = turn.eagerness if asked == "auto" else asked
        return Policy(detection="semantic_vad", eagerness=eagerness, **common)
    if vad.prefix_padding_ms is not None:
        common["prefix"] = _samples(vad.prefix_padding_ms)
    if vad.idle_timeout_ms is not None:
        common["idle"] = _samples(vad.idle_timeout_ms)
    silence = vad.silence_duration_ms
    wait = _samples(turn.silence_ms if silence is None else silence)
    return Policy(detection="server_vad", silence=wait, **common)


def plan(
    rev: Rev,
    *,
    config: SessionConfig,
    settings: Settings,
    wish: ResponseParams | None,
    items: Iterable[Item],
    previous_item_id: str | None,
    conversation_id: str,
    voices: Mapping[str, Voice],
    spoken: str = "",
) -> Plan:
    """The plan of a reply to `items`; `wish` is what the client wants different this time.

    `spoken` is the language the reply is to be in, empty for that of the voice: unless the client
    names a voice for this reply, one of that language speaks, if there is any.
    """
    wanted = wish or ResponseParams()
    config = voiced(config, wanted, frozenset(voices))
    voice = config.voice
    if settings.tts.follow_language and not _voice_named(wanted):
        voice = voice_for(spoken, voice, voices, settings.tts.voices)
    llm = settings.llm
    asked = wanted.max_output_tokens or config.max_output_tokens
    most = llm.max_tokens if asked == "inf" else min(int(asked), llm.max_tokens)
    instructions = wanted.instructions or config.instructions
    if not instructions:
        own = in_language(INSTRUCTIONS, spoken, voices[voice])
        instructions = own if settings.tts.follow_language else INSTRUCTIONS
    specs = wanted.tools if isinstance(wanted.tools, list) else config.tools
    tools = tuple(Tool(s.name, s.description or "", s.parameters or {}) for s in specs)
    choice = wanted.tool_choice or config.tool_choice
    return Plan(
        rev=rev,
        messages=prompt(instructions, items, llm.context_tokens - most, tools=tools),
        options=ChatOptions(
            max_tokens=most,
            temperature=llm.temperature,
            tools=tools,
            tool_choice=choice if isinstance(choice, str) else str(choice.get("name", "auto")),
        ),
        modality=wanted.output_modalities[0] if wanted.output_modalities else config.modality,
        voice=voice,
        language=voices[voice].language,
        speed=config.speed,
        conversation_id=None if wanted.conversation == "none" else conversation_id,
        previous_item_id=previous_item_id,
        metadata=wanted.metadata or None,
        max_output_tokens=asked,
        format=config.output_format,
        voiceless="" if speaks(voices[voice], spoken) else spoken,
    )


def voiced(config: SessionConfig, wanted: ResponseParams, voices: frozenset[str]) -> SessionConfig:
    """The configuration with the voice and format that one response is to have.

    Raises `BadEvent` if there is no such voice or format.
    """
    if not (wanted.audio and wanted.audio.output):
        return config
    patch = SessionPatch(audio=Audio(output=wanted.audio.output))
    return merge(config, patch, voices=voices, languages=frozenset(), text_chars=0, max_tools=0)


def _voice_named(wanted: ResponseParams) -> bool:
    return bool(wanted.audio and wanted.audio.output and wanted.audio.output.voice)


def _samples(milliseconds: int) -> int:
    return milliseconds * HEARD_RATE // 1000
