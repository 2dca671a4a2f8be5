"""A language model that is slow to begin: how much of the waiting speculation hides.

    python -m bench.slow_llm [--delay 1.0] [--questions 4] [--rounds 2]

A chat-completions endpoint on loopback waits before its first token. A server of our own uses it
and is asked spoken questions in real time, first with `VIVAVOCE_TURN_SPECULATION=tts`, then
with `off`. Where deciding that the turn is over takes `commit`, hiding it all leaves recognition,
the endpoint's delay and the first clause's synthesis: what is `hidden` is the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bench.endpoint import endpoint
from bench.latency import questions, speak_to
from bench.report import machine, table
from bench.serving import serving
from bench.speech import corpus_folder
from voice.ask import Answer, ask
from voice.audio import Pcm
from voice.engines import EngineOptions, Tts, Vad, load_engine
from voice.saying import speak_text
from voice.settings import read_settings

ANSWER = "That is a good question. I would have to think about it for a while."

QUESTIONS = (
    "What is the capital of France?",
    "How many legs does a spider have?",
    "Can you tell me something about the ocean?",
    "Why is the sky blue in the morning?",
)
"""Spoken by the synthesiser when there are no recordings."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that reached the endpoint, and when (`time.perf_counter`)."""

    at: float
    text: str
    """What the user said last."""


@dataclass
class SlowLlm:
    """An OpenAI-compatible endpoint that takes `delay` seconds to its first token."""

    delay: float
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    finished: int = 0
    """Answers that were fetched to their end."""

    async def complete(self, request: Request) -> Response:
        """`POST /v1/chat/completions`, always streamed."""
        body = await request.json()
        self.asked.append(Asked(time.perf_counter(), str(body["messages"][-1]["content"])))
        return StreamingResponse(self._tokens(), media_type="text/event-stream")

    async def models(self, _: Request) -> Response:
        """`GET /v1/models`."""
        return JSONResponse({"object": "list", "data": [{"id": "slow", "object": "model"}]})

    async def _tokens(self) -> AsyncIterator[str]:
        yield _chunk({"role": "assistant"})
        await asyncio.sleep(self.delay)
        for number, word in enumerate(ANSWER.split(" ")):
            yield _chunk({"content": f" {word}" if number else word})
            await asyncio.sleep(0.02)
        yield _chunk({}, "stop")
        yield "data: [DONE]\n\n"
        self.finished += 1


def _chunk(delta: dict[str, str], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    made = {"id": "1", "object": "chat.completion.chunk", "model": "slow", "choices": [choice]}
    return f"data: {json.dumps(made)}\n\n"


@contextmanager
def slow_llm(delay: float) -> Iterator[SlowLlm]:
    """The endpoint, on a thread of its own for as long as the block lasts."""
    llm = SlowLlm(delay)
    with endpoint(llm.complete, llm.models) as llm.url:
        yield llm


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds to the first token")
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    rows: dict[str, list[float]] = {}
    for speculation in ("tts", "off"):
        with (
            slow_llm(asked.delay) as llm,
            serving(
                VIVAVOCE_LLM_PROVIDER="openai-compatible",
                VIVAVOCE_LLM_BASE_URL=llm.url,
                VIVAVOCE_LLM_MODEL="slow",
                VIVAVOCE_TURN_SPECULATION=speculation,
            ) as server,
        ):
            warm = len(llm.asked)
            answers = asyncio.run(_ask_all(server.realtime, asked.questions, asked.rounds))
            wanted = len(llm.asked) - warm
        for name, moment in (("commit", "committed"), ("voice to voice", "audible")):
            rows[f"{name}, {speculation}"] = [answer.times[moment] * 1000 for answer in answers]
        print(f"speculation {speculation}: {len(answers)} questions, {wanted} requests")
    print(f"{machine()}; {asked.delay:.1f} s to the first token; milliseconds after the last word")
    print(table(rows))
    medians = {name: float(np.median(values)) for name, values in rows.items()}
    hidden = medians["voice to voice, off"] - medians["voice to voice, tts"]
    delay = medians["commit, off"]
    print(f"hidden: {hidden:.0f} ms; deciding that the turn is over takes {delay:.0f} ms")


async def _ask_all(url: str, count: int, rounds: int) -> Sequence[Answer]:
    options = EngineOptions(read_settings().weights, "cpu")
    folder = corpus_folder()
    if folder is not None:
        vad: Vad = load_engine("vad", "silero", options)
        clips = questions(folder, count)
        return [await speak_to(url, clip, vad) for _ in range(rounds) for clip in clips]
    tts: Tts = load_engine("tts", "kokoro", options)
    spoken: list[Pcm] = [
        await speak_text(tts, text, voice="am_michael", speed=1.0) for text in QUESTIONS[:count]
    ]
    return [await ask(url, pcm) for _ in range(rounds) for pcm in spoken]


if __name__ == "__main__":
    main()
