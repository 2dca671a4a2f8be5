"""Voice to voice: from the last voiced sample sent to the first audible sample received.

    VIVAVOCE_SPEECH_DIR=... python -m bench.latency [--clips 8] [--rounds 3] [--json out.json]

Starts a server (unless told one), speaks recorded questions to it in real time, 20 ms frames and
then silence, and prints medians and percentiles, whole and stage by stage. The last voiced sample
is where Silero VAD last hears speech in the clip; the first audible one has |x| > 0.005.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soxr

from bench.report import machine, table
from bench.serving import serving
from bench.speech import Clip, corpus_folder, read_manifest
from voice.ask import Answer, ask
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm
from voice.engines import EngineOptions, Vad, load_engine
from voice.settings import read_settings

STAGES = ("vad", "turn", "stt", "llm_first_token", "llm", "tts")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clips", type=int, default=8, help="how many questions")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is asked")
    parser.add_argument("--url", help="a running server instead of one of our own")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    folder = corpus_folder()
    if folder is None:
        sys.exit("VIVAVOCE_SPEECH_DIR must name the folder of recorded speech")
    vad: Vad = load_engine("vad", "silero", EngineOptions(read_settings().weights))
    clips = questions(folder, options.clips)
    with ExitStack() as stack:
        url = options.url or stack.enter_context(serving(VIVAVOCE_LLM_MAX_TOKENS="60")).realtime
        answers = [
            (clip, asyncio.run(speak_to(url, clip, vad)))
            for _ in range(options.rounds)
            for clip in clips
        ]
    rows = {"voice to voice": [answer.times["audible"] * 1000 for _, answer in answers]}
    for stage in STAGES:
        found = [answer.stages[stage] for _, answer in answers if stage in answer.stages]
        if found:
            rows[stage] = found
    print(f"{machine()}; {len(clips)} clips, {options.rounds} rounds; milliseconds")
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "ms": rows}, indent=1))


def questions(folder: Path, count: int) -> list[Clip]:
    """The first `count` English sentences of 2 to 5 seconds."""
    english = [clip for clip in read_manifest(folder) if clip.language == "en" and clip.text]
    return [clip for clip in english if 2 <= len(clip.read()) / HEARD_RATE <= 5][:count]


async def speak_to(url: str, clip: Clip, vad: Vad) -> Answer:
    """One exchange; the clip ends where its speech ends, and silence follows."""
    pcm = clip.read()
    end = last_speech(pcm, vad)
    heard: Pcm = soxr.resample(pcm[:end], HEARD_RATE, SPOKEN_RATE).astype(np.float32)
    return await ask(url, heard, voiced=len(heard))


def last_speech(pcm: Pcm, vad: Vad) -> int:
    """The end of the last frame in which the VAD hears speech."""
    stream = vad.open()
    last = 0
    for start in range(0, len(pcm) - vad.frame + 1, vad.frame):
        if stream.probability(pcm[start : start + vad.frame]) >= 0.5:
            last = start + vad.frame
    return last


if __name__ == "__main__":
    main()
