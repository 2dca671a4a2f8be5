"""Who has the floor: a pure state machine from events to actions.

A turn is one thing the user says; each pause in it makes a new revision, whose transcript and
reply are prepared while it is still open whether the turn is over. Commit makes the live revision
the user's message and releases its reply; speech that goes on before that abandons it.

Stale results are dropped here and nowhere else: a result counts only if its `Rev` is the live one.
"""

from __future__ import annotations

from voice import events as ev
from voice.audio import HEARD_RATE
from voice.endpointing import silence_wanted
from voice.events import Rev
from voice.floor import Policy, Reply, Turn

RESCORE = HEARD_RATE // 5
"""While a silence lasts the turn detector is asked this often (samples)."""

LATE = HEARD_RATE * 3 // 10
"""After so much silence it is asked though there is no transcript yet."""

REST = HEARD_RATE * 10
"""Longest rest after a partial transcript: one that took minutes was held up, it did not work."""

PAST = HEARD_RATE * 7
"""Sound from before a turn that is kept at hand; no longer prefix can be asked for."""


class Dialog:
    """The floor of one conversation: feed events in order, perform what comes back in order."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 0
        self._turns = 0
        self._floor = 0
        """Audio before this sample is spoken for (committed or cleared)."""
        self._turn: Turn | None = None
        self._committed: Turn | None = None
        """The newest committed turn: it may still want its transcript, or be reopened."""
        self._reply: Reply | None = None

    # --- what others may ask

    @property
    def replying(self) -> bool:
        """A reply that was let out is still being made."""
        return self._reply is not None and not self._reply.held and not self._reply.ended

    @property
    def expects_reply(self) -> bool:
        """The language model may prepare for a reply to what is being said."""
        return (
            self._reply_follows and self.policy.speculation in ("llm", "tts") and not self.replying
        )

    @property
    def _reply_follows(self) -> bool:
        if self.policy.detection == "none":
            return self.policy.request_follows
        return self.policy.create_response

    @property
    def uncommitted(self) -> int:
        """Where the audio begins that is not yet part of a turn that is over."""
        return self._floor

    @property
    def wanted(self) -> int:
        """Audio before this sample will not be asked for again."""
        turn, past = self._turn, self._committed
        if past is not None and (past.transcribing or self.now - past.end <= self.policy.reopen):
            return past.start
        if self.policy.detection == "none":
            return self._floor
        return turn.start if turn is not None else max(self._floor, self.now - PAST)

    # --- events

    def feed(self, event: ev.Event) -> list[ev.Action]:  # noqa: PLR0911, PLR0912 - the table of events
        """Take one event, return what is to be done about it, in order."""
        match event:
            case ev.Elapsed(now, silent):
                return self._elapse(now, silent)
            case ev.SpeechStarted(at):
                return self._start(at)
            case ev.SpeechPaused(at):
                return self._pause(at)
            case ev.Transcribed(rev, text):
                return self._transcribed(rev, text)
            case ev.Overheard(rev, samples):
                return self._overheard(rev, samples)
            case ev.Scored(rev, probability):
                return self._scored(rev, probability)
            case ev.AudioCommitted(now):
                return self._commit_by_client(now)
            case ev.AudioCleared(now):
                return self._clear(now)
            case ev.ResponseRequested(special):
                return self._request(special=special)
            case ev.CancelRequested():
                return self._cancel_by_client()
            case ev.AudioSent(rev, samples):
                return self._sent(rev, samples)
            case ev.ReplyEnded(rev):
                return self._ended(rev)
            case ev.Played(turn):
                return self._played(turn)

    def adopt(self, policy: Policy) -> list[ev.Action]:
        """Change the policy; another way of detecting turns starts with a clean floor."""
        changed = policy.detection != self.policy.detection
        self.policy = policy
        return self._clear(self.now) if changed else []

    # --- speech

    def _start(self, at: int) -> list[ev.Action]:
        turn = self._turn
        if turn is not None:
            turn.speaking = True
            turn.spoke = at
            turn.overhear_at = at + self.policy.partial
            return self._abandon(turn)
        reopened = self._reopen(at)
        if reopened:
            return reopened
        # The button says where the turn starts: quiet words before the first loud one count.
        prefix = at if self.policy.detection == "none" else self.policy.prefix
        turn = self._open(max(at - prefix, self._floor), at)
        turn.over_reply = self._reply_sounds()
        return [] if self.policy.detection == "none" else [ev.OpenTurn(turn.number, turn.start)]

    def _open(self, start: int, at: int) -> Turn:
        self._turns += 1
        self._turn = Turn(self._turns, start, at, overhear_at=at + self.policy.partial)
        return self._turn

    def _reopen(self, at: int) -> list[ev.Action]:
        turn = self._committed
        if turn is None or self.policy.detection == "none" or at - turn.end > self.policy.reopen:
            return []
        reply = self._reply
        unheard = reply is not None and reply.rev == turn.rev and not reply.audible
        waiting = turn.transcript is None and turn.respond
        if not (unheard or waiting):
            return []
        actions: list[ev.Action] = [ev.Reopen(turn.rev), ev.OpenTurn(turn.number, turn.start)]
        if unheard:
            self._reply = None
        self._committed = None
        turn.speaking, turn.spoke, turn.respond, turn.answered = True, at, False, False
        turn.transcript, turn.transcribing = None, False
        self._turn = turn
        return actions

    def _abandon(self, turn: Turn) -> list[ev.Action]:
        reply = self._reply
        busy = turn.transcribing or turn.transcript is not None or turn.scoring
        if reply is not None and reply.held and reply.rev == turn.rev:
            self._reply = None
        turn.transcript, turn.transcribing = None, False
        turn.probability, turn.scoring = None, False
        return [ev.Abandon(turn.rev)] if busy else []

    def _pause(self, at: int) -> list[ev.Action]:
        turn = self._turn
        if turn is None:
            return []
        turn.speaking = False
        turn.end = at
        turn.revision += 1
        turn.used = turn.overhearing = False
        if turn.over_reply and self._reply_sounds() and self.policy.interrupt_response:
            # Too short to interrupt: whoever it was, the reply goes on and the floor is its own.
            return self._drop(turn)
        actions: list[ev.Action] = []
        turn.scored = None
        if self.policy.speculation != "off":
            actions.append(self._transcribe(turn, final=False))
        return actions

    def _drop(self, turn: Turn) -> list[ev.Action]:
        actions = self._abandon(turn)
        self._turn = None
        self._floor = turn.end
        if self.policy.detection != "none":
            actions.append(ev.DropTurn(turn.number, turn.end))
        return actions

    def _transcribe(self, turn: Turn, *, final: bool) -> ev.Action:
        turn.transcribing = True
        return ev.Transcribe(turn.rev, turn.start, turn.end, final)

    def _judge(self, turn: Turn) -> list[ev.Action]:
        """Ask the turn detector, first about the speech as it ended, then with more silence.

        On two cores it would slow the transcript down, and is not needed before it: it is asked
        when the transcript is there, or late.
        """
        if self.policy.detection != "semantic_vad" or turn.scoring:
            return []
        if turn.scored is None:
            late = self.now - turn.end >= LATE or self.policy.speculation == "off"
            if turn.transcript is None and not late:
                return []
            until = turn.end
        elif self.now - turn.scored >= RESCORE:
            until = self.now
        else:
            return []
        turn.scoring, turn.scored = True, self.now
        return [ev.Score(turn.rev, turn.start, until)]

    # --- time

    def _elapse(self, now: int, silent: int) -> list[ev.Action]:
        self.now = now
        turn = self._turn
        actions: list[ev.Action] = []
        if turn is None:
            return actions
        if turn.speaking:
            actions += self._interrupt(turn, now - silent)
            if self.policy.detection != "none" and now - turn.start > self.policy.max_turn:
                turn.end = now
                turn.revision += 1
                return actions + self._commit(turn, respond=self.policy.create_response)
            return actions + (self._overhear(turn, now) if not silent else [])
        if self.policy.detection == "none":
            return actions
        silence = now - turn.end
        if silence >= self._silence_wanted(turn):
            return self._commit(turn, respond=self.policy.create_response)
        return actions + self._judge(turn)

    def _overhear(self, turn: Turn, now: int) -> list[ev.Action]:
        if not self.policy.partial or turn.overhearing or now < turn.overhear_at:
            return []
        turn.overhearing = True
        return [ev.Overhear(turn.rev, turn.start, now)]

    def _overheard(self, rev: Rev, samples: int) -> list[ev.Action]:
        turn = self._turn
        if turn is not None and turn.number == rev.turn:
            turn.overhearing = False
            rest = min(int(samples * (1 / self.policy.partial_share - 1)), REST)
            turn.overhear_at = self.now + max(self.policy.partial, rest)
        return []

    def _silence_wanted(self, turn: Turn) -> int:
        if self.policy.detection == "server_vad":
            return self.policy.silence
        asked = turn.scoring or turn.scored is None
        if turn.probability is None and asked and turn.transcript is None:
            return self.policy.max_turn  # nothing is known yet; the answers are on their way
        wanted = silence_wanted(turn.probability, turn.transcript, self.policy.eagerness)
        return int(wanted * HEARD_RATE)

    def _interrupt(self, turn: Turn, voiced: int) -> list[ev.Action]:
        reply = self._reply
        if (
            reply is None
            or not self._reply_sounds()
            or not self.policy.interrupt_response
            or self.policy.detection == "none"
            or voiced - turn.spoke < self.policy.interrupt
        ):
            return []
        turn.over_reply = False
        self._reply = None
        return [ev.Cancel(reply.rev, "turn_detected")]

    def _reply_sounds(self) -> bool:
        reply = self._reply
        if reply is None or reply.held:
            return False
        return not reply.ended or self.now < reply.until

    # --- the end of a turn

    def _commit(self, turn: Turn, *, respond: bool) -> list[ev.Action]:
        actions: list[ev.Action] = [ev.Commit(turn.rev, turn.start, turn.end)]
        self._turn = None
        self._floor = turn.end
        self._committed = turn
        turn.respond = respond
        if turn.transcript is None:
            if not turn.transcribing:
                actions.append(self._transcribe(turn, final=True))
            return actions
        return actions + self._answer(turn)

    def _commit_by_client(self, now: int) -> list[ev.Action]:
        turn = self._turn
        start = self._floor
        fresh = turn is None or turn.speaking or turn.revision == 0
        if turn is None:
            turn = self._open(start, start)
        turn.start = start
        if fresh:
            turn.end = now
            turn.revision += 1
        actions = self._commit(turn, respond=False)
        self._floor = now
        return actions

    def _clear(self, now: int) -> list[ev.Action]:
        turn = self._turn
        self._turn = None
        self._floor = now
        return self._abandon(turn) if turn is not None else []

    # --- results

    def _transcribed(self, rev: Rev, text: str) -> list[ev.Action]:
        turn = self._turn
        if turn is not None and turn.rev == rev and turn.transcribing:
            turn.transcript, turn.transcribing = text, False
            return self._speculate(turn) + self._judge(turn)
        turn = self._committed
        if turn is not None and turn.rev == rev and turn.transcribing:
            turn.transcript, turn.transcribing = text, False
            return self._answer(turn)
        return []

    def _speculate(self, turn: Turn) -> list[ev.Action]:
        if not turn.transcript or not self.expects_reply:
            return []
        turn.used = True
        return self._begin(turn.rev, held=True)

    def _begin(self, rev: Rev, *, held: bool) -> list[ev.Action]:
        """Start a reply; one that was prepared and never wanted makes room for it."""
        actions = self._forget_held()
        self._reply = Reply(rev, held=held)
        return [*actions, ev.Respond(rev, held=held)]

    def _forget_held(self) -> list[ev.Action]:
        """ev.Abandon a reply that was prepared and turned out not to be wanted."""
        reply = self._reply
        if reply is None or not reply.held:
            return []
        self._reply = None
        return [ev.Abandon(reply.rev)]

    def _answer(self, turn: Turn) -> list[ev.Action]:
        """The turn is committed and its transcript known: reply, if one is wanted."""
        reply = self._reply
        if not turn.respond:
            expected = self.policy.request_follows and reply is not None and reply.rev == turn.rev
            return [] if expected else self._forget_held()
        if reply is not None and reply.held and reply.rev == turn.rev:
            reply.held = False
            turn.respond, turn.answered = False, True
            return [ev.Release(turn.rev)]
        if self.replying or not (turn.transcript or turn.asked):
            return []
        turn.respond, turn.answered = False, True
        rev = self._next_rev() if turn.used else turn.rev
        return self._begin(rev, held=False)

    def _next_rev(self) -> Rev:
        """For a reply that no pause of the user's began."""
        self._turns += 1
        return Rev(self._turns, 0)

    def _scored(self, rev: Rev, probability: float | None) -> list[ev.Action]:
        turn = self._turn
        if turn is not None and turn.rev == rev and turn.scoring:
            turn.scoring = False
            # The longer a silence lasts the surer the detector gets, whether or not the speaker
            # goes on (`bench/turns.py`): its lowest answer says most.
            known = [p for p in (turn.probability, probability) if p is not None]
            turn.probability = min(known, default=None)
        return []

    # --- replies

    def _request(self, *, special: bool) -> list[ev.Action]:
        if self.replying:
            return [
                ev.Refuse(
                    "conversation_already_has_active_response",
                    "a response is in progress; wait for it to end or cancel it first",
                )
            ]
        turn = self._committed
        held = self._reply if self._reply is not None and self._reply.held else None
        if held is not None and turn is not None and held.rev == turn.rev and not special:
            turn.respond = True
            return self._answer(turn)
        if held is None and turn is not None and not turn.answered:
            turn.respond = turn.asked = True
            return [] if turn.transcribing else self._answer(turn)
        return self._begin(self._next_rev(), held=False)

    def _cancel_by_client(self) -> list[ev.Action]:
        reply = self._reply
        if self._committed is not None and self._committed.transcribing:
            self._committed.respond = False
        if reply is None or not self.replying:
            return [
                ev.Refuse(
                    "response_cancel_not_active", "Cancellation failed: no active response found"
                )
            ]
        self._reply = None
        return [ev.Cancel(reply.rev, "client_cancelled")]

    def _sent(self, rev: Rev, samples: int) -> list[ev.Action]:
        reply = self._reply
        if reply is not None and reply.rev == rev:
            reply.audible = True
            reply.until = max(reply.until, self.now) + samples
        return []

    def _ended(self, rev: Rev) -> list[ev.Action]:
        reply = self._reply
        if reply is None or reply.rev != rev:
            return []
        reply.ended = True
        turn = self._committed
        if turn is not None and turn.respond and turn.transcript and turn.rev != rev:
            return self._answer(turn)  # it was said while the reply could not be interrupted
        return []

    def _played(self, turn: int) -> list[ev.Action]:
        reply = self._reply
        if reply is not None and reply.rev.turn == turn and reply.ended:
            reply.until = self.now
        return []
