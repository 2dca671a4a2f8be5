"""Tools in the text chat: asked for, allowed or not, told to all pages, and kept in the branch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chat.providers import ChatOptions, Delta, Finished, Message, TextDelta, Tool, ToolCall
from chat.providers.config import parse_providers
from chat.storage import Storage, preferences
from chat.tools import Registered, Registry, ToolFailed
from chat.tools.inside import WithTools
from chat.tools.loop import Bounds
from chat.tools.toolbox import Toolbox
from tests.chat.api.desk import OTHER, Desk, desk

FILE = '[providers.a]\nkind = "llama-cpp"\n'
LOOK = Tool("look", "Looks.", {"type": "object"})


class CallingLlm:
    """Calls `look` (as often at once as `calls` says) until it has an output, then tells it."""

    name = "calling"
    device = "cpu"

    def __init__(self, calls: int = 1) -> None:
        self.calls = calls
        self.asked: list[tuple[list[Message], ChatOptions]] = []

    async def warm(self, messages: Sequence[Message]) -> None: ...

    async def expect(self, messages: Sequence[Message]) -> None: ...

    async def close(self) -> None: ...

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        self.asked.append((list(messages), options))
        if options.tools and messages[-1].role == "user":
            yield TextDelta("Let me look. ")
            for _ in range(self.calls):
                yield ToolCall("same", "look", '{"at": "sky"}')
            yield Finished("tool_calls", 5, 2)
        else:
            yield TextDelta(f"I see {messages[-1].text}.")
            yield Finished("stop", 9, 4)


class Sky:
    """What is looked at."""

    def __init__(self) -> None:
        self.seen: list[Mapping[str, Any]] = []
        self.fails = False
        self.stuck = False
        self.left = asyncio.Event()

    async def look(self, arguments: Mapping[str, Any]) -> str:
        self.seen.append(arguments)
        if self.fails:
            raise ToolFailed("/secret/path")
        if self.stuck:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        return "blue"


def toolbox_of(sky: Sky, consent: Any, tools: str = "") -> Callable[[Storage], Toolbox]:
    def make(storage: Storage) -> Toolbox:
        file = parse_providers(FILE + tools)
        return Toolbox(file, storage, more=Registry([Registered(LOOK, sky.look, consent)]))

    return make


@asynccontextmanager
async def talking(
    folder: Path, sky: Sky, consent: Any = "ask", **more: Any
) -> AsyncIterator[tuple[Desk, str]]:
    async with desk(folder, tools=toolbox_of(sky, consent), **more) as api:
        api.llm = CallingLlm()
        yield api, (await api.new())["id"]


async def answered(api: Desk, conversation: str, allow: str) -> list[tuple[str, Any]]:
    """Ask, and say `allow` when a tool is asked for; all events."""
    path = f"/conversations/{conversation}/messages"
    seen = []
    async with api.reading("POST", path, {"text": "What is there?"}) as events:
        async for kind, data in events:
            seen.append((kind, data))
            if kind == "tool.asked":
                place = f"{path}/{data['message_id']}/calls/{data['call']['id']}"
                for headers, status in ((OTHER, 404), ({}, 204), ({}, 404)):
                    said = await api.client.post(place, json={"allow": allow}, headers=headers)
                    if said.status_code != status:
                        # The answer may be over by the time of the second try.
                        assert (status, said.json()["code"]) == (404, "not_running")
    return seen


async def branch(api: Desk, conversation: str) -> list[dict[str, Any]]:
    page = await api.client.get(f"/conversations/{conversation}/messages")
    messages: list[dict[str, Any]] = page.json()["messages"]
    return messages


async def test_a_call_that_is_allowed_is_made_told_and_kept(tmp_path: Path) -> None:
    sky = Sky()
    async with talking(tmp_path, sky) as (api, conversation), api.reading("GET", "/events") as live:
        assert (await anext(live))[0] == "hello"
        events = await answered(api, conversation, "once")
        kinds = [kind for kind, _ in events]
        order = ["message.started", "message.delta", "tool.asked", "tool.called", "tool.answered"]
        assert kinds == [*order, "message.delta", "message.done"]
        call = events[2][1]["call"]
        assert (call["name"], call["arguments"]) == ("look", '{"at": "sky"}')
        assert sky.seen == [{"at": "sky"}]
        question, answer, output = await branch(api, conversation)
        assert answer["text"] == "Let me look. I see blue."
        assert answer["tool_calls"] == [call]
        assert (output["role"], output["text"], output["tool_call_id"], output["parent_id"]) == (
            "tool",
            "blue",
            call["id"],
            answer["id"],
        )
        assert events[4][1]["output_id"] == output["id"]
        assert (answer["prompt_tokens"], answer["completion_tokens"]) == (14, 6)
        others = []
        while "message.done" not in others:
            others.append((await anext(live))[0])
        assert [kind for kind in others if kind.startswith("tool.")] == order[2:]
        # The next prompt has the call, what it gave, and what was said then, in that order.
        await answered(api, conversation, "no")
        prompt = next(
            asked
            for asked, _ in api.llm.asked
            if asked[-1].text == "What is there?" and len(asked) > 2
        )
        assert [message.role for message in prompt] == [
            "system",
            "user",
            "assistant",
            "tool",
            "assistant",
            "user",
        ]
        assert prompt[4].text == "Let me look. I see blue."
        # Another answer stands in this one's place, beside its calls.
        again = f"/conversations/{conversation}/messages/{answer['id']}/regenerate"
        made = await api.client.post(again, json={}, headers={"accept": "application/json"})
        assert made.json()["answer"]["parent_id"] == question["id"]


@pytest.mark.parametrize(("allow", "kept"), [("no", {}), ("never", {"look": "never"})])
async def test_a_call_that_is_declined_is_not_made(
    tmp_path: Path, allow: str, kept: dict[str, str]
) -> None:
    sky = Sky()
    async with talking(tmp_path, sky) as (api, conversation):
        events = await answered(api, conversation, allow)
        assert sky.seen == []
        assert next(data for kind, data in events if kind == "tool.answered")["failed"]
        assert "tool.called" not in [kind for kind, _ in events]
        answer, output = (await branch(api, conversation))[-2:]
        assert output["status"] == "failed"
        assert "did not allow" in answer["text"]
        assert (await preferences.read(api.storage, "anna")).get("tools", {}) == kept
        await answered(api, conversation, "once")
        assert len(sky.seen) == (0 if kept else 1)


async def test_always_asks_no_more_until_it_is_taken_back(tmp_path: Path) -> None:
    sky = Sky()
    async with talking(tmp_path, sky) as (api, conversation):
        api.llm.calls = 2
        first = await answered(api, conversation, "always")
        assert [kind for kind, _ in first].count("tool.asked") == 1
        assert len(sky.seen) == 2  # the second call of the same reply, too
        assert len({m["tool_call_id"] for m in (await branch(api, conversation))[-2:]}) == 2
        second = await answered(api, conversation, "no")
        assert "tool.asked" not in [kind for kind, _ in second]
        assert len(sky.seen) == 4
        listed = (await api.client.get("/tools")).json()["tools"]
        assert listed == [{"name": "look", "description": "Looks.", "consent": "always"}]
        theirs = (await api.client.get("/tools", headers=OTHER)).json()["tools"]
        assert theirs[0]["consent"] == "ask"
        taken = await api.client.put("/tools/look", json={"consent": "ask"})
        assert taken.json()["consent"] == "ask"
        third = await answered(api, conversation, "no")
        assert "tool.asked" in [kind for kind, _ in third]
        assert (await api.client.put("/tools/none", json={"consent": "ask"})).status_code == 404
        settings = await api.client.get("/settings")
        assert "tools" not in settings.json()


async def test_what_the_server_forbids_nobody_allows(tmp_path: Path) -> None:
    sky = Sky()
    async with talking(tmp_path, sky, "never") as (api, conversation):
        assert (await api.client.put("/tools/look", json={"consent": "always"})).status_code == 404
        await preferences.write(api.storage, "anna", {"tools": {"look": "always"}})
        events = await answered(api, conversation, "always")
        assert not any(kind.startswith("tool.") for kind, _ in events)
        assert sky.seen == []


async def test_who_does_not_answer_has_declined_and_who_comes_back_sees_the_question(
    tmp_path: Path,
) -> None:
    sky = Sky()
    bounds = {"bounds": Bounds(consent_seconds=0.3)}
    async with talking(tmp_path, sky, answering=bounds) as (api, conversation):
        path = f"/conversations/{conversation}/messages"
        json = {"accept": "application/json"}
        asked = await api.client.post(path, json={"text": "What?"}, headers=json)
        events = await api.stream("GET", f"{path}/{asked.json()['answer']['id']}/stream")
        kinds = [kind for kind, _ in events]
        assert [k for k in kinds if k.startswith("tool.")] == ["tool.asked", "tool.answered"]
        assert kinds[-1] == "message.done"
        assert sky.seen == []


async def test_a_tool_that_fails_tells_nothing_of_itself(tmp_path: Path) -> None:
    sky = Sky()
    sky.fails = True
    async with talking(tmp_path, sky, "always") as (api, conversation):
        events = await answered(api, conversation, "no")
        assert "secret" not in str(events)
        assert "secret" not in str(await branch(api, conversation))
        assert (await branch(api, conversation))[-1]["status"] == "failed"


@pytest.mark.parametrize("stuck", [False, True])
async def test_stopping_ends_the_question_or_the_call(tmp_path: Path, stuck: bool) -> None:
    sky = Sky()
    sky.stuck = stuck
    async with talking(tmp_path, sky, "always" if stuck else "ask") as (api, conversation):
        path = f"/conversations/{conversation}/messages"
        async with api.reading("POST", path, {"text": "What?"}) as events:
            async for kind, data in events:
                if kind in ("tool.asked", "tool.called"):
                    stopped = await api.client.post(f"{path}/{data['message_id']}/stop")
                    break
        assert stopped.json()["status"] == "interrupted"
        assert stopped.json()["text"] == "Let me look. "
        if stuck:
            await sky.left.wait()
        sky.stuck = False
        place = f"{path}/{stopped.json()['id']}/calls/call_x"
        late = await api.client.post(place, json={"allow": "once"})
        assert late.json()["code"] == "not_running"
        said = await answered(api, conversation, "once")  # the half call hurts no later prompt
        assert said[-1][0] == "message.done"


async def test_the_voice_uses_what_needs_no_asking() -> None:
    sky = Sky()
    llm = CallingLlm()
    for consent, text in (("always", "Let me look. I see blue."), ("ask", "I see hello.")):

        async def find(consent: Any = consent) -> Registry:
            return Registry([Registered(LOOK, sky.look, consent)])

        wrapped = WithTools(llm, find, Bounds())
        deltas = [d async for d in wrapped.respond([Message("user", "hello")], ChatOptions())]
        assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == text
        assert not [d for d in deltas if isinstance(d, ToolCall)]
        assert isinstance(deltas[-1], Finished)
        assert deltas[-1].reason == "stop"
    # A tool of the session's own is the session's to call, also where ours has its name.
    own = ChatOptions(tools=(LOOK,))
    deltas = [d async for d in wrapped.respond([Message("user", "hello")], own)]
    assert [d.name for d in deltas if isinstance(d, ToolCall)] == ["look"]
    assert len(sky.seen) == 1
