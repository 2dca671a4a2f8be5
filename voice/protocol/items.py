"""Conversation items as they appear on the wire. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class Part(Struct, omit_defaults=True, kw_only=True):
    """A piece of a message. `audio` is base64 on the wire.

    A `transcript` that is not known yet is null, and not left out: clients insist on it.
    """

    type: Literal[
        "input_text", "input_audio", "input_image", "output_text", "output_audio", "text", "audio"
    ]
    text: str | None = None
    transcript: str | UnsetType | None = UNSET
    audio: bytes | None = None
    image_url: str | None = None


class MessageItem(Struct, tag_field="type", tag="message", kw_only=True):
    """Something said or written by the user, the assistant or the system."""

    role: Literal["user", "assistant", "system"]
    content: list[Part]
    id: str | UnsetType = UNSET
    object: Literal["realtime.item"] = "realtime.item"
    status: Literal["completed", "incomplete", "in_progress"] = "completed"


class FunctionCallItem(Struct, tag_field="type", tag="function_call", kw_only=True):
    """The assistant wants a function of the client called; `arguments` is JSON text."""

    name: str
    arguments: str
    call_id: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    object: Literal["realtime.item"] = "realtime.item"
    status: Literal["completed", "incomplete", "in_progress"] = "completed"


class FunctionOutputItem(Struct, tag_field="type", tag="function_call_output", kw_only=True):
    """What the called function returned."""

    call_id: str
    output: str
    id: str | UnsetType = UNSET
    object: Literal["realtime.item"] = "realtime.item"
    status: Literal["completed", "incomplete", "in_progress"] = "completed"


Item = MessageItem | FunctionCallItem | FunctionOutputItem
