"""A branch that outgrows its model's context is summed up, and the summary is used."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from chat.answering import Answerer, prompt_for
from chat.context import SUMMARY_HEAD, SUMMARY_INSTRUCTIONS
from chat.jobs import Kind
from chat.jobs.summaries import make_summaries
from chat.providers import ChatOptions, Delta, Finished, Message, TextDelta
from chat.storage import conversations, messages, summaries
from chat.storage.records import Job, NewMessage, StoredCall, now
from tests.chat.api.desk import desk
from tests.databases import opened

WORDS = "many words " * 20


class SummingLlm:
    """Sums up, and otherwise speaks at length."""

    name = "summing"
    device = "cpu"

    def __init__(self) -> None:
        self.prompts: list[list[Message]] = []
        self.summed = 0

    async def warm(self, messages: Sequence[Message]) -> None: ...

    async def expect(self, messages: Sequence[Message]) -> None: ...

    async def close(self) -> None: ...

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        self.prompts.append(list(messages))
        if messages[0].text == SUMMARY_INSTRUCTIONS:
            self.summed += 1
            yield TextDelta(f"Summary {self.summed}.")
        else:
            yield TextDelta(WORDS)
        yield Finished("stop", 7, 3)


async def test_from_the_long_chat_to_the_next_prompt(tmp_path: Path) -> None:
    llm = SummingLlm()
    answerer = Answerer(llm, "scripted", context_tokens=512, answer_tokens=128)

    async def find(owner: str, name: str) -> Answerer:
        return answerer

    outgrown: list[tuple[str, ...]] = []

    async def enqueue(*what: str) -> None:
        owner, conversation_id, message_id, model = what
        outgrown.append(what)
        payload = {"conversation_id": conversation_id, "message_id": message_id, "model": model}
        await made[0].queue.enqueue(owner, "summary", payload, key=f"summary:{conversation_id}")

    made = []
    async with desk(tmp_path, find=lambda _: find, outgrown=enqueue) as api:
        made.append(api)
        api.queue.kinds = {**api.queue.kinds, "summary": Kind(make_summaries(api.storage, find))}
        conversation = (await api.new())["id"]
        for _ in range(8):
            await api.say(conversation, WORDS)
            await api.settle()
            await api.work()
        assert llm.summed >= 2
        assert len(outgrown) == llm.summed  # one for each time that more was left out
        page = await messages.page(api.storage, "anna", conversation)
        ids = [message.id for message in page.messages]
        kept = await summaries.newest(api.storage, "anna", conversation, ids)
        assert kept is not None
        assert kept.text == f"Summary {llm.summed}."
        assert llm.prompts[-1][1].text.startswith(f"{SUMMARY_HEAD}\nSummary ")
        # A later one is made from the one before and what came since.
        later = [p for p in llm.prompts if p[0].text == SUMMARY_INSTRUCTIONS][1]
        assert "Summary 1." in later[1].text


async def test_calls_and_outputs_are_covered_too(tmp_path: Path) -> None:
    llm = SummingLlm()
    answerer = Answerer(llm, "scripted", context_tokens=512, answer_tokens=128)

    async def find(owner: str, name: str) -> Answerer:
        return answerer

    async with opened("sqlite", tmp_path) as storage:
        made = await conversations.create(storage, "anna")
        for number in range(6):
            call = StoredCall(f"call_{number}", "look", "{}")
            await messages.append(
                storage,
                "anna",
                made.id,
                NewMessage("user", WORDS),
                NewMessage("assistant", WORDS, tool_calls=(call,)),
                NewMessage("tool", "blue", tool_call_id=call.id),
            )
        branch = (await messages.page(storage, "anna", made.id)).messages
        first = await prompt_for(answerer, branch, storage.files)
        assert first.outgrown
        run = make_summaries(storage, find)
        job = _job(made.id, branch[-1].id)
        result = await run(job)
        assert result is not None
        assert next(m for m in branch if m.id == result["message_id"]).role == "tool"
        kept = await summaries.newest(storage, "anna", made.id, [m.id for m in branch])
        assert not (await prompt_for(answerer, branch, storage.files, summary=kept)).outgrown
        assert await run(job) is None  # nothing more to do
        assert llm.summed == 1
        await conversations.delete(storage, "anna", made.id)
        assert await run(job) is None


def _job(conversation_id: str, message_id: str) -> Job:
    payload = {"conversation_id": conversation_id, "message_id": message_id, "model": ""}
    at = now()
    return Job(
        id="job_1",
        owner="anna",
        kind="summary",
        payload=payload,
        state="running",
        attempts=1,
        run_at=at,
        leased_until=None,
        key=None,
        error=None,
        result=None,
        created_at=at,
        updated_at=at,
    )
