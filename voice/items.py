"""Between the conversation as the chat core keeps it and as it appears on the wire. Pure."""

from __future__ import annotations

from chat import conversation as chat
from voice.errors import BadEvent
from voice.protocol import items as wire
from voice.protocol.server import new_id


def from_wire(item: wire.Item, *, text_chars: int) -> chat.Item:
    """The item a client created; it is given an id if it has none.

    Raises `BadEvent` `unsupported_content` for audio without its transcript and for images, and
    `too_long` for a text of more than `text_chars` characters.
    """
    item_id = item.id if isinstance(item.id, str) and item.id else new_id("item")
    match item:
        case wire.MessageItem():
            text = "\n".join(map(_text, item.content))
            made: chat.Item = chat.MessageItem(item_id, item.role, text)
        case wire.FunctionCallItem():
            text = item.arguments
            call_id = item.call_id if isinstance(item.call_id, str) else new_id("call")
            made = chat.CallItem(item_id, call_id, item.name, item.arguments)
        case wire.FunctionOutputItem():
            text = item.output
            made = chat.OutputItem(item_id, item.call_id, item.output)
    if len(text) > text_chars:
        raise BadEvent(f"at most {text_chars} characters", code="too_long", param="item")
    return made


def to_wire(item: chat.Item, *, audio: bool = False) -> wire.Item:
    """The item as clients see it; `audio` says that a message was spoken, not written."""
    match item:
        case chat.CallItem():
            return wire.FunctionCallItem(
                id=item.id, call_id=item.call_id, name=item.name, arguments=item.arguments
            )
        case chat.OutputItem():
            return wire.FunctionOutputItem(id=item.id, call_id=item.call_id, output=item.output)
        case chat.MessageItem():
            return wire.MessageItem(
                role=item.role,
                content=[_part(item, audio=audio)],
                id=item.id,
                status="incomplete" if item.cut else "completed",
            )


def _part(item: chat.MessageItem, *, audio: bool) -> wire.Part:
    if item.role == "assistant":
        if audio:
            return wire.Part(type="output_audio", transcript=item.text or "")
        return wire.Part(type="output_text", text=item.text or "")
    if audio:
        return wire.Part(type="input_audio", transcript=item.text)
    return wire.Part(type="input_text", text=item.text or "")


def _text(part: wire.Part) -> str:
    text = part.text if part.text is not None else part.transcript
    if not isinstance(text, str):
        raise BadEvent(
            f"content of type {part.type} needs text here; speak through the audio buffer",
            code="unsupported_content",
            param="item.content",
        )
    return text
