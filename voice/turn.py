"""The rules for taking turns, and the state of a turn and of a reply. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voice.audio import HEARD_RATE
from voice.endpointing import Eagerness
from voice.events import Rev
from voice.overlap import Sensitivity


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
    """Speech over a reply that is shorter than this is not even looked at."""
    speaking: Sensitivity = "medium"
    """How easily a reply is interrupted that can be heard already."""
    thinking: Sensitivity = "high"
    """... and one that cannot be heard yet."""
    reopen: int = HEARD_RATE * 12 // 10
    max_turn: int = HEARD_RATE * 120
    partial: int = 0
    """Speech after which a partial transcript is made, again and again; 0 is never."""
    partial_share: float = 0.3
    """Share of the time that partial transcripts may take."""
    prefix: int = HEARD_RATE * 3 // 10
    noise: int = HEARD_RATE * 10
    """A turn in which nothing new was understood for so long is noise, and over; 0 is never."""
    idle: int = 0
    """The user is asked whether they are there after so long a silence; 0 is never."""
    nudges: int = 1
    """... so many times in a row."""


@dataclass(frozen=True, slots=True)
class Level:
    """Mean loudness of speech, in decibels, over `frames` frames."""

    mean: float = 0.0
    frames: int = 0

    def heard(self, decibels: float, memory: int = 200) -> Level:
        """With one frame more; those beyond `memory` frames ago count less and less."""
        frames = min(self.frames + 1, memory)
        return Level(self.mean + (decibels - self.mean) / frames, frames)


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
    confidence: float = 0.0
    """Mean log-probability of what was understood last, glances included."""
    transcribing: bool = False
    probability: float | None = None
    scoring: bool = False
    scored: int | None = None
    """When the turn detector was last asked in this pause."""
    overhearing: bool = False
    overhear_at: int = 0
    """When the next partial transcript is due."""
    understood_at: int = 0
    """When a partial transcript last had new words, or the turn began."""
    looks: int = 0
    """Partial transcripts since then."""
    weighed: bool = False
    """It is open whether it is a turn at all: it is said over a reply, or in noise."""
    cuts: bool = False
    """It has interrupted a reply."""
    cut: tuple[Rev, ...] = ()
    """What it has interrupted, as long as that may turn out to have been a mistake."""
    words: bool = False
    """Something of it was understood."""
    in_noise: bool = False
    """It was opened in the middle of a noise: that there is sound means nothing."""
    voiced: int = 0
    """Samples of its stretches of speech, without the present one."""
    level: Level = Level()
    glanced: str | None = None
    """What was understood of it when it was last looked at over a reply."""
    glancing: bool = False
    glanced_to: int = 0
    """Where the sound ends that was looked at last."""
    glance_from: int = 0
    """How much of it had sounded then,"""
    glance_at: int = 0
    """and how much will have when it is due again."""
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
    asks: bool = False
    """It ends in a question."""
    calls: bool = False
    """It has called functions: it is them that are waited for."""
    fills: bool = False
    """It only fills the time until a tool answers."""
    resumes: bool = False
    """It is the rest of one that was interrupted by mistake."""
