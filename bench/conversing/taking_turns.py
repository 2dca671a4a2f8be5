"""Scenarios about what is understood, and who has the floor."""

from __future__ import annotations

import numpy as np

from bench.conversing.call import Call
from bench.conversing.replies import BRIEF, LONG, MARKDOWN
from bench.conversing.scoring import Asked, Probe, digits
from bench.conversing.stage import (
    PATIENCE,
    Stage,
    check,
    newly,
    note_prefix,
    reply_sounding,
    weighed,
)
from voice.audio import SPOKEN_RATE as RATE

SERVER_DECIDES = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.committed",
    "response.created",
)


async def phantoms(stage: Stage) -> None:
    """Noise while nobody speaks: no message may come of it."""
    stage.script.say(BRIEF)
    async with stage.call() as call:
        await call.rest(2.0)
        for cue in stage.cues.noises:
            before, at = set(call.said), call.hear(cue.name, cue.pcm)
            await call.rest(cue.seconds + 0.8)
            await call.until(lambda at=at: not weighed(call, at), 3.0)  # type: ignore[misc]
            await call.until(lambda b=before: all(s.transcript for s in newly(call, b)), 3.0)  # type: ignore[misc]
            found = newly(call, before)
            stage.found.phantoms += [(said.transcript or "", cue.name) for said in found]
            stage.found.noise_seconds += cue.seconds
            if call.active or call.speaker.sounding:
                await call.interrupt()
        stage.take_note(call, "phantoms")


async def clipped(stage: Stage) -> None:
    """Questions in a row: the first half waits for the answers, the others wait for nothing."""
    stage.script.say(BRIEF)
    half = len(stage.cues.questions) // 2
    async with stage.call() as call:
        for cue in stage.cues.questions[:half]:
            before = set(call.said)
            call.hear(cue.name, cue.pcm)
            await call.rest(cue.seconds)
            answered = lambda: call.speaker.audible  # noqa: E731
            await call.until(answered, 6.0)
            await call.until(lambda: not call.speaker.sounding, 6.0)
            await call.rest(0.3)
            stage.found.asked.append(_asked(call, before, "clipped", cue.name, [cue.text or ""]))
        before = set(call.said)
        for cue in stage.cues.questions[half:]:
            call.hear(cue.name, cue.pcm)
            await call.rest(cue.seconds + 0.7)
        await _understood(call, before)
        texts = [cue.text or "" for cue in stage.cues.questions[half:]]
        stage.found.asked.append(_asked(call, before, "clipped", "in a row", texts))
        stage.take_note(call, "clipped")


async def push_to_talk(stage: Stage) -> None:
    """While the button is held neither noise nor silence ends the turn, and afterwards no sound
    ends the reply.
    """
    stage.script.say(LONG)
    noise, (one, other) = stage.cues.noises[-1], stage.cues.questions[:2]
    async with stage.call(turn_detection=None) as call:
        await call.send("input_audio_buffer.clear")
        pressed = call.now
        for cue, silence in ((noise, 0.3), (one, 2.5), (other, 0.5), (noise, 1.0)):
            call.hear(cue.name, cue.pcm)
            await call.rest(cue.seconds + silence)
        decided = [kind for at, kind in call.log if at > pressed and kind in SERVER_DECIDES]
        check(stage, "push_to_talk", "held: nothing ends the turn", not decided, ", ".join(decided))
        before = set(call.said)
        await call.send("input_audio_buffer.commit")
        await call.send("response.create")
        answered = await call.until(lambda: call.speaker.audible, 8.0)
        check(stage, "push_to_talk", "released: answered", answered)
        texts = [one.text or "", other.text or ""]
        stage.found.asked.append(_asked(call, before, "push_to_talk", "held", texts))
        reply = await reply_sounding(call, seconds=1.0)
        for cue in (stage.cues.interruptions[0], noise):
            call.hear(cue.name, cue.pcm)
            await call.rest(cue.seconds + 1.0)
        check(stage, "push_to_talk", "released: no sound ends the reply", reply.stopped is None)
        stage.take_note(call, "push_to_talk")


async def typed(stage: Stage) -> None:
    """Typed words over a reply: it stops, and what was typed is answered."""
    stage.script.say(LONG)
    async with stage.call() as call:
        for number in range(2):
            reply = await reply_sounding(call, seconds=2.0)
            at = call.now
            await call.type("And how does it end?")
            check(
                stage,
                "typed",
                "stops",
                reply.stopped is not None,
                f"{reply.stale / RATE:.2f} s stale",
            )
            made = Probe("typed", f"typed {number + 1}", "typed", ended=True)
            await note_prefix(stage, call, reply, made)
            stage.found.probes.append(made)
            check(stage, "typed", "cancelled", reply.status == "cancelled", str(reply.status))
            answered = await call.until(lambda: call.speaker.audible, 8.0)
            check(stage, "typed", "answered", answered, f"{(call.now - at) / RATE:.2f} s")
        stage.take_note(call, "typed")


async def pauses(stage: Stage) -> None:
    """A turn ends in noise that goes on, and does not in a phone number."""
    stage.script.say(BRIEF)
    async with stage.call() as call:
        quiet = stage.cues.noises[-1].pcm * 0.4
        for start in range(0, 12 * RATE, len(quiet)):
            call.microphone.place(quiet, after=start)
        await call.rest(1.0)
        question = stage.cues.questions[0]
        over = call.hear(question.name, question.pcm) + question.end
        await call.rest(question.seconds)
        ended = await call.until(lambda: call.since(over, "input_audio_buffer.committed"), 6.0)
        check(stage, "pauses", "a turn ends in noise", ended, f"{(call.now - over) / RATE:.2f} s")
        stage.take_note(call, "pauses")
    async with stage.call() as call:
        before = set(call.said)
        for cue, silence in zip(stage.cues.number, (1.0, 0.0), strict=True):
            call.hear(cue.name, cue.pcm)
            await call.rest(cue.seconds + silence)
        heard = [reply for reply in call.replies.values() if reply.begun is not None]
        check(stage, "pauses", "a phone number is not cut", not heard, f"{len(heard)} replies")
        await _understood(call, before)
        said = " | ".join(said.transcript or "" for said in newly(call, before))
        check(stage, "pauses", "all digits are understood", digits(said) == "5551234", said)
        stage.take_note(call, "pauses")


async def tools(stage: Stage) -> None:
    """A tool that takes five seconds: no long silence meanwhile, and then the answer."""
    stage.script.say(BRIEF)
    tool = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
    async with stage.call(tools=[tool]) as call:
        question = stage.cues.questions[0]
        over = call.hear(question.name, question.pcm) + question.end
        await call.until(lambda: call.tools, 10.0)
        spoken = await call.until(lambda: call.speaker.audible, 5.0)
        silence = f"{(call.now - over) / RATE:.1f} s after the question"
        check(stage, "tools", "something is said while a tool works", spoken, silence)
        await call.until(lambda: call.now > over + 6 * RATE, 5.0)
        for call_id in call.tools:
            output = {"type": "function_call_output", "call_id": call_id, "output": "Yes."}
            await call.send("conversation.item.create", item=output)
        asked = call.now
        await call.send("response.create")

        def answers() -> bool:
            reply = call.reply
            return reply is not None and call.speaker.audible and "Yes" in reply.text

        answered = await call.until(answers, 8.0)
        took = f"{(call.now - asked) / RATE:.1f} s after its result"
        check(stage, "tools", "then it is answered", answered, took)
        stage.take_note(call, "tools")


async def reading(stage: Stage) -> None:
    """Markdown and prices, read aloud."""
    stage.script.say(MARKDOWN)
    async with stage.call() as call:
        await call.type("What is the plan?")
        await call.until(lambda: call.speaker.audible, PATIENCE)
        await call.until(lambda: not call.active and not call.speaker.sounding, 30.0)
        sound = [piece for pieces in call.speaker.heard.values() for piece in pieces]
        made = check(stage, "reading", "Markdown is read as text", bool(sound))
        stage.readings.append((made, np.concatenate([np.zeros(0, np.float32), *sound])))
        stage.take_note(call, "reading")


async def _understood(call: Call, before: set[str]) -> None:
    """Wait until all that was said has been understood, and answered."""
    await call.until(lambda: newly(call, before), 4.0)
    await call.until(lambda: call.speaker.audible, 5.0)
    await call.until(lambda: all(said.transcript for said in newly(call, before)), 3.0)


def _asked(call: Call, before: set[str], group: str, name: str, texts: list[str]) -> Asked:
    transcripts = [said.transcript or "" for said in newly(call, before)]
    return Asked(group, name, texts, transcripts)
