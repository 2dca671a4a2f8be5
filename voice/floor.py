"""The rules for taking turns, and the state of a turn and of a reply. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voice.audio import HEARD_RATE
from voice.endpointing import Eagerness
from voice.events import Rev


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
    partial: int = 0
    """Speech after which a partial transcript is made, again and again; 0 is never."""
    partial_share: float = 0.3
    """Share of the time that partial transcripts may take."""
    prefix: int = HEARD_RATE * 3 // 10


@dataclass(slots=True)
class Turn:
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
    scored: int | None = None
    """When the turn detector was last asked in this pause."""
    overhearing: bool = False
    overhear_at: int = 0
    """When the next partial transcript is due."""
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
class Reply:
    rev: Rev
    held: bool
    ended: bool = False
    audible: bool = False
    until: int = 0
    """When its audio, as far as sent, will have been played."""
