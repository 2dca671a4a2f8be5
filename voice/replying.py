"""The assistant's side of the floor: the reply that is made, and the one before it. Pure."""

from __future__ import annotations

from voice import events as ev
from voice.events import Rev
from voice.overlap import LATE
from voice.turn import Reply


class Replying:
    """The newest reply, until another takes its place or it is cancelled.

    One may begin while the audio of another, which is made, still plays (a tool's answer after an
    announcement): `before` is that other one.
    """

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.before: Reply | None = None
        self.queued: ev.ResponseRequested | None = None
        """What was asked for while nobody could know that a reply is being made: one that fills the
        time until then, or the rest of an earlier one."""
        self.late = False
        """A tool is slow, and nothing could be said of it yet."""

    @property
    def active(self) -> bool:
        """A reply that was let out is still being made."""
        return self.reply is not None and not self.reply.held and not self.reply.ended

    def of(self, rev: Rev) -> Reply | None:
        """The reply, if it is the one to this revision."""
        return self.reply if self.reply is not None and self.reply.rev == rev else None

    def sounding(self, now: int) -> list[Reply]:
        """What the user hears, or is going to: audio that is not over, a reply that is made."""
        before = self.before if self.before is not None and now < self.before.until else None
        reply = self.reply
        if reply is not None and (reply.held or (reply.ended and now >= reply.until)):
            reply = None
        return [one for one in (before, reply) if one is not None]

    def audible(self, now: int) -> bool:
        """Some of that has been heard."""
        return any(one.audible for one in self.sounding(now))

    def awaits(self, now: int) -> bool:
        """It is about to end in a question, so that its answer may come early."""
        reply = self.reply
        return reply is not None and reply.ended and reply.asks and reply.until - now < LATE

    def begin(self, rev: Rev, now: int, *, held: bool) -> list[ev.Action]:
        """Start a reply; one that was prepared and never wanted makes room for it."""
        actions = self.forget_held()
        self.take(Reply(rev, held=held), now)
        return [*actions, ev.Respond(rev, held=held)]

    def take(self, reply: Reply, now: int) -> None:
        """This is the newest reply."""
        self.late = False
        last = self.reply
        if last is not None and not last.held and last.ended and now < last.until:
            self.before = last
        self.reply = reply

    def forget_held(self) -> list[ev.Action]:
        """Abandon a reply that was prepared and turned out not to be wanted."""
        reply = self.reply
        if reply is None or not reply.held:
            return []
        self.reply = None
        return [ev.Abandon(reply.rev)]

    def silence(self) -> None:
        """All is cancelled."""
        self.reply = self.before = None
        self.late = False

    def sent(self, rev: Rev, samples: int, now: int) -> None:
        """A piece of it went out, to be played after all that went before."""
        if reply := self.of(rev):
            reply.audible = True
            before = self.before.until if self.before is not None else 0
            reply.until = max(reply.until, before, now) + samples

    def ended(self, rev: Rev, *, asks: bool, calls: bool) -> Reply | None:
        """All of it has been made; returns it, if it is the newest."""
        reply = self.of(rev)
        if reply is not None:
            reply.ended, reply.asks, reply.calls = True, asks, calls
        return reply

    def played(self, turn: int, until: int) -> None:
        """The client says when it will have played all of it: it may lag behind, or be ahead."""
        for one in (self.before, self.reply):
            if one is not None and one.rev.turn == turn and one.audible:
                one.until = until
