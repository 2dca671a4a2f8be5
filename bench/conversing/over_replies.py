"""Scenarios with a sound over a reply: it must not end it, or must."""

from __future__ import annotations

from bench.conversing.replies import LONG, SHORT
from bench.conversing.sound import EchoPath
from bench.conversing.stage import (
    PATIENCE,
    Stage,
    check,
    newly,
    probe,
    probe_next,
    reply_sounding,
)
from voice.audio import SPOKEN_RATE as RATE

ECHOES = ((-6.0, 0.04), (-15.0, 0.12), (-25.0, 0.04))
"""Gain (dB) and delay (s) of the way from the loudspeaker to the microphone."""


async def backchannels(stage: Stage) -> None:
    """Sounds that must not end a reply: of a listener, of a room."""
    stage.script.say(LONG)
    async with stage.call() as call:
        for cue in [*stage.cues.backchannels, *stage.cues.noises]:
            await probe_next(stage, call, "backchannels", cue, seconds=1.0)
            await call.rest(0.4)
        stage.take_note(call, "backchannels")


async def interruptions(stage: Stage) -> None:
    """Words that must end it; the answer to them is the next reply to be interrupted."""
    stage.script.say(LONG)
    async with stage.call() as call:
        for cue in stage.cues.interruptions:
            await probe_next(stage, call, "interruptions", cue, seconds=2.0)
        stage.take_note(call, "interruptions")


async def draining(stage: Stage) -> None:
    """An interruption when all of the reply has been made and sent, and still plays.

    So that this does not depend on the speed of the machine, this client plays a reply only when
    all of it is there.
    """
    stage.script.say(SHORT, pace=0.01)
    async with stage.call(jitter=60 * RATE) as call:
        for cue in stage.cues.interruptions[:2]:
            await call.type("What do you like best?")
            await call.until(lambda: call.speaker.audible and not call.active, 2 * PATIENCE)
            await call.rest(1.0)
            if (reply := call.reply) is None:
                stage.found.errors.append("draining: no reply was heard")
            elif await probe(stage, call, reply, "draining", cue) is None:
                stage.found.errors.append(f"draining: it was over before {cue.name} was judged")
            await call.interrupt()
        stage.take_note(call, "draining")


async def plain(stage: Stage) -> None:
    """The same for a client that knows OpenAI's protocol only, and reports no position."""
    stage.script.say(LONG)
    cues = stage.cues
    sounds = [*cues.backchannels[:3], *cues.noises[:1], *cues.interruptions[::3][:4]]
    async with stage.call(plain=True) as call:
        for cue in sounds:
            await probe_next(stage, call, "plain", cue, seconds=2.0)
            await call.rest(0.4)
        stage.take_note(call, "plain")


async def echo(stage: Stage) -> None:
    """The reply's own echo must not end it; words through the echo must."""
    stage.script.say(LONG)
    conditions = [(room, *how) for room in stage.cues.responses for how in ECHOES]
    # Every way in the first room; of the other rooms the middle one.
    chosen = [*conditions[:3], *conditions[4::3]]
    for number, (room, level, delay) in enumerate(chosen):
        path = EchoPath(stage.cues.responses[room], level=level, delay=int(delay * RATE))
        name = f"{room}, {level:.0f} dB, {delay * 1000:.0f} ms"
        async with stage.call(echo=path) as call:
            await reply_sounding(call, seconds=0.0)
            await call.rest(8.0)
            ended = sum(reply.stopped is not None for reply in call.replies.values())
            messages = [said.transcript or "" for said in newly(call, set())]
            stage.found.echo_seconds += 8.0
            stage.found.echo_ends += ended
            told = f"{len(messages)} messages {' | '.join(messages)[:60]}"
            value = f"soft for {call.ducked / RATE:.1f} s, {ended} ended, {told}"
            check(stage, "echo", name, not ended and not messages, value)
            cue = stage.cues.interruptions[(2 + number) % len(stage.cues.interruptions)]
            made = await probe_next(stage, call, "echo", cue, seconds=0.0)
            if made is not None:
                made.name = f"{cue.name}; {name}"
            stage.take_note(call, "echo")
