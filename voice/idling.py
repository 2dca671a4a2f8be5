"""Silence: a question into a long one, a word of excuse while a tool works. Pure."""

from __future__ import annotations

from voice import events as ev
from voice.floor import Floor
from voice.turn import Reply


def fill(floor: Floor) -> list[ev.Action]:
    """Say that a tool is slow, unless somebody speaks or is about to."""
    prepared = floor.own.reply is not None and floor.own.reply.held
    busy = floor.turn is not None or floor.own.active or floor.transcribing or prepared
    if busy or not floor.own.late:
        return []
    rev = floor.next_rev()
    floor.own.take(Reply(rev, held=False, fills=True), floor.now)
    return [ev.Fill(rev)]


def nudge(floor: Floor) -> list[ev.Action]:
    """Nobody speaks. After a while, ask the user whether they are there."""
    policy, reply, now = floor.policy, floor.own.reply, floor.now
    if (
        not policy.idle
        or not policy.create_response
        or floor.nudges >= policy.nudges
        or reply is None
        or reply.held
        or not (reply.ended and reply.audible)
        or reply.calls
        or now < reply.until + policy.idle
        or floor.transcribing
    ):
        return []
    floor.nudges += 1
    start, floor.spoken_for = max(reply.until, floor.spoken_for), now
    rev = floor.next_rev()
    floor.own.take(Reply(rev, held=False), now)
    return [ev.Nudge(rev, start, now)]
