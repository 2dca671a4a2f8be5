"""Summaries of what no longer fits into a prompt, made by a model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from chat.context import Said, Summarise, prompt_budget, summary_request
from chat.providers import ChatOptions, Llm, TextDelta

SUMMARY_TOKENS = 300
TEMPERATURE = 0.2


def summariser(llm: Llm, context_tokens: int) -> Summarise:
    """A function that has `llm` sum up, for `context.fit_summarised`."""

    async def summarise(before: str, said: Sequence[Said]) -> str:
        request = summary_request(before, said, prompt_budget(context_tokens, SUMMARY_TOKENS))
        options = ChatOptions(max_tokens=SUMMARY_TOKENS, temperature=TEMPERATURE)
        async with aclosing(llm.respond(request, options)) as deltas:
            texts = [delta.text async for delta in deltas if isinstance(delta, TextDelta)]
        return "".join(texts).strip()

    return summarise
