"""What is said is written down: as it was heard, in order, whatever is taken back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.notebook import Notebook, compare, message_id
from chat.storage import LOCAL_OWNER, Storage, conversations, messages, open_storage
from chat.storage.records import Message, NewMessage
from tests.scripted.script import Script
from tests.test_gateway import Running, ask_in_text, running
from tests.test_line import Guest


class Shelf:
    """A storage, and what was told of it."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.told: list[str] = []
        self.first: list[str] = []
        self.notebook = Notebook(storage, tell=self.tell, first_exchange=self.first_exchange)

    def tell(self, owner: str, kind: str, value: Any) -> None:
        assert owner == LOCAL_OWNER
        self.told.append(kind)

    async def first_exchange(self, owner: str, conversation_id: str) -> None:
        self.first.append(conversation_id)

    async def read(self, conversation_id: str) -> tuple[Message, ...]:
        page = await messages.page(self.storage, LOCAL_OWNER, conversation_id)
        return page.messages


@asynccontextmanager
async def shelved(
    script: Script, folder: Path, **given: Any
) -> AsyncIterator[tuple[Running, Shelf]]:
    storage = await open_storage("", data_dir=folder)
    try:
        async with running(script, **given) as server:
            shelf = Shelf(storage)
            server.service.gateway.notebook = shelf.notebook
            yield server, shelf
    finally:
        await storage.close()


async def send(guest: Guest, kind: str, **fields: Any) -> None:
    await guest.socket.send(json.dumps({"type": kind, **fields}))


async def attached(guest: Guest, number: int = 1) -> str:
    """The id of the conversation, once it has one."""
    while True:
        told = [e for e in guest.events if e["type"] == "conversation.attached"]
        ids = [event["conversation_id"] for event in told if event["conversation_id"]]
        if len(ids) >= number:
            return str(ids[-1])
        await guest.read()


async def heard(guest: Guest) -> dict[str, Any]:
    """Wait for the newest reply's end, and say that all of it was heard."""
    before = guest.types.count("response.done")
    while guest.types.count("response.done") == before:
        await guest.read()
    return await heard_so_far(guest, 10**7)


async def heard_so_far(guest: Guest, ms: int) -> dict[str, Any]:
    """Say how much of the newest reply was heard; returns its message."""
    response = [e for e in guest.events if e["type"] == "response.done"][-1]["response"]
    item: dict[str, Any] = response["output"][0]
    await send(guest, "output_audio_buffer.played", item_id=item["id"], audio_end_ms=ms)
    return item


async def until(shelf: Shelf, conversation_id: str, count: int) -> tuple[Message, ...]:
    async with asyncio.timeout(20):
        while len(found := await shelf.read(conversation_id)) < count:
            await asyncio.sleep(0.02)
    return found


async def test_a_conversation_is_written_down_and_gone_on_with(tmp_path: Path) -> None:
    script = Script().answers("Paris, of course.").answers("Lyon.").answers("Nice.")
    async with shelved(script, tmp_path) as (server, shelf):
        guest = Guest(server)
        await guest.connect()
        await send(guest, "conversation.attach")
        await ask_in_text(guest.socket, "What is the capital?")
        item = await heard(guest)
        name = await attached(guest)
        asked, answered = await until(shelf, name, 2)
        assert (asked.role, asked.text, asked.spoken) == ("user", "What is the capital?", False)
        assert (answered.text, answered.status) == ("Paris, of course.", "complete")
        assert answered.spoken
        assert answered.parent_id == asked.id
        assert answered.timings["tts"] >= 0
        async with asyncio.timeout(20):
            while not shelf.first:
                await asyncio.sleep(0.02)
        assert shelf.first == [name]
        assert shelf.told[0] == "conversation.created"
        assert answered.id == message_id(item["id"])
        await guest.socket.close()

        other = Guest(server)
        await other.connect()
        await send(other, "conversation.attach", conversation_id=name)
        assert await attached(other) == name
        await ask_in_text(other.socket, "And then?")
        await heard(other)
        texts = [message.text for message in server.log.prompts[-1]][1:]
        assert texts == ["What is the capital?", "Paris, of course.", "And then?"]
        assert [m.text for m in await until(shelf, name, 4)] == [*texts, "Lyon."]


async def test_of_an_interrupted_reply_what_was_heard_is_written(tmp_path: Path) -> None:
    async with shelved(Script().answers("One two three four five."), tmp_path) as (server, shelf):
        guest = Guest(server)
        await guest.connect()
        await send(guest, "conversation.attach")
        await ask_in_text(guest.socket, "Count.")
        await guest.read_until("response.done")
        item = next(e for e in guest.events if e["type"] == "response.done")["response"]["output"][
            0
        ]
        words = next(e for e in guest.events if e["type"] == "response.output_audio.words")["words"]
        cut = {"content_index": 0, "audio_end_ms": words[1]["end_ms"]}
        await send(guest, "conversation.item.truncate", item_id=item["id"], **cut)
        _, answered = await until(shelf, await attached(guest), 2)
        assert (answered.text, answered.status, answered.cut) == ("One two", "interrupted", True)


async def test_an_answer_that_is_made_again_is_another_version(tmp_path: Path) -> None:
    script = Script().answers("Blue.").answers("Green.")
    async with shelved(script, tmp_path) as (server, shelf):
        guest = Guest(server)
        await guest.connect()
        await send(guest, "conversation.attach")
        await ask_in_text(guest.socket, "A colour?")
        item = await heard(guest)
        name = await attached(guest)
        await until(shelf, name, 2)
        await send(guest, "conversation.item.delete", item_id=item["id"])
        await send(guest, "response.create")
        await heard(guest)
        async with asyncio.timeout(20):
            while (await shelf.read(name))[-1].text != "Green.":
                await asyncio.sleep(0.02)
        page = await messages.page(shelf.storage, LOCAL_OWNER, name)
        assert len(page.messages) == 2
        assert len(page.versions[page.messages[-1].id]) == 2


async def leave_after_two_words(guest: Guest) -> tuple[str, int]:
    """Ask, hear two words, and go: the conversation's id, and how many ms that was."""
    await send(guest, "conversation.attach")
    await ask_in_text(guest.socket, "Count.")
    name = await attached(guest)
    await guest.read_until("response.done")
    words = next(e for e in guest.events if e["type"] == "response.output_audio.words")["words"]
    await heard_so_far(guest, words[1]["end_ms"])
    await guest.socket.close()
    return name, words[1]["end_ms"]


async def test_what_is_said_last_is_written_when_the_client_leaves(tmp_path: Path) -> None:
    async with shelved(Script().answers("One two three four five."), tmp_path) as (server, shelf):
        guest = Guest(server)
        await guest.connect()
        name, _ = await leave_after_two_words(guest)
        _, answered = await until(shelf, name, 2)
        assert (answered.text, answered.cut) == ("One two", True)


async def test_a_conversation_that_is_deleted_meanwhile_stops_nobody(tmp_path: Path) -> None:
    script = Script().answers("Blue.").answers("Green.")
    async with shelved(script, tmp_path) as (server, shelf):
        guest = Guest(server)
        await guest.connect()
        await send(guest, "conversation.attach", conversation_id="conv_nobodys")
        await guest.read_until("error")
        assert guest.events[-1]["error"]["code"] == "not_found"
        await send(guest, "conversation.attach")
        await ask_in_text(guest.socket)
        await heard(guest)
        await conversations.delete(shelf.storage, LOCAL_OWNER, await attached(guest))
        await ask_in_text(guest.socket)
        await heard(guest)


async def test_where_nothing_is_kept_that_is_said() -> None:
    async with running() as server:
        server.service.gateway.notebook = None
        guest = Guest(server)
        await guest.connect()
        await send(guest, "conversation.attach")
        await guest.read_until("error")
        assert guest.events[-1]["error"]["code"] == "not_stored"


TEXTS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y"])), max_size=6)


@given(TEXTS, TEXTS)
def test_what_was_written_is_not_written_again(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    said = [NewMessage("user", text, id=f"msg_{name}") for name, text in dict(before).items()]
    then = [NewMessage("user", text, id=f"msg_{name}") for name, text in dict(after).items()]
    first = compare({}, said)
    assert [m.text for m in first.new] == [m.text for m in said]
    assert first.other == ()
    written = {message.id: message for message in first.new}
    assert compare(written, said) == ((), ())
    changes = compare(written, then)
    assert {m.id for m in changes.new} == {m.id for m in then} - set(written)
    assert {m.id for m in changes.other} == {
        m.id for m in then if m.id in written and written[m.id].text != m.text
    }
    parents = {m.id: (then[i - 1].id if i else None) for i, m in enumerate(then)}
    assert all(message.parent_id == parents[message.id] for message in changes.new)


@pytest.mark.parametrize(
    ("item", "message"),
    [("item_abc", "msg_abc"), ("msg_abc", "msg_abc"), ("msg_abc:1", "msg_abc")],
)
def test_items_have_the_names_of_messages(item: str, message: str) -> None:
    assert message_id(item) == message


def test_any_name_of_an_item_gives_one_of_a_message() -> None:
    for strange in ("", "item_", "ünï", "x" * 500, "msg_" + "y" * 90):
        assert message_id(strange).startswith("msg_")
        assert len(message_id(strange)) <= 60
