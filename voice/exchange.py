"""What goes on over a line as long as a session lasts: messages in, messages out, a copy kept."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol

from voice.errors import BadEvent
from voice.keeping import shot
from voice.line import Line
from voice.protocol import client, frames
from voice.protocol import server as wire
from voice.requests import handle
from voice.session import Session
from voice.snapshot import encode
from voice.sounds import Encoding

KEEP_SECONDS = 0.25
"""How often it is seen to that what was said is kept elsewhere too."""


MICROPHONES: dict[int, Encoding] = {
    frames.MICROPHONE: "audio/pcm",
    frames.MICROPHONE_OPUS: "audio/opus",
}
"""What a frame holds, by its kind: both are taken at any time, whatever was agreed upon."""


class States(Protocol):
    """Where sessions are kept for another process, by the names of their lines."""

    async def save(self, name: str, state: bytes, *, seconds: float) -> None:
        """Keep `state` for so long."""
        ...

    async def take(self, name: str) -> bytes | None:
        """What is kept, and is not from now on."""
        ...

    async def drop(self, name: str) -> None:
        """Keep it no longer."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


def exchange(
    line: Line, session: Session, states: States | None
) -> Iterator[Coroutine[Any, Any, None]]:
    """All that goes on, to be run until one of them raises."""
    yield line.pump()
    yield _send(line, session)
    yield _receive(line, session)
    if line.grace and states is not None:
        yield _keep(line, session, states)


async def settle(line: Line, session: Session, states: States | None) -> None:
    """The session has ended here; where that is because the server stops, not for good."""
    if session.scribe is not None:
        await session.scribe.write(last=True)
    if states is None:
        return
    if line.stopped:
        await _save(line, session, states)
    elif line.grace:
        await states.drop(line.name)


async def _keep(line: Line, session: Session, states: States) -> None:
    """Let another process go on with the session if this one ends: what there is of it is kept, for
    as long as its client may come back.
    """
    seen: object = None
    since = 0.0
    while True:
        loop = asyncio.get_running_loop()
        if (now := session.revision) != seen or loop.time() - since > line.grace / 3:
            seen, since = now, loop.time()
            await _save(line, session, states)
        await asyncio.sleep(KEEP_SECONDS)


async def _save(line: Line, session: Session, states: States) -> None:
    # It is saved anew after a third of the time: so long it may have been there when we end.
    await states.save(line.name, encode(shot(session, line.whose)), seconds=line.grace * 4 / 3)


async def _receive(line: Line, session: Session) -> None:
    """Read messages until the client is gone, not faster than the limit."""
    loop = asyncio.get_running_loop()
    pause = 1 / session.settings.limits.messages_per_second
    credit_until = loop.time()
    while True:
        message = await line.receive()
        # A client may be a second ahead of its rate; beyond that the socket fills up and it waits.
        credit_until = max(credit_until + pause, loop.time())
        if credit_until - loop.time() > 1:
            await asyncio.sleep(pause)
        if (text := message.get("text")) is not None:
            await take_text(session, text)
        else:
            await take_frame(session, message["bytes"])


async def take_text(session: Session, text: str) -> None:
    """Handle a message of JSON text; one that is no event is answered by an error."""
    try:
        event = client.decode(text)
    except BadEvent as error:
        session.fail(error, client.peek_event_id(text))
        return
    await handle(session, event)


async def take_frame(session: Session, data: bytes) -> None:
    """Handle a binary message; one that is no microphone frame is answered by an error."""
    try:
        if not session.extended:
            raise BadEvent("binary messages are for vivavoce.v1 only", code="invalid_frame")
        frame = frames.decode(data)
        encoding = MICROPHONES.get(frame.kind)
        if encoding is None:
            raise BadEvent("only microphone frames go to the server", code="invalid_frame")
        if len(frame.payload) > session.settings.limits.append_bytes:
            raise BadEvent("the frame holds too much audio", code="audio_too_large")
        await session.hear(frame.payload, encoding)
    except BadEvent as error:
        session.fail(error)


async def _send(line: Line, session: Session) -> None:
    """Send what the session puts out."""
    while True:
        out = await session.outbox.get()
        if session.extended:
            turn = out.rev.turn if out.rev is not None else 0
            data = wire.encode_vivavoce(out.message, turn)
        else:
            data = wire.encode_json(out.message)
        await line.send(data)
        session.sent(out)
