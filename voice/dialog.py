"""Who has the floor: a pure state machine from events to actions.

A turn is one thing the user says; each pause in it makes a new revision, whose transcript and
reply are prepared while it is still open whether the turn is over. Commit makes the live revision
the user's message and releases its reply; speech that goes on before that abandons it.

Stale results are dropped here and nowhere else: a result counts only if its `Rev` is the live one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voice.audio import HEARD_RATE
from voice.endpointing import Eagerness, silence_wanted
from voice.events import (
    Abandon,
    Action,
    AudioCleared,
    AudioCommitted,
    AudioSent,
    Cancel,
    CancelRequested,
    Commit,
    DropTurn,
    Elapsed,
    Event,
    OpenTurn,
    Played,
    Refuse,
    Release,
    Reopen,
    ReplyEnded,
    Respond,
    ResponseRequested,
    Rev,
    Score,
    Scored,
    SpeechPaused,
    SpeechStarted,
    Transcribe,
    Transcribed,
)

RESCORE = HEARD_RATE // 5
"""While a silence lasts the turn detector is asked again this often (samples)."""

PAST = HEARD_RATE * 7
"""Sound from before a turn that is kept at hand; no longer prefix can be asked for."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How turns are taken in this session; durations in samples at `HEARD_RATE`.

    `detection` `none` is push-to-talk: the client commits, and nothing heard ends or cancels
    anything.
    """

    detection: Literal["none", "server_vad", "semantic_vad"] = "semantic_vad"
    eagerness: Eagerness = "auto"
    silence: int = HEARD_RATE // 2
    create_response: bool = True
    interrupt_response: bool = True
    request_follows: bool = False
    """The client asks for a reply right after each of its commits (our own page does), so that
    push-to-talk may prepare one in the pauses too."""
    speculation: Literal["off", "stt", "llm", "tts"] = "tts"
    interrupt: int = HEARD_RATE * 160 // 1000
    reopen: int = HEARD_RATE * 12 // 10
    max_turn: int = HEARD_RATE * 120
    prefix: int = HEARD_RATE * 3 // 10


@dataclass(slots=True)
class _Turn:
    """The user's turn: open, or committed and waiting for its transcript."""

    number: int
    start: int
    spoke: int
    """Where the present stretch of speech began."""
    speaking: bool = True
    revision: int = 0
    end: int = 0
    transcript: str | None = None
    transcribing: bool = False
    probability: float | None = None
    scoring: bool = False
    scored: int = 0
    over_reply: bool = False
    """Every word of it so far was said over a reply that still goes on."""
    respond: bool = False
    """Once committed: a reply is to be made as soon as the transcript is there."""
    asked: bool = False
    """Once committed: that reply was asked for by the client, so it comes even to silence."""
    answered: bool = False
    used: bool = False
    """A reply to the present revision has been started, so another needs another `Rev`."""

    @property
    def rev(self) -> Rev:
        return Rev(self.number, self.revision)


@dataclass(slots=True)
class _Reply:
    rev: Rev
    held: bool
    ended: bool = False
    audible: bool = False
    until: int = 0
    """When its audio, as far as sent, will have been played."""


class Dialog:
    """The floor of one conversation: feed events in order, perform what comes back in order."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 0
        self._turns = 0
        self._floor = 0
        """Audio before this sample is spoken for (committed or cleared)."""
        self._turn: _Turn | None = None
        self._committed: _Turn | None = None
        """The newest committed turn: it may still want its transcript, or be reopened."""
        self._reply: _Reply | None = None

    # --- what others may ask

    @property
    def replying(self) -> bool:
        """A reply that was let out is still being made."""
        return self._reply is not None and not self._reply.held and not self._reply.ended

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

    def feed(self, event: Event) -> list[Action]:  # noqa: PLR0911 - the table of events
        """Take one event, return what is to be done about it, in order."""
        match event:
            case Elapsed(now, silent):
                return self._elapse(now, silent)
            case SpeechStarted(at):
                return self._start(at)
            case SpeechPaused(at):
                return self._pause(at)
            case Transcribed(rev, text):
                return self._transcribed(rev, text)
            case Scored(rev, probability):
                return self._scored(rev, probability)
            case AudioCommitted(now):
                return self._commit_by_client(now)
            case AudioCleared(now):
                return self._clear(now)
            case ResponseRequested(special):
                return self._request(special=special)
            case CancelRequested():
                return self._cancel_by_client()
            case AudioSent(rev, samples):
                return self._sent(rev, samples)
            case ReplyEnded(rev):
                return self._ended(rev)
            case Played(turn):
                return self._played(turn)

    def adopt(self, policy: Policy) -> list[Action]:
        """Change the policy; another way of detecting turns starts with a clean floor."""
        changed = policy.detection != self.policy.detection
        self.policy = policy
        return self._clear(self.now) if changed else []

    # --- speech

    def _start(self, at: int) -> list[Action]:
        turn = self._turn
        if turn is not None:
            turn.speaking = True
            turn.spoke = at
            return self._abandon(turn)
        reopened = self._reopen(at)
        if reopened:
            return reopened
        # The button says where the turn starts: quiet words before the first loud one count.
        prefix = at if self.policy.detection == "none" else self.policy.prefix
        turn = self._open(max(at - prefix, self._floor), at)
        turn.over_reply = self._reply_sounds()
        return [] if self.policy.detection == "none" else [OpenTurn(turn.number, turn.start)]

    def _open(self, start: int, at: int) -> _Turn:
        self._turns += 1
        self._turn = _Turn(self._turns, start, at)
        return self._turn

    def _reopen(self, at: int) -> list[Action]:
        turn = self._committed
        if turn is None or self.policy.detection == "none" or at - turn.end > self.policy.reopen:
            return []
        reply = self._reply
        unheard = reply is not None and reply.rev == turn.rev and not reply.audible
        waiting = turn.transcript is None and turn.respond
        if not (unheard or waiting):
            return []
        actions: list[Action] = [Reopen(turn.rev), OpenTurn(turn.number, turn.start)]
        if unheard:
            self._reply = None
        self._committed = None
        turn.speaking, turn.spoke, turn.respond, turn.answered = True, at, False, False
        turn.transcript, turn.transcribing = None, False
        self._turn = turn
        return actions

    def _abandon(self, turn: _Turn) -> list[Action]:
        reply = self._reply
        busy = turn.transcribing or turn.transcript is not None or turn.scoring
        if reply is not None and reply.held and reply.rev == turn.rev:
            self._reply = None
        turn.transcript, turn.transcribing = None, False
        turn.probability, turn.scoring = None, False
        return [Abandon(turn.rev)] if busy else []

    def _pause(self, at: int) -> list[Action]:
        turn = self._turn
        if turn is None:
            return []
        turn.speaking = False
        turn.end = at
        turn.revision += 1
        turn.used = False
        if turn.over_reply and self._reply_sounds() and self.policy.interrupt_response:
            # Too short to interrupt: whoever it was, the reply goes on and the floor is its own.
            return self._drop(turn)
        actions: list[Action] = []
        if self.policy.speculation != "off":
            actions.append(self._transcribe(turn, final=False))
        if self.policy.detection == "semantic_vad":
            actions.append(self._score(turn, at))
        return actions

    def _drop(self, turn: _Turn) -> list[Action]:
        actions = self._abandon(turn)
        self._turn = None
        self._floor = turn.end
        if self.policy.detection != "none":
            actions.append(DropTurn(turn.number, turn.end))
        return actions

    def _transcribe(self, turn: _Turn, *, final: bool) -> Action:
        turn.transcribing = True
        return Transcribe(turn.rev, turn.start, turn.end, final)

    def _score(self, turn: _Turn, now: int) -> Action:
        turn.scoring, turn.scored = True, now
        return Score(turn.rev, turn.start, now)

    # --- time

    def _elapse(self, now: int, silent: int) -> list[Action]:
        self.now = now
        turn = self._turn
        actions: list[Action] = []
        if turn is None:
            return actions
        if turn.speaking:
            actions += self._interrupt(turn, now - silent)
            if self.policy.detection != "none" and now - turn.start > self.policy.max_turn:
                turn.end = now
                turn.revision += 1
                actions += self._commit(turn, respond=self.policy.create_response)
            return actions
        if self.policy.detection == "none":
            return actions
        silence = now - turn.end
        if silence >= self._silence_wanted(turn):
            return self._commit(turn, respond=self.policy.create_response)
        semantic = self.policy.detection == "semantic_vad"
        if semantic and not turn.scoring and now - turn.scored >= RESCORE:
            actions.append(self._score(turn, now))
        return actions

    def _silence_wanted(self, turn: _Turn) -> int:
        if self.policy.detection == "server_vad":
            return self.policy.silence
        if turn.probability is None and turn.scoring and turn.transcript is None:
            return self.policy.max_turn  # nothing is known yet; the answers are on their way
        wanted = silence_wanted(turn.probability, turn.transcript, self.policy.eagerness)
        return int(wanted * HEARD_RATE)

    def _interrupt(self, turn: _Turn, voiced: int) -> list[Action]:
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
        return [Cancel(reply.rev, "turn_detected")]

    def _reply_sounds(self) -> bool:
        reply = self._reply
        if reply is None or reply.held:
            return False
        return not reply.ended or self.now < reply.until

    # --- the end of a turn

    def _commit(self, turn: _Turn, *, respond: bool) -> list[Action]:
        actions: list[Action] = [Commit(turn.rev, turn.start, turn.end)]
        self._turn = None
        self._floor = turn.end
        self._committed = turn
        turn.respond = respond
        if turn.transcript is None:
            if not turn.transcribing:
                actions.append(self._transcribe(turn, final=True))
            return actions
        return actions + self._answer(turn)

    def _commit_by_client(self, now: int) -> list[Action]:
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

    def _clear(self, now: int) -> list[Action]:
        turn = self._turn
        self._turn = None
        self._floor = now
        return self._abandon(turn) if turn is not None else []

    # --- results

    def _transcribed(self, rev: Rev, text: str) -> list[Action]:
        turn = self._turn
        if turn is not None and turn.rev == rev and turn.transcribing:
            turn.transcript, turn.transcribing = text, False
            return self._speculate(turn)
        turn = self._committed
        if turn is not None and turn.rev == rev and turn.transcribing:
            turn.transcript, turn.transcribing = text, False
            return self._answer(turn)
        return []

    def _speculate(self, turn: _Turn) -> list[Action]:
        expected = (
            self.policy.request_follows
            if self.policy.detection == "none"
            else self.policy.create_response
        )
        wanted = expected and self.policy.speculation in ("llm", "tts") and not self.replying
        if not turn.transcript or not wanted:
            return []
        turn.used = True
        return self._begin(turn.rev, held=True)

    def _begin(self, rev: Rev, *, held: bool) -> list[Action]:
        """Start a reply; one that was prepared and never wanted makes room for it."""
        actions = self._forget_held()
        self._reply = _Reply(rev, held=held)
        return [*actions, Respond(rev, held=held)]

    def _forget_held(self) -> list[Action]:
        """Abandon a reply that was prepared and turned out not to be wanted."""
        reply = self._reply
        if reply is None or not reply.held:
            return []
        self._reply = None
        return [Abandon(reply.rev)]

    def _answer(self, turn: _Turn) -> list[Action]:
        """The turn is committed and its transcript known: reply, if one is wanted."""
        reply = self._reply
        if not turn.respond:
            expected = self.policy.request_follows and reply is not None and reply.rev == turn.rev
            return [] if expected else self._forget_held()
        if reply is not None and reply.held and reply.rev == turn.rev:
            reply.held = False
            turn.respond, turn.answered = False, True
            return [Release(turn.rev)]
        if self.replying or not (turn.transcript or turn.asked):
            return []
        turn.respond, turn.answered = False, True
        rev = self._next_rev() if turn.used else turn.rev
        return self._begin(rev, held=False)

    def _next_rev(self) -> Rev:
        """For a reply that no pause of the user's began."""
        self._turns += 1
        return Rev(self._turns, 0)

    def _scored(self, rev: Rev, probability: float | None) -> list[Action]:
        turn = self._turn
        if turn is not None and turn.rev == rev and turn.scoring:
            turn.scoring = False
            turn.probability = probability
        return []

    # --- replies

    def _request(self, *, special: bool) -> list[Action]:
        if self.replying:
            return [
                Refuse(
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

    def _cancel_by_client(self) -> list[Action]:
        reply = self._reply
        if self._committed is not None and self._committed.transcribing:
            self._committed.respond = False
        if reply is None or not self.replying:
            return [Refuse("response_cancel_not_active", "there is no response to cancel")]
        self._reply = None
        return [Cancel(reply.rev, "client_cancelled")]

    def _sent(self, rev: Rev, samples: int) -> list[Action]:
        reply = self._reply
        if reply is not None and reply.rev == rev:
            reply.audible = True
            reply.until = max(reply.until, self.now) + samples
        return []

    def _ended(self, rev: Rev) -> list[Action]:
        reply = self._reply
        if reply is None or reply.rev != rev:
            return []
        reply.ended = True
        turn = self._committed
        if turn is not None and turn.respond and turn.transcript and turn.rev != rev:
            return self._answer(turn)  # it was said while the reply could not be interrupted
        return []

    def _played(self, turn: int) -> list[Action]:
        reply = self._reply
        if reply is not None and reply.rev.turn == turn and reply.ended:
            reply.until = self.now
        return []
