"""The assistant's side of the floor: at most one reply, held back or let out. Pure."""

from __future__ import annotations

from voice import events as ev
from voice.events import Rev
from voice.overlap import LATE
from voice.turn import Reply


class Replying:
    """The newest reply, from its beginning until another takes its place or it is cancelled."""

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.queued: ev.ResponseRequested | None = None
        """What was asked for while a reply only filled the time until then."""

    @property
    def active(self) -> bool:
        """A reply that was let out is still being made."""
        return self.reply is not None and not self.reply.held and not self.reply.ended

    def of(self, rev: Rev) -> Reply | None:
        """The reply, if it is the one to this revision."""
        return self.reply if self.reply is not None and self.reply.rev == rev else None

    def sounds(self, now: int) -> bool:
        """The user hears it, or is going to: it is being made, or its audio is not over yet."""
        reply = self.reply
        if reply is None or reply.held:
            return False
        return not reply.ended or now < reply.until

    @property
    def audible(self) -> bool:
        """Some of it has been heard."""
        return self.reply is not None and self.reply.audible

    def awaits(self, now: int) -> bool:
        """It is about to end in a question, so that its answer may come early."""
        reply = self.reply
        return reply is not None and reply.ended and reply.asks and reply.until - now < LATE

    def begin(self, rev: Rev, *, held: bool) -> list[ev.Action]:
        """Start a reply; one that was prepared and never wanted makes room for it."""
        actions = self.forget_held()
        self.reply = Reply(rev, held=held)
        return [*actions, ev.Respond(rev, held=held)]

    def forget_held(self) -> list[ev.Action]:
        """Abandon a reply that was prepared and turned out not to be wanted."""
        reply = self.reply
        if reply is None or not reply.held:
            return []
        self.reply = None
        return [ev.Abandon(reply.rev)]

    def silence(self) -> None:
        """It is cancelled, with what was to follow it."""
        self.reply = self.queued = None

    def sent(self, rev: Rev, samples: int, now: int) -> None:
        """A piece of it went out."""
        if reply := self.of(rev):
            reply.audible = True
            reply.until = max(reply.until, now) + samples

    def ended(self, rev: Rev, *, asks: bool) -> Reply | None:
        """All of it has been made; returns it, if it is the newest."""
        reply = self.of(rev)
        if reply is not None:
            reply.ended, reply.asks = True, asks
        return reply

    def played(self, turn: int, until: int) -> None:
        """The client says when it will have played all of it: it may lag behind, or be ahead."""
        reply = self.reply
        if reply is not None and reply.rev.turn == turn and reply.audible:
            reply.until = until
