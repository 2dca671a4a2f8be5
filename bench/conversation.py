"""Holding the floor on real sound: what ends a reply, what does not, what is kept of it.

    VIVAVOCE_SPEECH_DIR=... python -m bench.conversation [--only GROUP ...] [--quick]

A server of our own (recognition, turn detection and synthesis are real; the language model says
known texts) is talked to by a client in a virtual room: a loudspeaker that plays in real time with
a jitter buffer and softly while someone may be speaking, a microphone with room tone, and where a
scenario wants it the way from one to the other. Prints a table a group and the summary, and
writes everything to data/bench/conversation.json. Without recordings only spoken and made sounds
are played.

Groups:
  backchannels   "mm-hm", "right", coughs, doors: must not end the reply
  interruptions  "stop", "what about tomorrow?", recorded commands: must end it, how fast
  draining       the same when all of the reply has been sent and still plays
  plain          both, for a client of OpenAI's protocol without our extensions
  echo           the reply's own echo must not end it, words through the echo must
  phantoms       noise while nobody speaks: no message
  clipped        questions one after the other: first and last words
  pauses         a turn ends in noise, and not in the middle of a phone number
  push_to_talk   nothing but the button ends the turn
  typed          typed words stop the reply
  reading        Markdown and prices are read as text
  tools          something is said while a tool works
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soxr
from websockets.exceptions import WebSocketException

from bench.conversing import over_replies, taking_turns
from bench.conversing.call import room_tone
from bench.conversing.cues import Cue, prepare_cues
from bench.conversing.replies import NOT_READ, READ, scripted
from bench.conversing.report import tables
from bench.conversing.scoring import read_well
from bench.conversing.stage import Stage, count
from bench.report import machine
from bench.serving import ROOT, serving
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm
from voice.engines import EngineOptions, Stt, load_engine
from voice.settings import read_settings

OUT = ROOT / "data" / "bench" / "conversation.json"
GROUPS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "backchannels": over_replies.backchannels,
    "interruptions": over_replies.interruptions,
    "draining": over_replies.draining,
    "plain": over_replies.plain,
    "echo": over_replies.echo,
    "phantoms": taking_turns.phantoms,
    "clipped": taking_turns.clipped,
    "pauses": taking_turns.pauses,
    "push_to_talk": taking_turns.push_to_talk,
    "typed": taking_turns.typed,
    "reading": taking_turns.reading,
    "tools": taking_turns.tools,
}


def main() -> None:
    """Play, print, write."""
    told, _, groups = (__doc__ or "").partition("Groups:")
    parser = argparse.ArgumentParser(
        description=told.splitlines()[0],
        epilog=f"groups:{groups}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="GROUP", default=list(GROUPS))
    parser.add_argument("--quick", action="store_true", help="two cues of each kind")
    parser.add_argument("--json", type=Path, default=OUT, help="where the figures go")
    options = parser.parse_args()
    weights = read_settings().weights.resolve()
    cues = prepare_cues(weights, OUT.with_name("cues"), quick=options.quick)
    began, load = time.perf_counter(), os.getloadavg()
    with (
        scripted() as script,
        serving(
            VIVAVOCE_LLM_PROVIDER="openai-compatible",
            VIVAVOCE_LLM_BASE_URL=script.url,
            VIVAVOCE_LLM_MODEL="script",
        ) as server,
    ):
        stage = Stage(server, script, cues, room_tone(5.0))
        for group in options.only:
            started = time.perf_counter()
            try:
                asyncio.run(count(stage, group, GROUPS[group]))
            except* (RuntimeError, OSError, WebSocketException) as broken:
                # What was found until then, and in the other groups, still counts.
                stage.found.errors += [f"{group} broke off: {e!r}" for e in leaves(broken)]
            print(f"{group}: {time.perf_counter() - started:.0f} s", flush=True)
    transcribe(stage, weights)
    took = time.perf_counter() - began
    kind = "recorded and spoken cues" if cues.recorded else "spoken cues only"
    print(f"\n{machine()}; load {load[0]:.1f} before; {kind}; {took:.0f} s\n")
    print(tables(stage.found))
    about = {"machine": machine(), "load": load, "recorded": cues.recorded, "seconds": took}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(about | asdict(stage.found), indent=1, ensure_ascii=False))


def leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """The exceptions in a group, however deep."""
    found: list[Exception] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def transcribe(stage: Stage, weights: Path) -> None:
    """Have the recogniser say what was played, and each question on its own (blocking)."""
    if not (stage.sounds or stage.readings or stage.found.asked):
        return
    settings = read_settings().stt
    stt: Stt = load_engine(
        "stt", settings.engine, EngineOptions(weights, "cpu", settings.threads, settings.model)
    )

    def understand(pcm: Pcm) -> str:
        quiet = np.pad(pcm, (SPOKEN_RATE // 5, SPOKEN_RATE // 5))
        heard = soxr.resample(quiet, SPOKEN_RATE, HEARD_RATE).astype(np.float32)
        return asyncio.run(stt.transcribe(heard, language="en")).text

    for probe, pcm in stage.sounds:
        # The longest that is understood at once; what is to be compared is the end.
        probe.played = understand(pcm) if len(pcm) < 25 * SPOKEN_RATE else None
    for check, pcm in stage.readings:
        check.value = understand(pcm)
        check.passed = read_well(check.value, READ, NOT_READ)
    known: dict[str, Cue] = {
        cue.text: cue for cue in [*stage.cues.questions, *stage.cues.interruptions] if cue.text
    }
    for asked in stage.found.asked:
        asked.alone = [understand(known[text].pcm) for text in asked.texts]


if __name__ == "__main__":
    main()
