"""Time to first token and tokens a second of a language model provider.

python -m bench.llm                                       the embedded model, 1 and 2 threads
python -m bench.llm --base-url http://localhost:11434/v1 --model llama3.2
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from chat.prompts import INSTRUCTIONS
from chat.providers import (
    ChatOptions,
    Finished,
    Llm,
    Message,
    ProviderOptions,
    TextDelta,
    load_provider,
)

QUESTIONS = (
    "Hello, how are you today?",
    "What should I cook for two children tonight?",
    "And what can we drink with it?",
    "How long will that take me?",
    "Can you tell me a short story while I cook?",
)
OPTIONS = ChatOptions(max_tokens=48, temperature=0)


async def reply(llm: Llm, messages: Sequence[Message]) -> tuple[str, float, float]:
    """The text, seconds to its first token, and tokens a second after that."""
    begin = perf_counter()
    first, text, tokens = 0.0, "", 0
    async for delta in llm.respond(messages, OPTIONS):
        if isinstance(delta, TextDelta):
            first = first or perf_counter() - begin
            text += delta.text
        elif isinstance(delta, Finished):
            tokens = delta.completion_tokens
    return text, first, max(0, tokens - 1) / (perf_counter() - begin - first)


async def converse(llm: Llm, opening: str) -> tuple[list[float], list[float]]:
    """Seconds to the first token and tokens a second for each turn of one conversation."""
    messages = [Message("system", INSTRUCTIONS), Message("user", opening)]
    firsts, rates = [], []
    for question in QUESTIONS:
        messages.append(Message("user", question))
        text, first, rate = await reply(llm, messages)
        messages.append(Message("assistant", text))
        firsts.append(first)
        rates.append(rate)
    return firsts, rates


async def measure(name: str, options: ProviderOptions) -> None:
    begin = perf_counter()
    llm = load_provider(name, options)
    loaded = perf_counter() - begin
    try:
        system = [Message("system", INSTRUCTIONS)]
        _, cold, _ = await reply(llm, [*system, Message("user", QUESTIONS[0])])
        begin = perf_counter()
        await llm.warm(system)
        warming = perf_counter() - begin
        firsts, rates = await converse(llm, "I am Ann.")
        crowd = await asyncio.gather(*(converse(llm, f"I am guest {n}.") for n in range(4)))
    finally:
        await llm.close()
    print(f"\n{llm.name} on {llm.device}, {options.threads} thread(s)")
    print(f"  load                        {loaded:6.2f} s, warm {warming:.2f} s")
    print(f"  first token, nothing cached {cold * 1000:6.0f} ms")
    print(f"  first token, warmed         {firsts[0] * 1000:6.0f} ms")
    print(f"  first token, later turns    {statistics.median(firsts[1:]) * 1000:6.0f} ms (median)")
    print(f"  tokens a second             {statistics.median(rates):6.1f} (median)")
    later = [first for turn in crowd for first in turn[0][1:]]
    each = [rate for turn in crowd for rate in turn[1]]
    print(
        f"  4 conversations at once     {statistics.median(later) * 1000:6.0f} ms, "
        f"{statistics.median(each):.1f} tokens a second each"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--weights", type=Path, default=Path("data/models"))
    parser.add_argument("--model", default="")
    parser.add_argument("--base-url", default="", help="measure a server instead")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    chosen = parser.parse_args()
    options = ProviderOptions(
        chosen.weights,
        model=chosen.model,
        base_url=chosen.base_url,
        api_key=os.environ.get("OPENAI_API_KEY", ""),
        device=chosen.device,
    )
    if chosen.base_url:
        await measure("openai-compatible", options)
        return
    for threads in chosen.threads:
        await measure("llama-cpp", replace(options, threads=threads))


if __name__ == "__main__":
    asyncio.run(main())
