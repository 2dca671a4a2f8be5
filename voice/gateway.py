"""The WebSocket: admit a client, receive, send, and say why when it ends."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from chat.notebook import Notebook
from chat.providers import Llm
from chat.storage import LOCAL_OWNER
from voice import metrics
from voice.errors import Overloaded, VoiceError
from voice.exchange import States, exchange, settle
from voice.keeping import recall, write_down
from voice.line import Gone, Line, Wanted, wanted, whose
from voice.passes import Credential, digest
from voice.protocol import frames
from voice.protocol import server as wire
from voice.protocol.config import SessionConfig, Transcription, show
from voice.session import Engines, Session
from voice.settings import Settings
from voice.snapshot import Snapshot, decode

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


class Before(NamedTuple):
    """A session that another process had, and the token of its line."""

    token: str
    snapshot: Snapshot


class Gateway:
    """Admits up to `limits.sessions` clients; `engines` gives None while models are loading."""

    def __init__(self, settings: Settings, engines: Callable[[], Engines | None]) -> None:
        self.settings = settings
        self._engines = engines
        self.notebook: Notebook | None = None
        """Where conversations are written down, if anywhere."""
        self.owner_of: Callable[[str], str] = lambda _: LOCAL_OWNER
        """The id of a key (empty: none was needed) -> who its conversations belong to."""
        self.llm_of: Callable[[Llm, str], Llm] = lambda llm, _: llm
        """The language model as its owner uses it."""
        self.states: States | None = None
        """Where sessions are kept too, if anywhere."""
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
        asked = wanted(offered) if extended else None
        if asked is not None and await self._resume(socket, asked):
            return
        engines = self._engines()
        refusal = self._refusal(engines)
        if refusal is not None or engines is None:
            await _end(socket, refusal or Overloaded("no models"))
            return
        before = await self._restore(socket, asked)
        await self._converse(socket, engines, extended=extended, before=before)

    async def _resume(self, socket: WebSocket, asked: Wanted) -> bool:
        """Go on with a session whose client lost its socket; whether that was possible.

        Returns when this socket is not in use any more.
        """
        line = self._lines.get(digest(asked.token))
        if line is None or not line.serves(socket, asked.received):
            return False
        old = line.park()
        try:
            await _greet(socket, wire.SessionResumed(received=line.received))
        except (RuntimeError, OSError, WebSocketDisconnect):
            return True  # lost again; the line waits for the next one
        line.take(socket, asked.received)
        if old is not None:
            await _hang_up(old)
        await line.until_left(socket)
        return True

    async def _restore(self, socket: WebSocket, asked: Wanted | None) -> Before | None:
        """What is known of a session that another process had, which has ended."""
        if self.states is None or asked is None:
            return None
        state = await self.states.take(digest(asked.token))
        if state is None:
            return None
        try:
            snapshot = decode(state)
        except VoiceError as error:
            log.warning("a session is not taken up again: %s", error.message)
            return None
        return Before(asked.token, snapshot) if snapshot.whose == whose(socket) else None

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

    def _line(self, socket: WebSocket, *, extended: bool, token: str) -> Line:
        resume = self.settings.resume
        return Line(
            socket,
            grace=resume.seconds if extended else 0.0,
            keep=resume.replay_bytes if extended else 0,
            patience=self.settings.limits.send_timeout,
            token=token,
        )

    async def _converse(
        self, socket: WebSocket, engines: Engines, *, extended: bool, before: Before | None
    ) -> None:
        limits = self.settings.limits
        ending: VoiceError | None = None
        session: Session | None = None
        line = self._line(socket, extended=extended, token=before.token if before else "")
        try:
            async with asyncio.timeout(limits.session_seconds), asyncio.TaskGroup() as group:
                owner = self.owner_of(line.whose[0])
                theirs = dataclasses.replace(engines, llm=self.llm_of(engines.llm, owner))
                session = Session(theirs, self.settings, group, extended=extended)
                self.sessions.add(session)
                metrics.SESSIONS.inc()
                if self.notebook is not None and extended:
                    write_down(session, self.notebook, owner, group)
                await _open(session, line, socket, before)
                self._lines[line.name] = line
                for going_on in exchange(line, session, self.states):
                    group.create_task(going_on)
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
        if session is not None:
            await settle(line, session, self.states)
        if ending is not None:
            metrics.ERRORS.labels(ending.code).inc()
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


async def _open(session: Session, line: Line, socket: WebSocket, before: Before | None) -> None:
    """Greet a client whose conversation begins, or goes on from `before`."""
    if before is not None:
        await _greet(socket, wire.SessionResumed(received=0, restored=True))
        await recall(session, before.snapshot)
        return
    given = _given(socket, session.config)
    ticket = wire.Resume(token=line.token, seconds=line.grace) if line.grace else UNSET
    shown = show(given or session.config, session.id)
    session.put(wire.SessionCreated(session=shown, resume=ticket))
    if given is not None:
        session.configure(given)


async def _greet(socket: WebSocket, greeting: wire.SessionResumed) -> None:
    """Tell a client that its conversation goes on."""
    metrics.RESUMED.inc()
    await socket.send_text(wire.encode_json(greeting))


async def _end(socket: WebSocket | None, error: VoiceError) -> None:
    """Say why, then close with the code for it."""
    if socket is None or socket.application_state is not WebSocketState.CONNECTED:
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
