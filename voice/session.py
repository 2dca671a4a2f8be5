"""One connection: owns its tasks and performs what its dialog decides.

Everything here runs on one event loop and nothing between an event and its actions awaits, so
there are no locks: an audio frame goes through VAD, segmenter and dialog in one call, and what the
models answer comes back as another event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from chat.conversation import MessageItem
from chat.errors import ChatError
from chat.providers import Llm
from voice import events as ev
from voice import metrics
from voice.audio import HEARD_RATE, seconds
from voice.dialog import Dialog
from voice.ears import Ears
from voice.engines import Stt, Tts, TurnDetector, Vad
from voice.errors import VoiceError
from voice.events import Rev
from voice.memory import RECORDED, Memory
from voice.outbox import Outbox, Outgoing
from voice.planning import first_config, plan, policy
from voice.protocol import server as wire
from voice.protocol.client import ResponseParams
from voice.protocol.config import ServerVad, SessionConfig, show
from voice.reply import respond
from voice.response import Plan, Reply, closing
from voice.settings import Settings
from voice.stamps import Stamps
from voice.transcripts import Transcripts

JUDGED = HEARD_RATE * 8
"""The turn detector judges by the last 8 s at most."""

REMEMBERED = 3
"""Replies kept at hand; the dialog refers to the newest only, the others may still be closing."""


@dataclass(frozen=True, slots=True)
class Engines:
    """The models of this process, shared by all sessions."""

    vad: Vad
    turn: TurnDetector
    stt: Stt
    tts: Tts
    llm: Llm


class Session:
    """A conversation with one client, from `session.created` to the end of the connection.

    `group` is the task group everything it starts belongs to; `extended` says that the client
    speaks `vivavoce.v1`.
    """

    def __init__(
        self,
        engines: Engines,
        settings: Settings,
        group: asyncio.TaskGroup,
        *,
        extended: bool,
    ) -> None:
        self.id = wire.new_id("sess")
        self.engines = engines
        self.settings = settings
        self.extended = extended
        self.config = first_config(settings)
        limits = settings.limits
        self.memory = Memory(items=limits.items, text_chars=limits.text_chars)
        self.outbox: Outbox[wire.ServerEvent] = Outbox(
            seconds=limits.outbound_seconds, messages=limits.outbound_messages
        )
        self.ears = Ears(
            engines.vad, settings.vad, capacity=int(limits.buffer_seconds * HEARD_RATE)
        )
        self.dialog = Dialog(policy(self.config, settings, request_follows=extended))
        self.wish: ResponseParams | None = None
        """What the client asked of the next response, if anything special."""
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._conversation_id = wire.new_id("conv")
        self.transcripts = Transcripts(engines.stt, self.ears.tape, self.memory, self.put)
        self.transcripts.language = settings.stt.language
        self._announced: set[int] = set()
        """Turns whose beginning the client was told."""
        self._replies: dict[Rev, Reply] = {}
        self._work: dict[Rev, dict[str, asyncio.Task[None]]] = {}
        self._stamps = Stamps()
        self._refers_to: str | None = None
        """The `event_id` of the client event being handled, for errors."""

    # --- what comes in

    async def hear(self, data: bytes | memoryview) -> None:
        """Microphone audio in the format that is configured; PCM16 has an even number of bytes."""
        limit = HEARD_RATE * 4
        for start in range(0, len(data), limit):
            self.follow(self.ears.hear(data[start : start + limit]))
            if start:
                await asyncio.sleep(0)  # a long piece of audio must not starve the others
        tape, wanted = self.ears.tape, self.transcripts.unsettled(self.dialog.wanted)
        # What the item's recording is made of is kept as well, though it was understood already.
        tape.forget(min(wanted, max(self.dialog.wanted, tape.end - RECORDED * HEARD_RATE)))
        if tape.start > wanted:
            metrics.DROPPED.labels("buffer_full").inc()

    def follow(self, happenings: Iterable[ev.Event]) -> None:
        """Take events one after another."""
        for event in happenings:
            self.feed(event)

    def feed(self, event: ev.Event, *, refers_to: str | None = None) -> None:
        """Take one event and perform what follows from it; `refers_to` names the client event
        behind it, for an error.
        """
        self._refers_to = refers_to
        for action in self.dialog.feed(event):
            self._perform(action)

    def configure(self, changed: SessionConfig) -> None:
        """Adopt a new configuration and tell the client."""
        if changed.voice != self.config.voice:
            self._group.create_task(self._warm(changed.voice))
        self.config = changed
        vad = changed.turn_detection
        threshold = vad.threshold if isinstance(vad, ServerVad) else None
        self.ears.tune(changed.input_format.type)
        self.ears.segmenter.threshold = threshold or self.settings.vad.threshold
        rules = policy(changed, self.settings, request_follows=self.extended)
        heard = changed.transcription
        self.transcripts.told = heard is not None
        self.transcripts.language = (heard and heard.language) or self.settings.stt.language
        for action in self.dialog.adopt(rules):
            self._perform(action)
        self.put(wire.SessionUpdated(session=show(changed, self.id)))

    async def _warm(self, voice: str) -> None:
        with suppress(VoiceError):  # what is wrong is told when the voice is to speak
            await self.engines.tts.warm(voice)

    def put(self, event: wire.ServerEvent) -> None:
        """Send an event that belongs to no reply."""
        self.outbox.put(Outgoing(event, None))

    def fail(self, error: VoiceError | ChatError, event_id: str | None = None) -> None:
        """Tell the client that something did not work; the session goes on."""
        metrics.ERRORS.labels(error.code).inc()
        mistaken = isinstance(error, VoiceError) and error.code != "internal_error"
        detail = wire.ErrorDetail(
            type="invalid_request_error" if mistaken else "server_error",
            code=error.code,
            message=error.message,
            param=getattr(error, "param", None),
            event_id=event_id,
        )
        self.put(wire.ErrorEvent(error=detail))

    def sent(self, out: Outgoing[wire.ServerEvent]) -> None:
        """A message has been handed to the client's socket."""
        reply = self._replies.get(out.rev) if out.rev is not None else None
        if reply is None or out.rev is None or not out.seconds:
            return
        reply.sent += out.seconds
        if reply.first_sent is None:
            reply.first_sent = self._loop.time()
            took = self._stamps.report(out.rev.turn, reply.stamps, reply.first_sent)
            if self.extended:
                shown = {stage: round(value * 1000, 1) for stage, value in took.items()}
                self.put(wire.Timings(response_id=reply.id, turn=out.rev.turn, stages=shown))
        self.feed(ev.AudioSent(out.rev, int(out.seconds * HEARD_RATE)))

    # --- what is to be done

    def _perform(self, action: ev.Action) -> None:  # noqa: PLR0912 - the table of actions
        match action:
            case ev.OpenTurn(turn, at):
                self._announced.add(turn)
                item_id = self.transcripts.item_id(turn)
                ms = at * 1000 // HEARD_RATE
                self.put(wire.SpeechStarted(item_id=item_id, audio_start_ms=ms))
            case ev.DropTurn(turn, at):
                self._announced.discard(turn)
                item_id = self.transcripts.item_id(turn)
                self.put(wire.SpeechStopped(item_id=item_id, audio_end_ms=at * 1000 // HEARD_RATE))
                self.transcripts.forget(turn)
            case ev.Transcribe(rev, start, end, final):
                ago = seconds(self.ears.tape.end - end, HEARD_RATE)
                self._stamps.note(rev.turn, "spoke", ago=ago)
                self._stamps.note(rev.turn, "transcribing")
                if not final:
                    self._stamps.note(rev.turn, "paused")
                # A partial transcript is no longer wanted now that a whole one is made.
                self._stop(Rev(rev.turn, rev.revision - 1))
                self._launch(rev, "transcribe", self._transcribe(rev, start, end))
            case ev.Overhear(rev, start, end):
                self._launch(rev, "overhear", self._overhear(rev, start, end))
            case ev.Score(rev, start, end):
                self._launch(rev, "score", self._score(rev, start, end))
            case ev.Abandon(rev):
                self._abandon(rev)
            case ev.Commit(rev, start, end):
                self._commit(rev, start, end)
            case ev.Reopen(rev):
                self._reopen(rev)
            case ev.Respond(rev, held):
                self._respond(rev, held=held)
            case ev.Release(rev):
                self._release(self._replies[rev])
            case ev.Cancel(rev, reason):
                self._cancel(self._replies[rev], reason)
            case ev.Refuse(code, message):
                self.wish = None
                self.fail(VoiceError(message, code=code), self._refers_to)

    def _launch(self, rev: Rev, kind: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._work.setdefault(rev, {})[kind] = task
        task.add_done_callback(partial(self._landed, rev, kind))

    def _landed(self, rev: Rev, kind: str, task: asyncio.Task[None]) -> None:
        tasks = self._work.get(rev, {})
        if tasks.get(kind) is task:
            del tasks[kind]
        if not tasks:
            self._work.pop(rev, None)

    def _stop(self, rev: Rev) -> None:
        for task in self._work.pop(rev, {}).values():
            task.cancel()

    async def _transcribe(self, rev: Rev, start: int, end: int) -> None:
        task = asyncio.current_task()
        text = await self.transcripts.transcribe(
            rev, start, end, lambda: task in self._work.get(rev, {}).values()
        )
        if text is not None:
            self._stamps.note(rev.turn, "transcribed")
            self.feed(ev.Transcribed(rev, text))

    async def _overhear(self, rev: Rev, start: int, end: int) -> None:
        began = self._loop.time()
        said = await self.transcripts.overhear(rev, start, end)
        took = self._loop.time() - began
        self.feed(ev.Overheard(rev, int(took * HEARD_RATE)))
        if said and self.dialog.expects_reply:
            # Cancelled with this task when the user pauses: the words so far need not be read then.
            await self.engines.llm.expect(self._plan(rev, said).messages)

    async def _score(self, rev: Rev, start: int, end: int) -> None:
        pcm = self.ears.tape.read(max(start, end - JUDGED), end)
        probability: float | None = None
        try:
            probability = await self.engines.turn.completion(pcm)
        except VoiceError as error:
            metrics.ERRORS.labels(error.code).inc()  # the transcript and the silence decide alone
        self.feed(ev.Scored(rev, probability))

    # --- the user's turn

    def _commit(self, rev: Rev, start: int, end: int) -> None:
        metrics.TURNS.inc()
        self._stamps.note(rev.turn, "committed")
        item_id = self.transcripts.item_id(rev.turn)
        previous = self.memory.last_id
        if rev.turn in self._announced:
            self._announced.discard(rev.turn)
            ms = end * 1000 // HEARD_RATE
            self.put(wire.SpeechStopped(item_id=item_id, audio_end_ms=ms))
        self.put(wire.BufferCommitted(item_id=item_id, previous_item_id=previous))
        self.memory.add_speech(item_id, None, self.ears.tape.read(start, end))
        item = self.memory.show(item_id)
        self.put(wire.ItemAdded(item=item, previous_item_id=previous))
        self.put(wire.ItemDone(item=item, previous_item_id=previous))
        self.drop_oldest()
        self.transcripts.owe(rev, seconds(end - start, HEARD_RATE))

    def _reopen(self, rev: Rev) -> None:
        gone: list[wire.ServerEvent] = []
        reply = self._replies.pop(rev, None)
        self._stop(rev)
        if reply is not None:
            details = wire.StatusDetails(type="cancelled", reason="turn_detected")
            gone += closing(reply, "cancelled", details) if not reply.done else []
            gone += [wire.ItemDeleted(item_id=i) for i in self.memory.forget_reply(reply)]
        item_id = self.transcripts.item_id(rev.turn)
        if item_id in self.memory.conversation:
            self.memory.forget(item_id)
            gone.append(wire.ItemDeleted(item_id=item_id))
        self.transcripts.renew(rev.turn)
        self.outbox.cut(rev, gone)

    def _abandon(self, rev: Rev) -> None:
        if self.transcripts.resume(rev):
            self._work.get(rev, {}).pop("transcribe", None)  # not to be cancelled
        self._stop(rev)
        self.outbox.drop(rev)
        metrics.ABANDONED.inc()
        reply = self._replies.pop(rev, None)
        if reply is not None:
            self.memory.recordings.forget(reply.item_id)
            metrics.WASTED_CHARS.inc(len(reply.text))
            metrics.WASTED_SPEECH.inc(reply.seconds)

    def drop_oldest(self) -> None:
        """Keep the conversation within its limit."""
        for item_id in self.memory.overflow():
            self.put(wire.ItemDeleted(item_id=item_id))

    # --- replies

    def _plan(self, rev: Rev, heard: str | None) -> Plan:
        """The plan of a reply to the conversation, and to what was `heard` in this turn."""
        items = list(self.memory.conversation)
        previous = self.memory.last_id
        item_id = self.transcripts.item_id(rev.turn) if heard else ""
        if self.wish is not None and self.wish.input:
            items = self.memory.chosen(self.wish.input)
        elif heard and item_id not in self.memory.conversation:
            items.append(MessageItem(item_id, "user", heard))
            previous = item_id
        return plan(
            rev,
            config=self.config,
            settings=self.settings,
            wish=self.wish,
            items=items,
            previous_item_id=previous,
            conversation_id=self._conversation_id,
            voices=self.engines.tts.voices,
        )

    def _respond(self, rev: Rev, *, held: bool) -> None:
        heard = self.transcripts.text(rev)
        reply = Reply(self._plan(rev, heard))
        self.wish = None
        for old in list(self._replies)[:-REMEMBERED]:
            del self._replies[old]
        self._replies[rev] = reply
        if held:
            self.outbox.hold(rev)
        else:
            self._release(reply)
        if heard == "":
            self._emit(reply, wire.ResponseCreated(response=reply.response("in_progress")))
            done = wire.StatusDetails(type="completed")
            for event in closing(reply, "completed", done):
                self._emit(reply, event)
            self.feed(ev.ReplyEnded(rev))
        else:
            self._launch(rev, "reply", self._make(reply))

    async def _make(self, reply: Reply) -> None:
        await respond(
            reply,
            llm=self.engines.llm,
            tts=self.engines.tts,
            emit=partial(self._emit, reply),
            room=partial(self._room, reply),
        )
        self.memory.remember(reply)
        metrics.REPLIES.labels(reply.usage.reason).inc()
        self.feed(ev.ReplyEnded(reply.plan.rev))

    def _emit(
        self,
        reply: Reply,
        event: wire.ServerEvent,
        *,
        seconds: float = 0.0,
        content: bool = False,
    ) -> None:
        if isinstance(event, wire.ItemAdded | wire.ItemDone):
            self.memory.remember(reply)
        if isinstance(event, wire.EXTENSIONS) and not self.extended:
            return
        if isinstance(event, wire.AudioDelta):
            self.memory.record(reply, event.delta)
        for made in reply.encoded(event):
            self.outbox.put(Outgoing(made, reply.plan.rev, seconds, content))
            seconds = 0.0

    async def _room(self, reply: Reply) -> None:
        """Wait until more of the reply's speech is wanted."""
        if self.settings.turn.speculation == "llm":
            await reply.released.wait()
        await self.outbox.room()
        if reply.first_sent is not None:
            # Speech far ahead of the listener is wasted if they interrupt.
            ahead = reply.seconds - (self._loop.time() - reply.first_sent)
            await asyncio.sleep(max(0.0, ahead - self.settings.tts.lead_seconds))

    def _release(self, reply: Reply) -> None:
        reply.released.set()
        self.memory.remember(reply)
        self.outbox.release(reply.plan.rev)

    def _cancel(self, reply: Reply, reason: Literal["turn_detected", "client_cancelled"]) -> None:
        rev = reply.plan.rev
        self._stop(rev)
        last: list[wire.ServerEvent] = []
        self.memory.cut(reply, reply.heard_by(self._loop.time()))
        if not reply.done:
            details = wire.StatusDetails(type="cancelled", reason=reason)
            last += closing(reply, "cancelled", details)
            metrics.REPLIES.labels("cancelled").inc()
        if self.extended:
            last.append(wire.OutputCleared(response_id=reply.id))
        self.outbox.cut(rev, last)
