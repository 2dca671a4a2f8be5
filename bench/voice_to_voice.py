"""Voice to voice beside other frameworks: the same clips, weights and threads, in turn.

    make bench-peers
    VIVAVOCE_SPEECH_DIR=... python -m bench.voice_to_voice [--clips 8] [--rounds 3]

Speaks each clip in real time, 20 ms frames and then silence, to one side after the other, and
measures from the last voiced sample to the first one of the answer with |x| > 0.005. Prints medians
and percentiles and writes them to data/bench/; `--publish` also renews docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers.clips import Question, prepare_questions
from bench.peers.environments import ROOT
from bench.peers.report import Asked, plot, published, report, tables
from bench.peers.service import Heard, Options
from bench.peers.sides import Side, language_model, own, peer
from bench.peers.weights import write_voices
from bench.report import machine
from chat.prompts import INSTRUCTIONS
from voice.errors import VoiceError
from voice.settings import read_settings

OUT = ROOT / "data" / "bench"
PAGE = ROOT / "docs" / "benchmarks.md"
SIDES: dict[str, Callable[[Options], AbstractContextManager[Side]]] = {
    "vivavoce": lambda options: own("Vivavoce", options, over_http=False),
    "vivavoce-http": lambda options: own("Vivavoce, LLM by HTTP", options, over_http=True),
    "pipecat": lambda options: peer("Pipecat", "pipecat", options, OUT / "pipecat.log"),
    "livekit": lambda options: peer("LiveKit Agents", "livekit", options, OUT / "livekit.log"),
}
"""All sides; the first one chosen is what the others are compared to."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clips", type=int, default=8, help="how many clips")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is asked")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds of rest after an answer")
    parser.add_argument("--threads", type=int, default=2, help="for recognition and synthesis")
    parser.add_argument("--llm-threads", type=int, default=1, help="for the language model")
    parser.add_argument("--max-tokens", type=int, default=60, help="longest reply")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--publish", action="store_true", help="renew docs/benchmarks.md")
    chosen = parser.parse_args()
    weights = read_settings().weights.resolve()
    OUT.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        kind, clips = prepare_questions(weights, chosen.clips, folder)
        write_voices(weights, folder / "voices.npz")
        endpoint = stack.enter_context(language_model(weights, chosen.llm_threads))
        options = Options(
            weights=str(weights),
            voices=str(folder / "voices.npz"),
            voice="af_heart",
            endpoint=endpoint,
            instructions=INSTRUCTIONS,
            max_tokens=chosen.max_tokens,
            temperature=0.0,
            threads=chosen.threads,
            llm_threads=chosen.llm_threads,
            language="en",
        )
        sides = [stack.enter_context(SIDES[side](options)) for side in chosen.sides]
        before = os.getloadavg()
        asked = converse(sides, clips, chosen.rounds, chosen.pause)
        after = os.getloadavg()
    seconds = sorted(clip.seconds for clip in clips)
    run = report(
        asked,
        {side.name: {"pipeline": side.pipeline, "versions": side.versions} for side in sides},
        {
            "machine": machine(),
            "load_before": f"{before[0]:.2f}",
            "load_after": f"{after[0]:.2f}",
            "clips": len(clips),
            "kind": kind,
            "seconds": f"{seconds[0]:.1f} to {seconds[-1]:.1f}",
            "rounds": chosen.rounds,
            "pause": chosen.pause,
            "threads": chosen.threads,
            "llm_threads": chosen.llm_threads,
            "max_tokens": chosen.max_tokens,
            "temperature": options.temperature,
            "instructions": options.instructions,
        },
    )
    print(tables(run))
    document = json.dumps(run, indent=1, ensure_ascii=False) + "\n"
    (OUT / "voice-to-voice.json").write_text(document)
    (OUT / "voice-to-voice.svg").write_text(plot(run))
    if chosen.publish:
        PAGE.write_text(published(PAGE.read_text(), run))
        PAGE.with_name("voice-to-voice.json").write_text(document)
        (PAGE.parent / "images" / "voice-to-voice.svg").write_text(plot(run))


def converse(
    sides: list[Side], clips: list[Question], rounds: int, pause: float
) -> dict[str, list[Asked]]:
    """Put every clip to every side in turn; only one side works at a time."""
    for side in sides:
        # Not measured: what is loaded or compiled at the first use, and the prompt cache.
        side.ask(clips[0].path)
        time.sleep(pause)
    asked: dict[str, list[Asked]] = {side.name: [] for side in sides}
    for round_number in range(rounds):
        for clip in clips:
            for side in sides:
                heard, told = listened(side, clip)
                asked[side.name].append(Asked(clip.name, clip.text, heard))
                print(f"{round_number + 1} {clip.name:<16} {side.name:<22} {told}", flush=True)
                # What was interrupted may still be working: the others must not pay for it.
                time.sleep(pause)
    return asked


def listened(side: Side, clip: Question) -> tuple[Heard, str]:
    """What came of asking, and in words; a side that breaks has not answered."""
    try:
        heard = side.ask(clip.path)
    except (RuntimeError, VoiceError) as error:
        return Heard(), f"failed: {error}"
    if heard.audible is None:
        return heard, "no answer"
    return heard, f"{heard.audible * 1000:.0f} ms"


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, VoiceError, subprocess.CalledProcessError) as error:
        raise SystemExit(str(error)) from None
