"""The embedded language model, for real."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from chat.errors import ChatError
from chat.prompts import INSTRUCTIONS
from chat.providers import (
    ChatOptions,
    Delta,
    Finished,
    Message,
    ProviderOptions,
    TextDelta,
    Tool,
    load_provider,
    slots,
)
from chat.providers.llama_cpp import SLOTS, LlamaCpp

WEIGHTS = Path(__file__).parent.parent / "data" / "models"
PARIS = [Message("system", INSTRUCTIONS), Message("user", "What is the capital of France?")]
STORY = [Message("user", "Tell me a very long story about a dragon and all its children.")]
EXACT = ChatOptions(max_tokens=24, temperature=0)
LONG = ChatOptions(max_tokens=400, temperature=0)

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module")]


def load(**options: object) -> LlamaCpp:
    provider = load_provider("llama-cpp", ProviderOptions(WEIGHTS, **options))  # type: ignore[arg-type]
    assert isinstance(provider, LlamaCpp)
    return provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def llm() -> AsyncIterator[LlamaCpp]:
    loaded = load(context_tokens=1024)
    yield loaded
    await loaded.close()


async def collect(llm: LlamaCpp, messages: list[Message], options: ChatOptions) -> list[Delta]:
    return [delta async for delta in llm.respond(messages, options)]


def words(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_streams_text_and_ends_with_the_cost(llm: LlamaCpp) -> None:
    deltas = await collect(llm, PARIS, EXACT)
    assert "Paris" in words(deltas)
    assert len(deltas) > 3
    last = deltas[-1]
    assert isinstance(last, Finished)
    assert last.reason == "stop"
    assert last.prompt_tokens > 20
    assert 0 < last.completion_tokens <= 24


async def test_stops_at_the_given_length(llm: LlamaCpp) -> None:
    deltas = await collect(llm, STORY, ChatOptions(max_tokens=5, temperature=0))
    assert deltas[-1] == Finished("length", deltas[-1].prompt_tokens, 5)  # type: ignore[union-attr]


async def test_temperature_0_is_deterministic(llm: LlamaCpp) -> None:
    first = await collect(llm, PARIS, EXACT)
    assert words(await collect(llm, PARIS, EXACT)) == words(first)


async def test_a_reply_ends_before_what_is_to_stop_it(llm: LlamaCpp) -> None:
    text = words(await collect(llm, PARIS, EXACT))
    first, second = text.split(" ")[:2]
    stopped = await collect(llm, PARIS, replace(EXACT, stop=(f" {second}",)))
    assert words(stopped) == first
    assert stopped[-1].reason == "stop"  # type: ignore[union-attr]


async def test_a_seed_repeats_what_chance_said(llm: LlamaCpp) -> None:
    loose = ChatOptions(max_tokens=24, temperature=2.0)
    said = [
        words(await collect(llm, STORY, replace(loose, seed=seed))) for seed in (7, 7, 2**40 + 7)
    ]
    assert said[0] == said[1] != said[2]


async def test_the_narrowest_choice_is_the_likeliest_word(llm: LlamaCpp) -> None:
    likeliest = words(await collect(llm, PARIS, EXACT))
    narrow = replace(EXACT, temperature=2.0, top_p=0.0001)
    assert words(await collect(llm, PARIS, narrow)) == likeliest


async def test_a_conversation_goes_on(llm: LlamaCpp) -> None:
    told = [*PARIS, Message("assistant", "Paris."), Message("user", "Which city did you name?")]
    assert "Paris" in words(await collect(llm, told, EXACT))


async def test_closing_stops_the_generation(llm: LlamaCpp) -> None:
    events: list[str] = []

    async def stop_early() -> None:
        async with aclosing(llm.respond(STORY, LONG)) as deltas:
            async for _ in deltas:
                break
        events.append("stopped")

    async def run_on() -> None:
        await collect(llm, PARIS, LONG)
        events.append("done")

    running = asyncio.create_task(run_on())
    await stop_early()
    await running
    assert events == ["stopped", "done"]
    assert not llm._running


async def test_cancelling_frees_every_slot(llm: LlamaCpp) -> None:
    endless = [asyncio.create_task(collect(llm, STORY, LONG)) for _ in range(SLOTS)]
    while len(llm._running) < SLOTS:
        await asyncio.sleep(0.01)
    for task in endless:
        task.cancel()
    results = await asyncio.gather(*endless, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert not llm._running
    assert "Paris" in words(await collect(llm, PARIS, EXACT))


async def test_cancelling_during_a_long_prompt(llm: LlamaCpp) -> None:
    long_prompt = [Message("user", "all work and no play " * 120)]
    task = asyncio.create_task(collect(llm, long_prompt, LONG))
    while not llm._running:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not llm._running


async def test_several_at_once(llm: LlamaCpp) -> None:
    alone = [words(await collect(llm, PARIS, EXACT)), words(await collect(llm, STORY, EXACT))]
    both = await asyncio.gather(collect(llm, PARIS, EXACT), collect(llm, STORY, EXACT))
    assert [words(deltas)[:20] for deltas in both] == [text[:20] for text in alone]


async def test_they_take_turns(llm: LlamaCpp) -> None:
    order: list[str] = []

    async def note(name: str, prompt: list[Message]) -> None:
        async for _ in llm.respond(prompt, ChatOptions(max_tokens=40, temperature=0)):
            order.append(name)  # noqa: PERF401  the two write to one list

    await asyncio.gather(note("a", STORY), note("b", [Message("user", "Count to one hundred.")]))
    blocks = 1 + sum(1 for one, following in pairwise(order) if one != following)
    assert blocks > 4


async def test_more_than_the_slots_wait(llm: LlamaCpp) -> None:
    crowd = [collect(llm, PARIS, EXACT) for _ in range(SLOTS + 2)]
    assert all("Paris" in words(deltas) for deltas in await asyncio.gather(*crowd))


async def test_too_many_are_refused(llm: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "BUSY_SECONDS", 0.01)
    busy = [asyncio.create_task(collect(llm, STORY, LONG)) for _ in range(SLOTS)]
    while len(llm._running) < SLOTS:
        await asyncio.sleep(0.01)
    with pytest.raises(ChatError) as caught:
        await collect(llm, PARIS, EXACT)
    assert caught.value.code == "llm_overloaded"
    for task in busy:
        task.cancel()
    await asyncio.wait(busy)


async def test_a_conversation_longer_than_the_context(llm: LlamaCpp) -> None:
    with pytest.raises(ChatError) as caught:
        await collect(llm, [Message("user", "word " * 3000)], EXACT)
    assert caught.value.code == "llm_refused"


async def test_too_slow_a_first_token() -> None:
    slow = load(context_tokens=1024, first_token_timeout=0.01)
    with pytest.raises(ChatError) as caught:
        await collect(slow, [Message("user", "all work and no play " * 120)], EXACT)
    assert caught.value.code == "llm_timeout"
    await slow.close()


async def test_tools_are_ignored_by_a_model_that_knows_none(llm: LlamaCpp) -> None:
    weather = Tool("weather", "Tells the weather.", {"type": "object"})
    with_tools = ChatOptions(max_tokens=24, temperature=0, tools=(weather,))
    assert words(await collect(llm, PARIS, with_tools)) == words(await collect(llm, PARIS, EXACT))


async def test_broken_text_is_no_failure(llm: LlamaCpp) -> None:
    assert await collect(llm, [Message("user", "Hello\ud83d\x00 there")], EXACT)


async def test_warming_evaluates_the_instructions_everywhere() -> None:
    fresh = load(context_tokens=512)
    await fresh.warm(PARIS[:1])
    assert fresh._slots.unused == 0
    assert "Paris" in words(await collect(fresh, PARIS, EXACT))
    await fresh.close()


async def test_what_is_expected_is_read_where_the_reply_goes_on(llm: LlamaCpp) -> None:
    await llm.expect([PARIS[0], Message("user", "Where do most")])
    expected = max(llm._slots._slots, key=lambda slot: slot.used)
    assert not expected.busy
    asked = [PARIS[0], Message("user", "Where do most penguins live?")]
    assert words(await collect(llm, asked, EXACT))
    assert max(llm._slots._slots, key=lambda slot: slot.used) is expected


async def test_expecting_leaves_a_slot_for_a_reply(llm: LlamaCpp) -> None:
    taken = [await llm._slots.take(STORY) for _ in range(SLOTS - 1)]
    used = {slot.number: slot.used for slot in llm._slots._slots}
    await llm.expect(PARIS)
    assert {slot.number: slot.used for slot in llm._slots._slots} == used
    for slot in taken:
        llm._slots.give(slot)


async def test_expecting_can_be_cancelled(llm: LlamaCpp) -> None:
    expecting = asyncio.create_task(llm.expect(STORY))
    await asyncio.sleep(0.01)
    expecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await expecting
    assert llm._slots.idle == SLOTS


def listening_ports() -> list[str]:
    """The addresses on which this process listens for TCP (proc(5), state 0A)."""
    own = {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in (Path("/proc/net") / table).read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own]


async def test_nobody_can_connect() -> None:
    before = set(listening_ports())  # of servers that other tests keep
    llm = load(context_tokens=512)
    paths = [name for name in Path("/proc/net/unix").read_text().split() if "/llama-" in name]
    assert paths
    assert not any(Path(path).parent.exists() for path in paths)
    assert set(listening_ports()) <= before
    await llm.close()


async def test_nothing_is_left_after_close(capfd: pytest.CaptureFixture[str]) -> None:
    def tasks() -> set[Path]:
        return set(Path("/proc/self/task").iterdir())

    await asyncio.to_thread(int)  # asyncio's own thread closes the model: let it exist before
    threads, before = set(threading.enumerate()), tasks()
    llm = load(context_tokens=512)
    running = asyncio.create_task(collect(llm, STORY, LONG))
    while not llm._running:
        await asyncio.sleep(0.01)
    await llm.close()
    with pytest.raises(ChatError) as caught:
        await running
    assert caught.value.code == "llm_dropped"
    assert set(threading.enumerate()) == threads
    left = {(task / "comm").read_text().strip() for task in tasks() - before}
    assert not left
    with pytest.raises(ChatError) as caught:
        await collect(llm, PARIS, EXACT)
    assert caught.value.code == "llm_failed"
    await llm.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("model", "code"), [("missing.gguf", "llm_unreachable"), ("{broken}", "llm_failed")]
)
async def test_a_model_that_cannot_be_loaded(model: str, code: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ChatError) as caught:
        load(model=model.format(broken=broken))
    assert caught.value.code == code
    assert str(tmp_path) not in caught.value.message


async def test_without_a_gpu_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    llm = load(context_tokens=512, device="cuda")
    assert llm.device == "cuda" or "runs on the CPU" in caplog.text
    await llm.close()
