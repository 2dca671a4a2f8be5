"""Sending, streaming, stopping, failing: what is told and what is stored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from chat.errors import ChatError
from chat.storage import messages
from tests.chat.api.desk import Desk, desk


async def test_a_question_is_answered_and_both_are_stored(api: Desk) -> None:
    conversation = (await api.new())["id"]
    said = await api.say(conversation, "Hi", model="scripted")
    kinds = [kind for kind, _ in said["events"]]
    assert kinds[0] == "message.started"
    assert kinds[-1] == "message.done"
    assert set(kinds[1:-1]) == {"message.delta"}
    started = said["events"][0][1]
    assert started["message"]["text"] == "Hi"
    text = started["answer"]["text"]
    for _, more in said["events"][1:-1]:
        assert more["offset"] == len(text)
        text += more["text"]
    assert text == said["answer"]["text"] == "Hello there."
    assert said["answer"]["status"] == "complete"
    assert (said["answer"]["prompt_tokens"], said["answer"]["completion_tokens"]) == (7, 3)
    page = (await api.client.get(f"/conversations/{conversation}/messages")).json()
    assert [m["text"] for m in page["messages"]] == ["Hi", "Hello there."]
    assert page["messages"][1]["model"] == "scripted"
    assert set(page["messages"][1]["timings"]) == {"first_token", "total"}


async def test_the_branch_is_the_prompt(api: Desk) -> None:
    conversation = (await api.new())["id"]
    await api.say(conversation, "One")
    await api.say(conversation, "Two")
    assert [(m.role, m.text) for m in api.llm.prompts[-1][1:]] == [
        ("user", "One"),
        ("assistant", "Hello there."),
        ("user", "Two"),
    ]


async def test_a_title_is_wished_for_after_the_first_exchange(api: Desk) -> None:
    conversation = (await api.new())["id"]
    await api.say(conversation)
    await api.settle()
    jobs = (await api.client.get("/jobs")).json()["jobs"]
    assert [job["kind"] for job in jobs] == ["title"]
    named = (await api.new(title="Mine"))["id"]
    await api.say(named)
    await api.settle()
    assert len((await api.client.get("/jobs")).json()["jobs"]) == 1


async def test_json_instead_of_a_stream_and_the_stream_afterwards(api: Desk) -> None:
    conversation = (await api.new())["id"]
    api.llm.words = ["One", None, " two"]
    answer = await api.client.post(
        f"/conversations/{conversation}/messages",
        json={"text": "Count"},
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 201
    written = answer.json()["answer"]
    assert written["status"] == "streaming"
    assert answer.headers["location"].endswith(written["id"])
    place = f"/conversations/{conversation}/messages/{written['id']}"
    async with api.reading("GET", f"{place}/stream") as events:
        text = (await anext(events))[1]["answer"]["text"]
        while text != "One":
            text += (await anext(events))[1]["text"]
        assert (await api.client.get(place)).json()["text"] == "One"
        api.llm.go.set()
        last = [event async for event in events]
    assert last[-1][0] == "message.done"
    again = await api.stream("GET", f"{place}/stream")
    assert [kind for kind, _ in again] == ["message.started", "message.done"]
    assert again[0][1]["answer"]["text"] == "One two"


async def test_a_reader_who_goes_does_not_end_the_answer(api: Desk) -> None:
    conversation = (await api.new())["id"]
    api.llm.words = ["One", None, " two"]
    send = f"/conversations/{conversation}/messages"
    async with api.reading("POST", send, {"text": "Count"}) as events:
        answer = (await anext(events))[1]["answer"]
    assert api.llm.closed == 0
    api.llm.go.set()
    ended = await api.stream("GET", f"{send}/{answer['id']}/stream")
    assert ended[-1][1]["answer"]["text"] == "One two"


async def test_stop_reaches_the_provider_and_keeps_what_came(api: Desk) -> None:
    conversation = (await api.new())["id"]
    api.llm.words = ["One", None, " two"]
    send = f"/conversations/{conversation}/messages"
    async with api.reading("POST", send, {"text": "Count"}) as events:
        answer = (await anext(events))[1]["answer"]
        while answer["text"] != "One":
            answer["text"] += (await anext(events))[1]["text"]
        busy = await api.client.post(send, json={"text": "Again"})
        assert (busy.status_code, busy.json()["code"]) == (409, "answer_running")
        stopped = await api.client.post(f"{send}/{answer['id']}/stop")
        last = [event async for event in events]
    assert stopped.json()["status"] == "interrupted"
    assert last[-1] == ("message.done", {"answer": stopped.json()})
    assert api.llm.closed == 1
    stored = (await api.client.get(f"{send}/{answer['id']}")).json()
    assert (stored["text"], stored["status"]) == ("One", "interrupted")
    again = await api.client.post(f"{send}/{answer['id']}/stop")
    assert (again.status_code, again.json()["code"]) == (409, "not_running")
    api.llm.words = ["Fine"]
    await api.say(conversation, "And now?")
    assert "[the user interrupted here]" in api.llm.prompts[-1][2].text


@pytest.mark.parametrize(
    ("broken", "code"),
    [(ChatError("llm_dropped", "it broke off"), "llm_dropped"), (KeyError("x"), "internal_error")],
)
async def test_a_failure_keeps_what_came(api: Desk, broken: BaseException, code: str) -> None:
    conversation = (await api.new())["id"]
    api.llm.words = ["Half", broken]
    said = await api.say(conversation)
    kind, failed = said["events"][-1]
    assert (kind, failed["code"]) == ("message.failed", code)
    assert "KeyError" not in failed["message"]
    place = f"/conversations/{conversation}/messages/{failed['answer']['id']}"
    stored = (await api.client.get(place)).json()
    assert (stored["text"], stored["status"], stored["error"]) == ("Half", "failed", code)
    later = await api.stream("GET", f"{place}/stream")
    assert (later[-1][0], later[-1][1]["code"]) == ("message.failed", code)
    api.llm.words = ["Whole"]
    retried = await api.stream("POST", f"{place}/regenerate", {})
    assert retried[-1][1]["answer"]["text"] == "Whole"
    assert retried[0][1]["message"] is None


async def test_a_model_that_says_nothing_has_failed(api: Desk) -> None:
    api.llm.words = []
    said = await api.say((await api.new())["id"])
    assert said["events"][-1][1]["code"] == "llm_empty"


async def test_an_answer_is_stored_while_it_comes(api: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr("chat.talk.STORE_SECONDS", 0.0)
    monkeypatch.setattr("chat.talk.TELL_SECONDS", 0.01)
    conversation = (await api.new())["id"]
    api.llm.words = ["One", None, " two"]
    send = f"/conversations/{conversation}/messages"
    async with api.reading("POST", send, {"text": "Count"}) as events:
        answer = (await anext(events))[1]["answer"]
        place = (api.storage, "anna", conversation, answer["id"])
        while (stored := await messages.get(*place)).text != "One":
            await asyncio.sleep(0.01)
        assert stored.status == "streaming"
        api.llm.go.set()
        assert [event async for event in events][-1][0] == "message.done"


async def test_deleting_a_conversation_ends_its_answer(api: Desk) -> None:
    conversation = (await api.new())["id"]
    api.llm.words = ["One", None]
    async with api.reading("POST", f"/conversations/{conversation}/messages", {"text": "x"}) as ev:
        text = (await anext(ev))[1]["answer"]["text"]
        while text != "One":
            text += (await anext(ev))[1]["text"]
        assert (await api.client.delete(f"/conversations/{conversation}")).status_code == 204
        assert [kind async for kind, _ in ev][-1] == "message.done"
    assert api.llm.closed == 1
    assert not api.core.talk.find("anna", conversation, "msg_x")


async def test_versions_are_made_compared_and_chosen(api: Desk) -> None:
    conversation = (await api.new())["id"]
    send = f"/conversations/{conversation}/messages"
    first = await api.say(conversation, "Colour?")
    api.llm.words = ["Grey."]
    answer = first["answer"]["id"]
    second = (await api.stream("POST", f"{send}/{answer}/regenerate", {}))[-1][1]["answer"]
    versions = (await api.client.get(f"{send}/{answer}/versions")).json()["messages"]
    assert [m["text"] for m in versions] == ["Hello there.", "Grey."]
    pair = (await api.client.get(f"{send}/{answer}/compare?other={second['id']}")).json()
    assert (pair["one"]["text"], pair["other"]["text"]) == ("Hello there.", "Grey.")
    shown = (await api.client.get(send)).json()["messages"]
    assert shown[-1]["text"] == "Grey."
    assert shown[-1]["versions"] == [answer, second["id"]]
    chosen = (await api.client.post(f"{send}/{answer}/choose")).json()
    assert chosen["head"] == answer
    question = first["message"]["id"]
    edited = await api.stream("POST", f"{send}/{question}/edit", {"text": "Color?"})
    assert edited[0][1]["message"]["parent_id"] is None
    shown = (await api.client.get(send)).json()["messages"]
    assert [m["text"] for m in shown] == ["Color?", "Grey."]
    assert api.llm.prompts[-1][-1].text == "Color?"
    again = await api.stream("POST", f"{send}/{question}/regenerate", {})
    assert again[-1][1]["answer"]["parent_id"] == question
    wrong = await api.client.post(f"{send}/{answer}/edit", json={"text": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_request")
    made = await api.client.post(f"{send}/{answer}/branch", json={"title": "Other"})
    assert made.status_code == 201
    copied = (await api.client.get(f"/conversations/{made.json()['id']}/messages")).json()
    assert [m["text"] for m in copied["messages"]] == ["Colour?", "Hello there."]


async def test_so_many_answers_at_a_time_and_no_more(tmp_path: Path) -> None:
    async with desk(tmp_path, most=3, most_each=2) as api:
        api.llm.words = [None]
        for owner, status in (("a", 201), ("a", 201), ("a", 429), ("b", 201), ("c", 429)):
            headers = {"x-owner": owner, "accept": "application/json"}
            place = (await api.new(headers))["id"]
            answer = await api.client.post(
                f"/conversations/{place}/messages", json={"text": "x"}, headers=headers
            )
            assert answer.status_code == status
            if status == 429:
                assert answer.json()["code"] == "too_many_answers"
                assert answer.headers["retry-after"]


async def test_an_unknown_model_stores_nothing(api: Desk) -> None:
    conversation = (await api.new())["id"]
    send = f"/conversations/{conversation}/messages"
    refused = await api.client.post(send, json={"text": "x", "model": "gpt-9"})
    assert (refused.status_code, refused.json()["code"]) == (422, "llm_unknown")
    assert (await api.client.get(send)).json()["messages"] == []
    await api.say(conversation)


async def test_closing_stores_what_came(tmp_path: Path) -> None:
    async with desk(tmp_path) as api:
        conversation = (await api.new())["id"]
        api.llm.words = ["One", None]
        answer: httpx.Response = await api.client.post(
            f"/conversations/{conversation}/messages",
            json={"text": "x"},
            headers={"accept": "application/json"},
        )
        place = (api.storage, "anna", conversation, answer.json()["answer"]["id"])
        while not api.llm.prompts:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.01)
        await api.core.talk.close()
        stored = await messages.get(*place)
        assert (stored.text, stored.status) == ("One", "interrupted")
