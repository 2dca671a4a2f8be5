"""Client events: JSON text to frozen structs. Pure."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from voice.errors import BadEvent
from voice.protocol.config import MaxTokens, Modalities, OutputAudio, SessionPatch, ToolSpec
from voice.protocol.items import Item


class ClientEvent(Struct, tag_field="type", kw_only=True, frozen=True):
    """Every client event may name itself, so that an error can refer to it."""

    event_id: str | None = None


class SessionUpdate(ClientEvent, tag="session.update", frozen=True, kw_only=True):
    session: SessionPatch


class AudioAppend(ClientEvent, tag="input_audio_buffer.append", frozen=True, kw_only=True):
    """`audio` is base64 on the wire, PCM16 bytes here."""

    audio: bytes


class AudioCommit(ClientEvent, tag="input_audio_buffer.commit", frozen=True, kw_only=True):
    pass


class AudioClear(ClientEvent, tag="input_audio_buffer.clear", frozen=True, kw_only=True):
    pass


class OutputClear(ClientEvent, tag="output_audio_buffer.clear", frozen=True, kw_only=True):
    pass


class OutputPlayed(ClientEvent, tag="output_audio_buffer.played", frozen=True, kw_only=True):
    """How much of an item's audio has been heard (`vivavoce.v1`)."""

    item_id: str
    audio_end_ms: int
    done: bool = False


class ConversationAttach(ClientEvent, tag="conversation.attach", frozen=True, kw_only=True):
    """Go on with a stored conversation, or (None) begin one that is stored from its first words on
    (`vivavoce.v1`). An `ephemeral` one never touches the disk.
    """

    conversation_id: str | None = None
    ephemeral: bool = False


class ItemCreate(ClientEvent, tag="conversation.item.create", frozen=True, kw_only=True):
    item: Item
    previous_item_id: str | UnsetType | None = UNSET


class ItemRetrieve(ClientEvent, tag="conversation.item.retrieve", frozen=True, kw_only=True):
    item_id: str


class ItemTruncate(ClientEvent, tag="conversation.item.truncate", frozen=True, kw_only=True):
    item_id: str
    audio_end_ms: int
    content_index: int = 0


class ItemDelete(ClientEvent, tag="conversation.item.delete", frozen=True, kw_only=True):
    item_id: str


class ResponseAudio(Struct, kw_only=True, frozen=True):
    output: OutputAudio | UnsetType | None = UNSET


class ItemReference(Struct, tag_field="type", tag="item_reference", frozen=True, kw_only=True):
    """Stands for an item of the conversation in a response's own input."""

    id: str


class ResponseParams(Struct, kw_only=True, frozen=True):
    """What one response may have its own way; null is as good as unset."""

    instructions: str | UnsetType | None = UNSET
    output_modalities: Modalities | UnsetType | None = UNSET
    max_output_tokens: MaxTokens | UnsetType | None = UNSET
    tools: list[ToolSpec] | UnsetType | None = UNSET
    tool_choice: str | dict[str, Any] | UnsetType | None = UNSET
    conversation: Literal["auto", "none"] | str | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType | None = UNSET
    input: list[Item | ItemReference] | UnsetType | None = UNSET
    audio: ResponseAudio | UnsetType | None = UNSET


class ResponseCreate(ClientEvent, tag="response.create", frozen=True, kw_only=True):
    response: ResponseParams | UnsetType | None = UNSET


class ResponseCancel(ClientEvent, tag="response.cancel", frozen=True, kw_only=True):
    response_id: str | None = None


AnyClientEvent = (
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | AudioClear
    | OutputClear
    | OutputPlayed
    | ConversationAttach
    | ItemCreate
    | ItemRetrieve
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
)

_decoder: msgspec.json.Decoder[AnyClientEvent] = msgspec.json.Decoder(AnyClientEvent)
_Peek = msgspec.json.Decoder(dict[str, Any])
_PATH = re.compile(r" - at `(?:key in )?`?\$\.?(?P<path>[^`]*)`")


def decode(text: str | bytes) -> AnyClientEvent:
    """Read one client event.

    Raises `BadEvent` with code `invalid_json`, `unknown_event`, or `invalid_event` (a field is
    missing or of the wrong type: `param` names it).
    """
    try:
        return _decoder.decode(text)
    except (msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        message = str(error)
        if "Invalid value '" in message and message.endswith("at `$.type`"):
            raise BadEvent(
                f"no such event: {message}", code="unknown_event", param="type"
            ) from None
        found = _PATH.search(message)
        raise BadEvent(message, param=found["path"] if found else None) from None
    except msgspec.DecodeError as error:
        raise BadEvent(f"not valid JSON: {error}", code="invalid_json") from None


def peek_event_id(text: str | bytes) -> str | None:
    """The `event_id` of a message that could not be read as an event, if it has one."""
    try:
        value = _Peek.decode(text).get("event_id")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, str) else None
