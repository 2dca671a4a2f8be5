"""Speech over a reply, and sound that may be none: weighed until it is a turn, or nothing. Pure."""

from __future__ import annotations

from voice import asking
from voice import events as ev
from voice.floor import Floor
from voice.overlap import Overlap, understand, weigh
from voice.turn import Reply, Turn

USUAL = 60
"""Frames of speech after which it is known how loud a user usually is."""


def listen(floor: Floor, turn: Turn, voiced: int) -> list[ev.Action]:
    """More of it has sounded, `voiced` samples by now."""
    if voiced < floor.policy.interrupt:
        return []
    actions = decide(floor, turn, voiced, over=False)
    return actions or asking.glance(turn, floor.now, voiced)


def glanced(floor: Floor, turn: Turn, seen: ev.Glanced) -> list[ev.Action]:
    """It is known what was said so far."""
    if not turn.weighed:
        return []
    asking.glanced(turn, seen)
    sounding = floor.now - turn.spoke if turn.speaking else 0
    return decide(floor, turn, turn.voiced + sounding, over=False)


def decide(floor: Floor, turn: Turn, voiced: int, *, over: bool) -> list[ev.Action]:
    """Interrupt the reply or let the speech pass, if it is time to."""
    if turn.in_noise and not over and turn.glanced is None:
        return []  # its length says nothing
    known = min(floor.usual.frames, turn.level.frames * USUAL) >= USUAL
    overlap = Overlap(
        voiced=voiced,
        over=over,
        text=turn.transcript if over else turn.glanced,
        confidence=turn.confidence,
        level=turn.level.mean - floor.usual.mean if known else 0.0,
        awaited=floor.own.awaits(floor.now),
    )
    thinks = floor.own.sounding(floor.now) and not floor.own.audible(floor.now)
    sensitivity = floor.policy.thinking if thinks else floor.policy.speaking
    verdict = weigh(overlap, "medium" if turn.in_noise else sensitivity)
    if verdict == "dismiss":
        unknown = understand(overlap.text or "", overlap.confidence)[0] == "nothing"
        return floor.drop(turn, unknown=unknown)
    return interrupt(floor, turn, hasty=not over) if verdict == "interrupt" else []


def interrupt(floor: Floor, turn: Turn, *, hasty: bool) -> list[ev.Action]:
    """It is a turn of the user's; `hasty`: that may yet turn out to be a mistake."""
    turn.weighed = False
    turn.understood_at = floor.now
    actions: list[ev.Action] = [ev.OpenTurn(turn.number, turn.start)]
    sounding = floor.own.sounding(floor.now)
    if sounding:
        awaited = floor.own.awaits(floor.now)
        turn.cuts = not awaited
        # What only filled the time need not be taken up again.
        rest = tuple(reply.rev for reply in sounding if not reply.fills)
        turn.cut = rest if hasty and not awaited else ()
        floor.own.silence()
        actions += [ev.Cancel(reply.rev, "turn_detected") for reply in sounding]
    return actions


def repent(floor: Floor, turn: Turn, *, final: bool) -> list[ev.Action]:
    """If what has interrupted a reply was nothing, let the reply go on.

    A hesitation is given time, until it is `final`: something may follow.
    """
    if not turn.cut or turn.transcript is None:
        return []
    kind, _ = understand(turn.transcript, turn.confidence)
    if kind in ("speech", "stop") or floor.own.active:
        turn.cut = ()
    if not turn.cut or (kind == "hesitation" and not final):
        return []
    cut, turn.cut = turn.cut, ()
    actions = floor.drop(turn) if floor.turn is turn else floor.own.forget_held()
    if floor.own.active:
        return actions  # something else was to be answered
    rev = floor.next_rev()
    floor.own.take(Reply(rev, held=False, resumes=True), floor.now)
    return [*actions, ev.Resume(rev, cut)]
