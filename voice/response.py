"""A reply as it stands, and the wire events that frame it. Pure but for reading the loop's clock.

The order of events is the one OpenAI documents: the item is announced, then its content part, then
deltas, then everything is closed from the inside out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chat.providers import ChatOptions, Finished, Message, ToolCall
from voice import g711, opus
from voice.events import Rev
from voice.heard import SpokenWord
from voice.protocol import server as wire
from voice.protocol.config import AudioFormat, show_format
from voice.protocol.items import FunctionCallItem, Item, MessageItem, Part

PCM16 = AudioFormat(type="audio/pcm", rate=24_000)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reply is to be made of."""

    rev: Rev
    messages: list[Message]
    options: ChatOptions
    modality: Literal["text", "audio"]
    voice: str
    language: str
    speed: float
    conversation_id: str | None
    previous_item_id: str | None
    metadata: dict[str, str] | None = None
    max_output_tokens: int | str = "inf"
    format: AudioFormat = PCM16
    voiceless: str = ""
    """The language that was spoken, if it is not the voice's."""


@dataclass(slots=True)
class Reply:
    """What has been made of a reply so far."""

    plan: Plan
    id: str = field(default_factory=lambda: wire.new_id("resp"))
    item_id: str = field(default_factory=lambda: wire.new_id("item"))
    text: str = ""
    words: list[SpokenWord] = field(default_factory=list)
    seconds: float = 0.0
    """Length of the audio made."""
    sent: float = 0.0
    """Length of the audio that went out."""
    exact: bool = True
    open: bool = False
    """Its message has been announced and not yet closed."""
    output: list[Item] = field(default_factory=list)
    usage: Finished = field(default_factory=lambda: Finished("stop"))
    stamps: dict[str, float] = field(default_factory=dict)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    first_sent: float | None = None
    heard: float | None = None
    """Seconds of its audio that the client says it has played."""
    encoder: g711.Encoder | opus.Encoder | None = None
    """Makes the audio that goes out, if that is not PCM."""
    complete: bool = False
    """The language model has said all of it."""
    done: bool = False
    """`response.done` has been written."""
    begins: float = 0.0
    """When its audio begins to sound, on the loop's clock, if all goes well."""
    resumed: bool = False
    """The rest of it was said after all, in another reply."""
    heard_chars: int = 0
    """How much of its text was heard when it was cut."""
    cut: bool = False
    """It was interrupted: its message is what was heard, and stays so."""
    took: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds that each stage of it took, once it is audible."""

    def _audio_shape(self) -> dict[str, Any]:
        return {"format": show_format(self.plan.format), "voice": self.plan.voice}

    def item(self, status: Literal["completed", "incomplete", "in_progress"]) -> MessageItem:
        """Its message as it stands."""
        if not self.text and status == "in_progress":
            parts = []
        elif self.plan.modality == "audio":
            parts = [Part(type="output_audio", transcript=self.text)]
        else:
            parts = [Part(type="output_text", text=self.text)]
        return MessageItem(role="assistant", content=parts, id=self.item_id, status=status)

    def response(
        self,
        status: Literal["completed", "cancelled", "failed", "incomplete", "in_progress"],
        details: wire.StatusDetails | None = None,
    ) -> wire.Response:
        """The response object as it stands."""
        tokens = self.usage
        return wire.Response(
            id=self.id,
            status=status,
            status_details=details,
            output=list(self.output),
            output_modalities=[self.plan.modality],
            conversation_id=self.plan.conversation_id,
            audio={"output": self._audio_shape()} if self.spoken else None,
            max_output_tokens=self.plan.max_output_tokens,
            metadata=self.plan.metadata,
            usage=None
            if status == "in_progress"
            else wire.usage(tokens.prompt_tokens, tokens.completion_tokens),
        )

    @property
    def asks(self) -> bool:
        """It ends in a question, in Latin, Chinese and Japanese, or Arabic script."""
        return self.text.rstrip(" \n\"'*_)").endswith(("?", "\uff1f", "\u061f"))

    @property
    def spoken(self) -> bool:
        """It is audio, not text."""
        return self.plan.modality == "audio"

    def place(self) -> dict[str, Any]:
        """The fields that say where in the response an event belongs."""
        return {
            "response_id": self.id,
            "item_id": self.item_id,
            "output_index": len(self.output),
        }

    def heard_by(self, now: float) -> float:
        """Seconds of its audio that can have been heard by `now` on the loop's clock."""
        if self.heard is not None:
            return self.heard
        if self.first_sent is None:
            return 0.0
        return min(self.sent, now - self.first_sent)

    def encoded(self, event: wire.ServerEvent) -> Iterator[wire.ServerEvent]:
        """The event, its audio in the format that was asked for.

        An encoder holds back a few samples, so that a last piece goes before the end.
        """
        encoding = self.plan.format.type
        if encoding == "audio/pcm" or not isinstance(event, wire.AudioDelta | wire.AudioDone):
            yield event
            return
        kind = wire.OpusDelta if encoding == "audio/opus" else wire.AudioDelta
        if self.encoder is None:
            self.encoder = opus.Encoder() if encoding == "audio/opus" else g711.Encoder(encoding)
        place = {name: getattr(event, name) for name in ("response_id", "item_id", "output_index")}
        if isinstance(event, wire.AudioDelta):
            yield kind(**place, delta=self.encoder.encode(event.delta))
            return
        yield kind(**place, delta=self.encoder.flush())
        self.encoder = None
        yield event

    def stamp(self, name: str) -> None:
        """Note when something happened for the first time."""
        self.stamps.setdefault(name, asyncio.get_running_loop().time())


def open_message(reply: Reply) -> list[wire.ServerEvent]:
    """Announce the reply's message, if that has not been done."""
    if reply.open:
        return []
    reply.open = True
    item = reply.item("in_progress")
    index = len(reply.output)
    events: list[wire.ServerEvent] = [
        wire.OutputItemAdded(response_id=reply.id, item=item, output_index=index)
    ]
    if reply.plan.conversation_id is not None:
        events.append(wire.ItemAdded(item=item, previous_item_id=_previous(reply)))
    part = Part(type="audio", transcript="") if reply.spoken else Part(type="text", text="")
    events.append(wire.ContentPartAdded(**reply.place(), part=part))
    return events


def closing(
    reply: Reply,
    status: Literal["completed", "cancelled", "failed", "incomplete"],
    details: wire.StatusDetails,
) -> list[wire.ServerEvent]:
    """The events that end a reply, in order; marks it done."""
    events: list[wire.ServerEvent] = []
    if reply.open:
        events += _close_message(reply, "completed" if status == "completed" else "incomplete")
    events.append(wire.ResponseDone(response=reply.response(status, details)))
    reply.done = True
    return events


def _close_message(
    reply: Reply, status: Literal["completed", "incomplete"]
) -> list[wire.ServerEvent]:
    place = reply.place()
    item = reply.item(status)
    events: list[wire.ServerEvent] = []
    if reply.spoken:
        events.append(wire.AudioDone(**place))
        events.append(wire.TranscriptDone(**place, transcript=reply.text))
        part = Part(type="audio", transcript=reply.text)
    else:
        events.append(wire.TextDone(**place, text=reply.text))
        part = Part(type="text", text=reply.text)
    events.append(wire.ContentPartDone(**place, part=part))
    index = len(reply.output)
    events.append(wire.OutputItemDone(response_id=reply.id, item=item, output_index=index))
    if reply.plan.conversation_id is not None:
        events.append(wire.ItemDone(item=item, previous_item_id=_previous(reply)))
    reply.output.append(item)
    reply.open = False
    return events


def call_function(reply: Reply, call: ToolCall) -> list[wire.ServerEvent]:
    """Ask the client to call a function; a message before it is closed."""
    events: list[wire.ServerEvent] = []
    if reply.open:
        events += _close_message(reply, "completed")
    item = FunctionCallItem(
        name=call.name,
        arguments="",
        call_id=call.id,
        id=wire.new_id("item"),
        status="in_progress",
    )
    index = len(reply.output)
    shared: dict[str, Any] = {
        "response_id": reply.id,
        "item_id": item.id,
        "output_index": index,
        "call_id": call.id,
    }
    events.append(wire.OutputItemAdded(response_id=reply.id, item=item, output_index=index))
    kept = reply.plan.conversation_id is not None
    if kept:
        events.append(wire.ItemAdded(item=item, previous_item_id=_previous(reply)))
    events.append(wire.ArgumentsDelta(**shared, delta=call.arguments))
    events.append(wire.ArgumentsDone(**shared, name=call.name, arguments=call.arguments))
    done = FunctionCallItem(
        name=call.name, arguments=call.arguments, call_id=call.id, id=item.id, status="completed"
    )
    events.append(wire.OutputItemDone(response_id=reply.id, item=done, output_index=index))
    if kept:
        events.append(wire.ItemDone(item=done, previous_item_id=_previous(reply)))
    reply.output.append(done)
    return events


def _previous(reply: Reply) -> str | None:
    if reply.output:
        return str(reply.output[-1].id)
    return reply.plan.previous_item_id
