"""One connection: owns its tasks and performs what its dialog decides.

Everything here runs on one event loop and nothing between an event and its actions awaits, so
there are no locks: an audio frame goes through VAD, segmenter and dialog in one call, and what the
models answer comes back as another event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from chat.conversation import MessageItem
from chat.errors import ChatError
from chat.prompts import STILL_THERE
from chat.providers import Llm
from voice import events as ev
from voice import metrics, opus
from voice.answers import Answers
from voice.audio import HEARD_RATE, seconds
from voice.dialog import Dialog
from voice.ears import Ears
from voice.engines import Stt, Tts, TurnDetector, Vad
from voice.errors import VoiceError
from voice.events import Rev
from voice.languages import may_be_heard
from voice.memory import RECORDED, Memory
from voice.outbox import Outbox, Outgoing
from voice.phrases import one_moment
from voice.planning import first_config, plan, policy
from voice.protocol import server as wire
from voice.protocol.client import ResponseParams
from voice.protocol.config import ServerVad, SessionConfig, show
from voice.response import Plan
from voice.scribe import Scribe
from voice.settings import Settings
from voice.sounds import Encoding
from voice.stamps import Stamps
from voice.transcripts import Transcripts
from voice.understanding import Understanding
from voice.work import Work


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
        self.scribe: Scribe | None = None
        """Writes down what is said, where conversations are kept."""
        self.wish: ResponseParams | None = None
        """What the client asked of the next response, if anything special."""
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._conversation_id = wire.new_id("conv")
        self.transcripts = Transcripts(engines.stt, self.ears.tape, self.memory, self.put)
        self.transcripts.language = settings.stt.language
        self._expect_languages()
        self._announced: set[int] = set()
        """Turns whose beginning the client was told."""
        self._work = Work(group)
        self._stamps = Stamps()
        self._answers = Answers(
            engines.llm,
            engines.tts,
            settings,
            memory=self.memory,
            outbox=self.outbox,
            stamps=self._stamps,
            ears=self.ears,
            feed=self.feed,
            launch=self._work.launch,
            extended=extended,
        )
        self._understanding = Understanding(
            engines.turn,
            engines.llm,
            transcripts=self.transcripts,
            ears=self.ears,
            dialog=self.dialog,
            work=self._work,
            stamps=self._stamps,
            said=self._answers.said,
            plan=lambda rev, heard: self._plan(rev, heard=heard),
            feed=self.feed,
        )
        self._refers_to: str | None = None
        """The `event_id` of the client event being handled, for errors."""

    # --- what comes in

    async def hear(self, data: bytes | memoryview, encoding: Encoding | None = None) -> None:
        """Microphone audio in the format that is configured, or in another one; PCM16 has an even
        number of bytes. Raises `BadEvent` for what cannot be decoded.
        """
        encoding = encoding or self.config.input_format.type
        self.ears.tune(encoding)
        limit = opus.LARGEST_PIECE if encoding == "audio/opus" else HEARD_RATE * 4
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
        self._answers.heed(self.dialog.weighing)

    def configure(self, changed: SessionConfig) -> None:
        """Adopt a new configuration and tell the client."""
        if changed.voice != self.config.voice:
            self._group.create_task(self._warm(changed.voice))
        self.config = changed
        vad = changed.turn_detection
        threshold = vad.threshold if isinstance(vad, ServerVad) else None
        self.ears.segmenter.threshold = threshold or self.settings.vad.threshold
        rules = policy(changed, self.settings, request_follows=self.extended)
        heard = changed.transcription
        self.transcripts.told = heard is not None
        self.transcripts.language = (heard and heard.language) or self.settings.stt.language
        self._expect_languages()
        for action in self.dialog.adopt(rules):
            self._perform(action)
        self.put(wire.SessionUpdated(session=show(changed, self.id)))

    def _expect_languages(self) -> None:
        engines = self.engines
        voices, known = engines.tts.voices, engines.stt.languages
        self.transcripts.expect(may_be_heard(self.config, self.settings, voices, known))

    async def _warm(self, voice: str) -> None:
        with suppress(VoiceError):  # what is wrong is told when the voice is to speak
            await self.engines.tts.warm(voice)

    @property
    def revision(self) -> object:
        """Something else whenever there is more to be kept of the session."""
        return self.memory.conversation.changes, self.memory.reports, self.config

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
        self._answers.sent(out)

    def is_replying(self, response_id: str) -> bool:
        """Whether this response is being made and was let out."""
        return self._answers.is_active(response_id)

    def tool_answered(self) -> None:
        """A function that the assistant called has given its output."""
        self._work.stop_all("tool")
        self.feed(ev.ToolAnswered())

    # --- what is to be done

    def _perform(self, action: ev.Action) -> None:  # noqa: PLR0912 - the table of actions
        match action:
            case ev.Suspect(turn, at):
                if self.extended:  # it lowers the reply's voice; others would end the reply
                    self._announce(turn, at)
            case ev.OpenTurn(turn, at):
                self._announce(turn, at)
            case ev.DropTurn(turn, at):
                self._tell_stopped(turn, at)
                self.transcripts.forget(turn)
            case ev.Transcribe(rev, start, end, final):
                self._understanding.transcribe(rev, start, end, final=final)
            case ev.Overhear(rev, start, end):
                self._understanding.overhear(rev, start, end)
            case ev.Glance(rev, start, end):
                self._understanding.glance(rev, start, end)
            case ev.Score(rev, start, end):
                self._understanding.score(rev, start, end)
            case ev.Abandon(rev):
                if self.transcripts.resume(rev):
                    self._work.spare(rev, "transcribe")
                self._work.stop(rev)
                self._answers.abandon(rev)
            case ev.Commit(rev, start, end):
                self._commit(rev, start, end)
            case ev.Reopen(rev):
                self._reopen(rev)
            case ev.Respond(rev, held):
                self._respond(rev, held=held)
            case ev.Release(rev):
                self._answers.release(rev)
            case ev.Cancel(rev, reason):
                self.wish = None
                self._work.stop(rev)
                self._answers.cancel(rev, reason)
            case ev.Resume(rev, cut):
                self._answers.resume(cut, lambda: self._plan(rev))
            case ev.Nudge(rev, start, end):
                self._nudge(rev, start, end)
            case ev.Fill(rev):
                # It is no part of the conversation: it would stand between a call and its output.
                plan = replace(self._plan(rev), conversation_id=None)
                phrase = self.settings.turn.tool_phrase or one_moment(plan.language)
                self._answers.say(plan, phrase)
            case ev.Refuse(code, message):
                self.wish = None
                self.fail(VoiceError(message, code=code), self._refers_to)

    # --- the user's turn

    def _announce(self, turn: int, at: int) -> None:
        if turn not in self._announced:
            self._announced.add(turn)
            ms = at * 1000 // HEARD_RATE
            item_id = self.transcripts.item_id(turn)
            self.put(wire.SpeechStarted(item_id=item_id, audio_start_ms=ms))

    def _tell_stopped(self, turn: int, at: int) -> None:
        if turn in self._announced:
            self._announced.discard(turn)
            ms = at * 1000 // HEARD_RATE
            item_id = self.transcripts.item_id(turn)
            self.put(wire.SpeechStopped(item_id=item_id, audio_end_ms=ms))

    def _commit(self, rev: Rev, start: int, end: int) -> None:
        metrics.TURNS.inc()
        self._stamps.note(rev.turn, "committed")
        self._tell_stopped(rev.turn, end)
        self._add_speech(self.transcripts.item_id(rev.turn), None, start, end)
        self.transcripts.owe(rev, seconds(end - start, HEARD_RATE))

    def _add_speech(self, item_id: str, text: str | None, start: int, end: int) -> None:
        """Samples `start` to `end` are a message of the user's."""
        previous = self.memory.last_id
        self.put(wire.BufferCommitted(item_id=item_id, previous_item_id=previous))
        self.memory.add_speech(item_id, text, self.ears.tape.read(start, end))
        item = self.memory.show(item_id)
        self.put(wire.ItemAdded(item=item, previous_item_id=previous))
        self.put(wire.ItemDone(item=item, previous_item_id=previous))
        self.drop_oldest()

    def _nudge(self, rev: Rev, start: int, end: int) -> None:
        """Nothing was said from `start` to `end`: that is a message too, and gets a reply."""
        item_id = self.transcripts.item_id(rev.turn)
        timeout = wire.TimeoutTriggered(
            item_id=item_id,
            audio_start_ms=start * 1000 // HEARD_RATE,
            audio_end_ms=end * 1000 // HEARD_RATE,
        )
        self.put(timeout)
        self._add_speech(item_id, "", start, end)
        self._answers.begin(self._plan(rev, aside=STILL_THERE), held=False)

    def _reopen(self, rev: Rev) -> None:
        self._work.stop(rev)
        gone: list[wire.ServerEvent] = []
        item_id = self.transcripts.item_id(rev.turn)
        if item_id in self.memory.conversation:
            self.memory.forget(item_id)
            gone.append(wire.ItemDeleted(item_id=item_id))
        self.transcripts.renew(rev.turn)
        self._answers.retract(rev, gone)

    def drop_oldest(self) -> None:
        """Keep the conversation within its limit."""
        for item_id in self.memory.overflow():
            self.put(wire.ItemDeleted(item_id=item_id))

    # --- replies

    def _plan(
        self,
        rev: Rev,
        *,
        heard: str | None = None,
        aside: str = "",
        wish: ResponseParams | None = None,
    ) -> Plan:
        """The plan of a reply to the conversation, and to what was `heard` in this turn.

        `aside` is said to the language model only; `wish` is what the client wants different.
        """
        items = list(self.memory.conversation)
        previous = self.memory.last_id
        item_id = self.transcripts.item_id(rev.turn) if heard else ""
        if wish is not None and wish.input:
            items = self.memory.chosen(wish.input)
        elif heard and item_id not in self.memory.conversation:
            items.append(MessageItem(item_id, "user", heard))
            previous = item_id
        spoken = self.transcripts.language_of(items)
        if aside:
            items.append(MessageItem("aside", "user", aside))
        return plan(
            rev,
            config=self.config,
            settings=self.settings,
            wish=wish,
            items=items,
            previous_item_id=previous,
            conversation_id=self._conversation_id,
            voices=self.engines.tts.voices,
            spoken=spoken,
        )

    def _respond(self, rev: Rev, *, held: bool) -> None:
        heard = self.transcripts.text(rev)
        wish, self.wish = self.wish, None
        try:
            made = self._plan(rev, heard=heard, wish=wish)
        except ChatError as error:  # an item it refers to was deleted meanwhile
            self.fail(error)
            self.feed(ev.ReplyEnded(rev))
            return
        if heard == "":
            self._answers.say_nothing(made)
        else:
            self._answers.begin(made, held=held)
