"""What each client event does to its session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from chat.conversation import ROOT, OutputItem
from chat.errors import ChatError
from voice import events as ev
from voice.audio import HEARD_RATE
from voice.errors import BadEvent
from voice.keeping import attach
from voice.planning import voiced
from voice.protocol import client
from voice.protocol import server as wire
from voice.protocol.config import SessionConfig, merge
from voice.session import Session

SHORTEST_COMMIT = HEARD_RATE // 10
"""A commit of less than 100 ms of audio is refused, as OpenAI does."""


async def handle(session: Session, event: client.AnyClientEvent) -> None:
    """Do what the client asks; what cannot be done is answered by an `error` event."""
    try:
        await _handle(session, event)
    except (BadEvent, ChatError) as error:
        session.fail(error, event.event_id)


async def _handle(session: Session, event: client.AnyClientEvent) -> None:  # noqa: PLR0912
    match event:
        case client.AudioAppend():
            await _append(session, event.audio)
        case client.SessionUpdate():
            _update(session, event)
        case client.AudioCommit():
            _commit(session)
        case client.AudioClear():
            session.follow(session.ears.flush())
            session.feed(ev.AudioCleared(session.ears.tape.end))
            session.ears.segmenter.reset()
            session.put(wire.BufferCleared())
        case client.ItemCreate():
            _create(session, event)
        case client.ItemRetrieve():
            with _about("item_retrieve_invalid_item_id", "item_id"):
                item = session.memory.play(event.item_id)
            session.put(wire.ItemRetrieved(item=item))
        case client.ItemTruncate():
            _truncate(session, event)
        case client.ItemDelete():
            with _about("item_delete_invalid_item_id", "item_id"):
                session.memory.forget(event.item_id)
            session.put(wire.ItemDeleted(item_id=event.item_id))
        case client.ResponseCreate():
            _respond(session, event)
        case client.ResponseCancel():
            if event.response_id is not None and not session.is_replying(event.response_id):
                raise BadEvent(
                    "Cancellation failed: this response is not active",
                    code="response_cancel_not_active",
                    param="response_id",
                )
            session.feed(ev.CancelRequested(), refers_to=event.event_id)
        case client.OutputClear():
            session.feed(ev.CancelRequested(playing=True), refers_to=event.event_id)
        case client.OutputPlayed():
            _played(session, event)
        case client.ConversationAttach():
            if not session.extended:
                raise BadEvent(
                    "only for clients of vivavoce.v1", code="unknown_event", param="type"
                )
            await attach(session, event.conversation_id, ephemeral=event.ephemeral)


@contextmanager
def _about(code: str, param: str) -> Iterator[None]:
    """What the conversation cannot do is the client's mistake, and has a code of OpenAI's: some
    clients take errors they do not know for the end of the session.
    """
    try:
        yield
    except ChatError as error:
        raise BadEvent(error.message, code=code, param=param) from None


async def _append(session: Session, audio: bytes) -> None:
    limit = session.settings.limits.append_bytes
    if len(audio) > limit:
        raise BadEvent(f"at most {limit} bytes at a time", code="audio_too_large", param="audio")
    if len(audio) % 2 and session.config.input_format.type == "audio/pcm":
        raise BadEvent("the audio ends in half a sample", code="invalid_audio", param="audio")
    await session.hear(audio)


def _update(session: Session, event: client.SessionUpdate) -> None:
    limits = session.settings.limits
    changed = merge(
        session.config,
        event.session,
        voices=frozenset(session.engines.tts.voices),
        languages=session.engines.stt.languages,
        text_chars=limits.text_chars,
        max_tools=limits.tools,
        extended=session.extended,
    )
    if changed.kind != session.config.kind and session.memory.last_id is not None:
        raise BadEvent("the type of a session that has begun cannot change", param="session.type")
    _check_formats(changed, extended=session.extended)
    session.configure(changed)


def _check_formats(config: SessionConfig, *, extended: bool) -> None:
    """Telephone audio goes as base64, Opus in frames."""
    fitting = ("audio/pcm", "audio/opus") if extended else ("audio/pcm", "audio/pcmu", "audio/pcma")
    for name, wanted in (("input", config.input_format), ("output", config.output_format)):
        if wanted.type not in fitting:
            raise BadEvent(
                f"{wanted.type} cannot be had in this protocol, but {', '.join(fitting)}",
                code="unsupported_format",
                param=f"session.audio.{name}.format.type",
            )


def _commit(session: Session) -> None:
    session.follow(session.ears.flush())
    end = session.ears.tape.end
    if end - session.dialog.uncommitted < SHORTEST_COMMIT:
        raise BadEvent(
            "there is less than 100 ms of audio to commit", code="input_audio_buffer_commit_empty"
        )
    session.feed(ev.AudioCommitted(end))
    session.ears.segmenter.reset()


def _create(session: Session, event: client.ItemCreate) -> None:
    after = event.previous_item_id if isinstance(event.previous_item_id, str) else None
    anchored = after is None or after == ROOT or after in session.memory.conversation
    code = "item_create_duplicate_item_id" if anchored else "item_create_invalid_previous_item_id"
    with _about(code, "item.id" if anchored else "previous_item_id"):
        made = session.memory.add(event.item, after)
    previous = session.memory.conversation.previous_id(made.id)
    item = session.memory.show(made.id)
    session.put(wire.ItemAdded(item=item, previous_item_id=previous))
    session.put(wire.ItemDone(item=item, previous_item_id=previous))
    session.drop_oldest()
    if isinstance(made, OutputItem):
        session.tool_answered()


def _truncate(session: Session, event: client.ItemTruncate) -> None:
    if event.content_index != 0:
        raise BadEvent("an item has one content part here", param="content_index")
    with _about("item_truncate_invalid_item_id", "item_id"):
        reply = session.memory.truncate(event.item_id, event.audio_end_ms)
    session.ears.hush()
    if reply.done:
        session.feed(ev.Played(reply.plan.rev.turn))
    session.put(
        wire.ItemTruncated(
            item_id=event.item_id,
            content_index=event.content_index,
            audio_end_ms=event.audio_end_ms,
        )
    )


def _respond(session: Session, event: client.ResponseCreate) -> None:
    if session.config.kind == "transcription":
        raise BadEvent("a transcription session makes no responses", code="invalid_session_type")
    wish = event.response if isinstance(event.response, client.ResponseParams) else None
    if session.dialog.owes_reply:
        raise BadEvent(
            "a response is asked for already, and follows the one in progress",
            code="conversation_already_has_active_response",
        )
    special = wish is not None and wish != client.ResponseParams()
    if wish is not None:
        _check_wish(session, wish)
    session.wish = wish if special else None
    session.feed(ev.ResponseRequested(special=special), refers_to=event.event_id)


def _check_wish(session: Session, wish: client.ResponseParams) -> None:
    modalities: list[Literal["text", "audio"]] = wish.output_modalities or ["audio"]
    if len(modalities) != 1:
        raise BadEvent('either ["audio"] or ["text"]', param="response.output_modalities")
    if wish.instructions and len(wish.instructions) > session.settings.limits.text_chars:
        raise BadEvent("too long", code="too_long", param="response.instructions")
    if isinstance(wish.tools, list) and len(wish.tools) > session.settings.limits.tools:
        raise BadEvent("too many tools", code="invalid_value", param="response.tools")
    own = voiced(session.config, wish, frozenset(session.engines.tts.voices))
    _check_formats(own, extended=session.extended)
    with _about("response_input_invalid_item_id", "response.input"):
        session.memory.chosen(wish.input or ())


def _played(session: Session, event: client.OutputPlayed) -> None:
    if not session.extended:
        raise BadEvent("only for clients of vivavoce.v1", code="unknown_event", param="type")
    reply = session.memory.played(event.item_id, event.audio_end_ms)
    session.ears.played(event.item_id, event.audio_end_ms / 1000)
    if reply is not None:
        left = 0.0 if event.done else max(0.0, reply.sent - event.audio_end_ms / 1000)
        session.feed(ev.Played(reply.plan.rev.turn, int(left * HEARD_RATE)))
