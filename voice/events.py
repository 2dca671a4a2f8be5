"""What can happen in a conversation, and what can be done about it. Pure data.

Events go into `Dialog.feed`, Actions come out and are performed by the session. Times are indices
of microphone samples at `HEARD_RATE`: the sample count is the conversation's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Rev(NamedTuple):
    """Names one attempt at answering: every effect carries it, so stale ones are recognised.

    `turn` counts what is said to the assistant (or asked of it in writing), `revision` the pauses
    within it.
    """

    turn: int
    revision: int


# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak at sample `at`, or went on after a pause."""

    at: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The user fell silent; the last voiced sample is before `at`."""

    at: int


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The microphone has delivered everything before sample `now`.

    `silent` samples at the end were without speech, though not enough of them yet for a pause.
    `level` is the loudness of the newest frame (decibels of full scale).
    """

    now: int
    silent: int = 0
    level: float = -120.0


@dataclass(frozen=True, slots=True)
class Transcribed:
    """What was said in this revision; an empty text means nothing was.

    `confidence` is the mean log-probability.
    """

    rev: Rev
    text: str
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Overheard:
    """A look at the turn while it goes on is done; it took `samples` of the clock.

    `news` says that more of it is understood than before.
    """

    rev: Rev
    samples: int
    news: bool = True


@dataclass(frozen=True, slots=True)
class Glanced:
    """What is understood so far of speech over a reply; None if that could not be found out.

    `took` is how long that lasted, in samples.
    """

    rev: Rev
    text: str | None
    confidence: float = 0.0
    took: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """The turn detector's probability that the turn is complete; None if it failed."""

    rev: Rev
    probability: float | None


@dataclass(frozen=True, slots=True)
class AudioCommitted:
    """The client declares the turn over (push-to-talk released); audio ends before `now`."""

    now: int


@dataclass(frozen=True, slots=True)
class AudioCleared:
    """The client throws away the uncommitted audio before `now`."""

    now: int


@dataclass(frozen=True, slots=True)
class ResponseRequested:
    """The client asks for a reply to the conversation as it stands.

    `special`: with parameters of its own, so one that was prepared will not do.
    """

    special: bool = False


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The client wants the reply in progress to stop; `playing`: also one that only plays on."""

    playing: bool = False


@dataclass(frozen=True, slots=True)
class AudioSent:
    """A piece of the reply, `samples` long at the microphone's rate, went out to the client."""

    rev: Rev
    samples: int


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """Everything of the reply has been generated, or it failed.

    `asks`: it ends in a question; `calls`: it has called functions of the client.
    """

    rev: Rev
    asks: bool = False
    calls: bool = False


@dataclass(frozen=True, slots=True)
class Played:
    """The client has played this turn's reply, but for the last `left` samples that were made."""

    turn: int
    left: int = 0


@dataclass(frozen=True, slots=True)
class ToolSlow:
    """A function that the assistant called has not answered for a while."""


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    """A function that the assistant called has given its output."""


Event = (
    SpeechStarted
    | SpeechPaused
    | Elapsed
    | Transcribed
    | Overheard
    | Glanced
    | Scored
    | AudioCommitted
    | AudioCleared
    | ResponseRequested
    | CancelRequested
    | AudioSent
    | ReplyEnded
    | Played
    | ToolSlow
    | ToolAnswered
)


# --- actions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Suspect:
    """Somebody speaks over a reply, from sample `at`: perhaps a turn, perhaps nothing."""

    turn: int
    at: int


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """The user has begun a turn; its speech starts at sample `at`."""

    turn: int
    at: int


@dataclass(frozen=True, slots=True)
class DropTurn:
    """The turn came to nothing: forget its audio. Its speech ended at sample `at`."""

    turn: int
    at: int


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Transcribe samples `start` to `end`; `final` says that the turn is already committed."""

    rev: Rev
    start: int
    end: int
    final: bool


@dataclass(frozen=True, slots=True)
class Overhear:
    """Have a look at what has been said from sample `start` to `end`, while the user speaks on."""

    rev: Rev
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Glance:
    """Find out what is being said over a reply, from sample `start` to `end`."""

    rev: Rev
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Score:
    """Ask the turn detector about samples `start` to `end`."""

    rev: Rev
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """The user goes on speaking: cancel this revision's work without a trace."""

    rev: Rev


@dataclass(frozen=True, slots=True)
class Commit:
    """The turn is over: it becomes a message of the conversation."""

    rev: Rev
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reopen:
    """The turn was committed too early and nothing of its reply was heard: take both back."""

    rev: Rev


@dataclass(frozen=True, slots=True)
class Respond:
    """Start the reply. While `held`, nothing of it may leave or be remembered."""

    rev: Rev
    held: bool


@dataclass(frozen=True, slots=True)
class Release:
    """The held reply is wanted: let it out."""

    rev: Rev


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a reply that was let out, wherever it is."""

    rev: Rev
    reason: Literal["turn_detected", "client_cancelled"]


@dataclass(frozen=True, slots=True)
class Resume:
    """The replies `cut` were interrupted by mistake: say the rest, from the heard word on."""

    rev: Rev
    cut: tuple[Rev, ...]


@dataclass(frozen=True, slots=True)
class Nudge:
    """The user has been silent from sample `start` to `end`: ask whether they are there."""

    rev: Rev
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Fill:
    """Say that it takes a moment."""

    rev: Rev


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the client that what it asked for is not possible now."""

    code: str
    message: str


Action = (
    Suspect
    | OpenTurn
    | DropTurn
    | Transcribe
    | Overhear
    | Glance
    | Score
    | Abandon
    | Commit
    | Reopen
    | Respond
    | Release
    | Cancel
    | Resume
    | Nudge
    | Fill
    | Refuse
)
