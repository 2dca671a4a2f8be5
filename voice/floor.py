"""The floor of one conversation: whose turn it is, what is open, what came last. Pure state.

`voice.dialog` and `voice.overlapping` are the rules.
"""

from __future__ import annotations

from voice import events as ev
from voice.audio import HEARD_RATE
from voice.events import Rev
from voice.replying import Replying
from voice.turn import Level, Policy, Turn

PAST = HEARD_RATE * 7
"""Sound from before a turn that is kept at hand; no longer prefix can be asked for."""


PIECES = HEARD_RATE * 8 // 10
"""What is let pass over a reply without being understood goes on if it does so this soon (samples);
"""

PIECED = HEARD_RATE * 4
"""... and so much of it is heard together."""


class Floor:
    """State that the rules share, and the few changes of it that several of them make."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 0
        self.spoken_for = 0
        """Audio before this sample belongs to a turn that is over, or was cleared."""
        self.turn: Turn | None = None
        self.let_pass = (0, 0)
        """Where sound over a reply that was not understood began, and where it ended."""
        self.committed: Turn | None = None
        """The newest committed turn: it may still want its transcript, or be reopened."""
        self.own = Replying()
        self.unanswered = False
        """The reply to a turn was left to the next one, which the user had begun already."""
        self.nudges = 0
        """How often in a row the user was asked whether they are there."""
        self.usual = Level()
        """How loud the user speaks when no reply sounds."""
        self._numbers = 0

    @property
    def expects_reply(self) -> bool:
        """The language model may prepare for a reply to what is being said."""
        ptt = self.policy.detection == "none"
        follows = self.policy.request_follows if ptt else self.policy.create_response
        return follows and self.policy.speculation in ("llm", "tts") and not self.own.active

    @property
    def transcribing(self) -> bool:
        """The newest committed turn has no transcript yet."""
        return self.committed is not None and self.committed.transcribing

    @property
    def wanted(self) -> int:
        """Audio before this sample will not be asked for again."""
        turn, past = self.turn, self.committed
        if past is not None and (past.transcribing or self.now - past.end <= self.policy.reopen):
            return past.start
        if self.policy.detection == "none":
            return self.spoken_for
        if turn is not None:
            return turn.start
        return min(max(self.spoken_for, self.now - PAST), self.began(self.now))

    def next_rev(self) -> Rev:
        """For a reply that no pause of the user's began."""
        self._numbers += 1
        return Rev(self._numbers, 0)

    def open(self, start: int, at: int) -> Turn:
        """A new turn, whose sound begins at `start` and whose speech at `at`."""
        self._numbers += 1
        due = at + self.policy.partial
        self.turn = Turn(self._numbers, start, at, overhear_at=due, understood_at=at)
        return self.turn

    def hear(self, turn: Turn, level: float) -> None:
        """A frame of speech of this loudness."""
        turn.level = turn.level.heard(level)
        if not turn.weighed:
            self.usual = self.usual.heard(level, memory=3000)

    def abandon(self, turn: Turn) -> list[ev.Action]:
        """What was prepared for the turn's present revision is of no use any more."""
        reply = self.own.of(turn.rev)
        busy = turn.transcribing or turn.transcript is not None or turn.scoring
        if reply is not None and reply.held:
            self.own.reply = None
        turn.transcript, turn.transcribing = None, False
        turn.probability, turn.scoring = None, False
        return [ev.Abandon(turn.rev)] if busy else []

    def drop(self, turn: Turn, *, unknown: bool = False) -> list[ev.Action]:
        """The open turn was nothing; whoever it was, the floor is the assistant's.

        `unknown`: what it was could not be understood, so that it may be a piece of something.
        """
        actions = self.abandon(turn)
        self.turn = None
        self.spoken_for = max(turn.end, turn.start)
        self.let_pass = (turn.start, self.spoken_for) if unknown else (0, 0)
        actions.append(ev.DropTurn(turn.number, self.spoken_for))
        if self.unanswered and not self.own.active:
            self.unanswered = False
            actions += self.own.begin(self.next_rev(), self.now, held=False)
        return actions

    def began(self, at: int) -> int:
        """Where what is said over a reply at sample `at` began: a voice that is half hidden by an
        echo comes in pieces, none of which is understood alone.
        """
        start, end = self.let_pass
        goes_on = end == self.spoken_for and at - end <= PIECES and at - start <= PIECED
        return start if goes_on else at

    def clear(self, now: int) -> list[ev.Action]:
        """The client throws away what was said since the last turn."""
        turn, actions = self.turn, []
        if turn is not None:
            actions = self.drop(turn) if turn.weighed else self.abandon(turn)
        self.turn = None
        self.spoken_for = now
        return actions
