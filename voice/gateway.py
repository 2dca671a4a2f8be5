"""The WebSocket: admit a client, receive, send, and say why when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from voice import metrics
from voice.errors import BadEvent, Overloaded, VoiceError
from voice.line import Gone, Line, Wanted, wanted
from voice.passes import Credential
from voice.protocol import client, frames
from voice.protocol import server as wire
from voice.protocol.config import SessionConfig, Transcription, show
from voice.requests import handle
from voice.session import Engines, Session
from voice.settings import Settings

log = logging.getLogger(__name__)

TRY_AGAIN_LATER = 1013
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
GOING_AWAY = 1001

CLOSE_CODES: dict[str, int] = {
    "not_ready": TRY_AGAIN_LATER,
    "too_many_sessions": TRY_AGAIN_LATER,
    "client_too_slow": POLICY_VIOLATION,
    "session_expired": GOING_AWAY,
    "internal_error": INTERNAL_ERROR,
}
"""Why a session ends -> WebSocket close code (RFC 6455, section 7.4)."""


class Gateway:
    """Admits up to `limits.sessions` clients; `engines` gives None while models are loading."""

    def __init__(self, settings: Settings, engines: Callable[[], Engines | None]) -> None:
        self.settings = settings
        self._engines = engines
        self.sessions: set[Session] = set()
        self._lines: dict[str, Line] = {}
        """The lines that a client may come back to, by the digests of their tokens."""

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection from its handshake to its end."""
        offered = socket.scope.get("subprotocols", ())
        extended = frames.SUBPROTOCOL in offered
        # OpenAI's browser clients offer "realtime" among others and want it taken.
        chosen = frames.SUBPROTOCOL if extended else ("realtime" if "realtime" in offered else None)
        await socket.accept(subprotocol=chosen)
        if extended and await self._resume(socket, wanted(offered)):
            return
        engines = self._engines()
        refusal = self._refusal(engines)
        if refusal is not None or engines is None:
            await _end(socket, refusal or Overloaded("no models"))
            return
        await self._converse(socket, engines, extended=extended)

    async def _resume(self, socket: WebSocket, asked: Wanted | None) -> bool:
        """Go on with a session whose client lost its socket; whether that was possible.

        Returns when this socket is not in use any more.
        """
        line = self._lines.get(asked.name) if asked is not None else None
        if line is None or asked is None or not line.serves(socket, asked.received):
            return False
        old = line.park()
        greeting = wire.SessionResumed(received=line.received)
        try:
            await socket.send_text(wire.encode_json(greeting))
        except (RuntimeError, OSError, WebSocketDisconnect):
            return True  # lost again; the line waits for the next one
        line.take(socket, asked.received)
        metrics.RESUMED.inc()
        if old is not None:
            await _hang_up(old)
        await line.until_left(socket)
        return True

    def _refusal(self, engines: Engines | None) -> VoiceError | None:
        full = len(self.sessions) >= self.settings.limits.sessions
        if engines is None:
            refusal = VoiceError("the models are still being loaded", code="not_ready")
        elif full and not self._make_room():
            refusal = Overloaded("this server is full; try again later", code="too_many_sessions")
        else:
            return None
        metrics.REFUSED.labels(refusal.code).inc()
        return refusal

    def _make_room(self) -> bool:
        """Whoever is here goes before those that may come back."""
        parked = [line for line in self._lines.values() if line.parked_at is not None]
        if parked:
            min(parked, key=lambda line: line.parked_at or 0.0).end()
        return bool(parked)

    async def _converse(self, socket: WebSocket, engines: Engines, *, extended: bool) -> None:
        limits = self.settings.limits
        ending: VoiceError | None = None
        session: Session | None = None
        resume = self.settings.resume
        line = Line(
            socket,
            grace=resume.seconds if extended else 0.0,
            keep=resume.replay_bytes if extended else 0,
            patience=limits.send_timeout,
        )
        try:
            async with asyncio.timeout(limits.session_seconds), asyncio.TaskGroup() as group:
                session = Session(engines, self.settings, group, extended=extended)
                self.sessions.add(session)
                metrics.SESSIONS.inc()
                given = _given(socket, session.config)
                first = given or session.config
                session.put(
                    wire.SessionCreated(session=show(first, session.id), resume=_ticket(line))
                )
                if given is not None:
                    session.configure(given)
                if line.grace:
                    self._lines[line.name] = line
                group.create_task(line.pump())
                group.create_task(_send(line, session))
                group.create_task(_receive(line, session))
        except* (Gone, WebSocketDisconnect):
            pass  # the client left; the task group has ended everything it had started
        except* Overloaded as group_error:
            ending = _first(group_error)
        except* TimeoutError:
            ending = VoiceError("the session has lasted its full time", code="session_expired")
        except* Exception as group_error:
            log.error("a session failed", exc_info=group_error)
            ending = VoiceError("internal error", code="internal_error")
        finally:
            self._lines.pop(line.name, None)
            if session is not None:
                self.sessions.discard(session)
                metrics.SESSIONS.dec()
        if ending is not None:
            metrics.ERRORS.labels(ending.code).inc()
            if line.socket is not None:
                await _end(line.socket, ending)
        line.end()


def _given(socket: WebSocket, config: SessionConfig) -> SessionConfig | None:
    """How the session is to begin, if not as all do: what its client secret was minted for
    (`voice.rest.client_secrets`), or else the type that the address asks for.
    """
    credential: Credential | None = socket.scope.get("credential")
    if credential is not None and credential.session is not None:
        session: SessionConfig = credential.session
        return session
    if socket.query_params.get("intent") != "transcription":
        return None
    return replace(config, kind="transcription", transcription=Transcription())


def _ticket(line: Line) -> wire.Resume | UnsetType:
    """What a client needs to come back; nothing for one that cannot."""
    return wire.Resume(token=line.token, seconds=line.grace) if line.grace else UNSET


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
        if frame.kind != frames.MICROPHONE:
            raise BadEvent("only microphone frames go to the server", code="invalid_frame")
        if len(frame.pcm) > session.settings.limits.append_bytes:
            raise BadEvent("the frame holds too much audio", code="audio_too_large")
    except BadEvent as error:
        session.fail(error)
        return
    await session.hear(frame.pcm)


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


async def _end(socket: WebSocket, error: VoiceError) -> None:
    """Say why, then close with the code for it."""
    if socket.application_state is not WebSocketState.CONNECTED:
        return
    detail = wire.ErrorDetail(type="server_error", code=error.code, message=error.message)
    # The client may not be reading, or be gone already.
    with suppress(TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
        async with asyncio.timeout(1):
            await socket.send_text(wire.encode_json(wire.ErrorEvent(error=detail)))
            await socket.close(CLOSE_CODES.get(error.code, INTERNAL_ERROR), error.code)


async def _hang_up(socket: WebSocket) -> None:
    """Close a socket that was given up for another."""
    with suppress(TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
        async with asyncio.timeout(1):
            await socket.close(GOING_AWAY, "resumed")


def _first(group: BaseExceptionGroup[Overloaded]) -> VoiceError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
