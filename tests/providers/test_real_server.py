"""A chain over llama.cpp's own HTTP server with the starter model: no part of it is made up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from chat.prompts import INSTRUCTIONS
from chat.providers import ChatOptions, Finished, Message, TextDelta, Tool, ToolCall, Usage
from tests.provider_stub import collect
from tests.providers.servers import chained

MODEL = Path("data/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
PARIS = [Message("system", INSTRUCTIONS), Message("user", "What is the capital of France?")]

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(Path(__file__).parents[2] / MODEL)
    params.n_ctx = 2048
    params.n_parallel = 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.verbosity = 1
    params.ui = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    servers = [xllamacpp.Server(params)]
    yield servers[0].listening_address
    servers.clear()


def toml(address: str) -> str:
    # No model is named: the first one the server offers is asked.
    return f"""
[providers.here]
kind = "openai-compatible"
base_url = "{address}/v1"
price = {{input = 1, output = 2}}
"""


async def test_it_answers_and_says_what_it_cost(address: str) -> None:
    used: list[Usage] = []
    options = ChatOptions(max_tokens=24, temperature=0, on_usage=used.append)
    async with chained(toml(address)) as llm:
        await llm.warm(PARIS)
        deltas = await collect(llm, PARIS, options)
        assert "SmolLM2" in llm.name
    assert "Paris" in "".join(d.text for d in deltas if isinstance(d, TextDelta))
    end = deltas[-1]
    assert isinstance(end, Finished)
    assert used == [end.usage]
    assert not used[0].estimated
    assert used[0].prompt_tokens > 5
    assert used[0].cost * 1_000_000 == end.prompt_tokens + 2 * end.completion_tokens


async def test_a_reply_that_is_called_off_ends_there(address: str) -> None:
    # Both slots are taken by replies that would take long; a third waits until one has ended.
    story = [Message("user", "Tell me a very long story about a dragon and all its children.")]
    async with chained(toml(address)) as llm:
        for _ in range(4):
            options = ChatOptions(max_tokens=1500, temperature=0)
            async with aclosing(llm.respond(story, options)) as deltas:
                await anext(deltas)
        deltas_of_last = await collect(llm, PARIS, ChatOptions(max_tokens=4))
    assert isinstance(deltas_of_last[-1], Finished)


async def test_it_takes_a_whole_conversation_with_tools(address: str) -> None:
    # The starter model knows no tools; that the server takes calls and outputs is what is tested.
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = Tool("weather", "Tells the weather of a city.", schema)
    call = ToolCall("call_1", "weather", '{"city": "Paris"}')
    asked = [
        *PARIS,
        Message("assistant", "", (call,)),
        Message("tool", "sunny", tool_call_id="call_1"),
    ]
    options = ChatOptions(max_tokens=8, temperature=0, tools=(tool,))
    async with chained(toml(address)) as llm:
        assert isinstance((await collect(llm, asked, options))[-1], Finished)
