"""What the models are asked about a turn that is open, and when. Pure.

Each function looks at the turn, notes in it what is asked, and returns the actions.
"""

from __future__ import annotations

from voice import events as ev
from voice.audio import HEARD_RATE
from voice.endpointing import silence_wanted
from voice.overlap import understand
from voice.turn import Policy, Turn

RESCORE = HEARD_RATE // 5
"""While a silence lasts the turn detector is asked this often (samples)."""

LATE = HEARD_RATE * 3 // 10
"""After so much silence it is asked though there is no transcript yet."""

REST = HEARD_RATE * 10
"""Longest rest after a partial transcript: one that took minutes was held up, it did not work."""

GLANCE = HEARD_RATE * 3 // 10
"""Speech over a reply is looked at when it has lasted so long: long enough for two words (with a
first look after a fifth of a second, "I see" ended a reply),"""

AGAIN = HEARD_RATE // 10
"""and again when there is so much more at least,"""

RATHER = 8
"""or an eighth more,"""

RARELY = HEARD_RATE * 3 // 2
"""or so much however long it lasts, twice that in a noise without a reply;"""

PACE = 1.25
"""and so many times as long as the last look took, which was 0.15 to 0.66 s on two cores that were
busy speaking at the time."""

GLANCED = HEARD_RATE * 6
"""Of a sound that is no speech for longer than this, only the newest part is looked at again."""

KEPT = HEARD_RATE // 2
"""... and this much of what was looked at already: half a word may stand at its end."""


def transcribe(turn: Turn, *, final: bool) -> ev.Action:
    """Ask for the transcript of the whole turn."""
    turn.transcribing = True
    return ev.Transcribe(turn.rev, turn.start, turn.end, final)


def judge(turn: Turn, policy: Policy, now: int) -> list[ev.Action]:
    """Ask the turn detector, first about the speech as it ended, then with more silence.

    On two cores it would slow the transcript down, and is not needed before it: it is asked when
    the transcript is there, or late.
    """
    if policy.detection != "semantic_vad" or turn.scoring:
        return []
    if turn.scored is None:
        late = now - turn.end >= LATE or policy.speculation == "off"
        if turn.transcript is None and not late:
            return []
        until = turn.end
    elif now - turn.scored >= RESCORE:
        until = now
    else:
        return []
    turn.scoring, turn.scored = True, now
    return [ev.Score(turn.rev, turn.start, until)]


def overhear(turn: Turn, policy: Policy, now: int) -> list[ev.Action]:
    """Ask for a partial transcript, if one is due."""
    if not policy.partial or turn.overhearing or now < turn.overhear_at:
        return []
    turn.overhearing = True
    return [ev.Overhear(turn.rev, turn.start, now)]


def overheard(turn: Turn, policy: Policy, now: int, took: int, *, news: bool) -> None:
    """The partial transcript is there; the next one has to wait for its share of the time."""
    turn.overhearing = False
    turn.looks += 1
    if news:
        turn.words, turn.understood_at, turn.looks = True, now, 0
    rest = min(int(took * (1 / policy.partial_share - 1)), REST)
    turn.overhear_at = now + max(policy.partial, rest)


def is_noise(turn: Turn, policy: Policy, now: int) -> bool:
    """Whether the turn has gone on for long without a word that could be understood."""
    return 0 < policy.noise < now - max(turn.understood_at, turn.start) and turn.looks >= 2


def glance(turn: Turn, now: int, voiced: int) -> list[ev.Action]:
    """Ask what is being said over a reply, at first soon and then less and less often."""
    if turn.glancing or voiced < max(turn.glance_at, GLANCE):
        return []
    turn.glancing, turn.glanced_to = True, now
    if turn.in_noise:
        rest = max(4 * AGAIN, min(voiced // 2, 2 * RARELY))
    else:
        rest = max(AGAIN, min(voiced // RATHER, RARELY))
    turn.glance_from, turn.glance_at = voiced, voiced + rest
    return [ev.Glance(turn.rev, turn.start, now)]


def glanced(turn: Turn, seen: ev.Glanced) -> None:
    """The answer is there."""
    turn.glancing = False
    turn.glance_at = max(turn.glance_at, turn.glance_from + int(PACE * seen.took))
    if seen.text is None:
        return
    turn.glanced, turn.confidence = seen.text, seen.confidence
    nothing = understand(seen.text, seen.confidence)[0] == "nothing"
    if nothing and turn.glanced_to - turn.start > GLANCED:
        turn.start = turn.glanced_to - KEPT


def silence_needed(turn: Turn, policy: Policy) -> int:
    """Samples of silence after which the turn is over, as far as is known by now."""
    if policy.detection == "server_vad":
        return policy.silence
    asked = turn.scoring or turn.scored is None
    if turn.probability is None and asked and turn.transcript is None:
        return policy.max_turn  # nothing is known yet; the answers are on their way
    return int(silence_wanted(turn.probability, turn.transcript, policy.eagerness) * HEARD_RATE)


def scored(turn: Turn, probability: float | None) -> None:
    """The turn detector has answered.

    The longer a silence lasts the surer it gets, whether or not the speaker goes on
    (`bench/turns.py`): its lowest answer says most.
    """
    turn.scoring = False
    known = [p for p in (turn.probability, probability) if p is not None]
    turn.probability = min(known, default=None)
