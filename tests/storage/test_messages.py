"""The tree of messages: appended, edited, regenerated, chosen, copied, paged."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from chat.errors import ChatError
from chat.storage import Storage, attachments, conversations, messages
from chat.storage.records import Attachment, Message, NewMessage, StoredCall, now

ME = "me"


def user(text: str, **rest: object) -> NewMessage:
    return NewMessage("user", text, **rest)  # type: ignore[arg-type]


def reply(text: str, **rest: object) -> NewMessage:
    return NewMessage("assistant", text, **rest)  # type: ignore[arg-type]


async def begin(storage: Storage, *texts: str) -> tuple[str, tuple[Message, ...]]:
    """A conversation of these texts, by turns the user's and the assistant's."""
    made = await conversations.create(storage, ME)
    new = [(reply if i % 2 else user)(text) for i, text in enumerate(texts)]
    return made.id, await messages.append(storage, ME, made.id, *new)


async def shown(storage: Storage, id_: str) -> list[str]:
    return [m.text for m in (await messages.page(storage, ME, id_)).messages]


async def code(attempt: object) -> str:
    with pytest.raises(ChatError) as raised:
        await attempt  # type: ignore[misc]
    return raised.value.code


async def test_what_was_appended_is_read_again(storage: Storage) -> None:
    id_, _ = await begin(storage)
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    new = NewMessage(
        "assistant",
        "Hi",
        id="msg_a",
        status="interrupted",
        cut=True,
        spoken=True,
        model="m",
        prompt_tokens=3,
        completion_tokens=4,
        timings={"first_token": 12.5},
        tool_calls=(StoredCall("c1", "look", '{"a": 1}'),),
        tool_call_id="c0",
        audio="a.wav",
        error="cut off",
        created_at=at,
    )
    (made,) = await messages.append(storage, ME, id_, new)
    assert await messages.get(storage, ME, id_, "msg_a") == made
    assert (made.created_at, made.timings, made.cut) == (at, {"first_token": 12.5}, True)
    assert made.tool_calls == (StoredCall("c1", "look", '{"a": 1}'),)
    conversation = await conversations.get(storage, ME, id_)
    assert (conversation.head, conversation.version) == ("msg_a", 2)


async def test_messages_follow_the_head(storage: Storage) -> None:
    id_, made = await begin(storage, "a", "b")
    assert [m.parent_id for m in made] == [None, made[0].id]
    (more,) = await messages.append(storage, ME, id_, user("c"))
    assert more.parent_id == made[1].id
    assert await shown(storage, id_) == ["a", "b", "c"]
    (aside,) = await messages.append(storage, ME, id_, user("d"), move_head=False)
    assert aside.parent_id == more.id
    assert await shown(storage, id_) == ["a", "b", "c"]
    assert await messages.append(storage, ME, id_) == ()


async def test_many_at_once_make_one_line(storage: Storage) -> None:
    id_, _ = await begin(storage)
    await asyncio.gather(*(messages.append(storage, ME, id_, user(str(i))) for i in range(20)))
    found = (await messages.page(storage, ME, id_)).messages
    assert len(found) == 20
    assert [m.parent_id for m in found] == [None, *(m.id for m in found[:-1])]
    assert sorted(int(m.text) for m in found) == list(range(20))
    assert (await conversations.get(storage, ME, id_)).version == 21


async def test_the_same_message_twice_is_one(storage: Storage) -> None:
    id_, _ = await begin(storage)
    first = await messages.append(storage, ME, id_, user("a", id="msg_1"), reply("b", id="msg_2"))
    assert (
        await messages.append(storage, ME, id_, user("a", id="msg_1"), reply("b", id="msg_2"))
        == first
    )
    assert await shown(storage, id_) == ["a", "b"]
    assert await code(messages.append(storage, ME, id_, user("other", id="msg_1"))) == "exists"
    mixed = messages.append(storage, ME, id_, user("a", id="msg_1"), reply("c"))
    assert await code(mixed) == "exists"
    assert len(await messages.everything(storage, ME, id_)) == 2


async def test_what_is_refused(storage: Storage) -> None:
    id_, (first,) = await begin(storage, "a")
    other, _ = await begin(storage, "b")
    for new, expected in (
        (user("x", parent_id="msg_none"), "not_found"),
        (user("x", attachments=("att_none",)), "not_found"),
        (user("x", id="1"), "invalid_request"),
        (user("x" * 1_000_001), "too_large"),
        (user("x", model="m" * 257), "too_large"),
        (user("x", prompt_tokens=-1), "invalid_request"),
        (user("x", id="msg_x", parent_id="msg_x"), "not_found"),
    ):
        assert await code(messages.append(storage, ME, id_, new)) == expected
    across = messages.append(storage, ME, other, user("x", parent_id=first.id))
    assert await code(across) == "not_found"
    assert await code(messages.append(storage, "other", id_, user("x"))) == "not_found"
    assert await code(messages.update(storage, ME, id_, first.id, completion_tokens=-1)) == (
        "invalid_request"
    )
    assert await shown(storage, id_) == ["a"]


async def test_every_way_to_another_owners_messages_is_shut(storage: Storage) -> None:
    id_, (first,) = await begin(storage, "a")
    for attempt in (
        messages.get(storage, "other", id_, first.id),
        messages.page(storage, "other", id_),
        messages.versions(storage, "other", id_, first.id),
        messages.everything(storage, "other", id_),
        messages.update(storage, "other", id_, first.id, text="x"),
        messages.edit(storage, "other", id_, first.id, "x"),
        messages.choose(storage, "other", id_, first.id),
        messages.fork(storage, "other", id_, first.id),
    ):
        assert await code(attempt) == "not_found"
    assert await shown(storage, id_) == ["a"]


async def test_a_growing_reply(storage: Storage) -> None:
    id_, _ = await begin(storage, "a")
    (growing,) = await messages.append(storage, ME, id_, reply("", status="streaming"))
    await messages.update(storage, ME, id_, growing.id, text="He said")
    done = await messages.update(
        storage,
        ME,
        id_,
        growing.id,
        text="He said yes",
        status="complete",
        model="m",
        prompt_tokens=7,
        completion_tokens=3,
        timings={"total": 1.0},
        tool_calls=[StoredCall("c", "f", "{}")],
        audio="s.wav",
        cut=True,
        error="none",
    )
    assert done == await messages.get(storage, ME, id_, growing.id)
    assert (done.text, done.status, done.tool_calls[0].name) == ("He said yes", "complete", "f")
    assert (await conversations.get(storage, ME, id_)).version == 5
    assert await messages.update(storage, ME, id_, growing.id) == done
    assert await code(messages.update(storage, ME, id_, "msg_none", text="x")) == "not_found"


async def test_editing_and_regenerating_keep_every_version(storage: Storage) -> None:
    id_, (question, answer) = await begin(storage, "q1", "a1")
    edited = await messages.edit(storage, ME, id_, question.id, "q2")
    assert (edited.parent_id, edited.role) == (None, "user")
    (second,) = await messages.append(storage, ME, id_, reply("a2"))
    (third,) = await messages.append(storage, ME, id_, reply("a3", parent_id=edited.id))
    assert await shown(storage, id_) == ["q2", "a3"]
    assert [m.text for m in await messages.versions(storage, ME, id_, third.id)] == ["a2", "a3"]
    page = await messages.page(storage, ME, id_)
    assert page.versions == {
        edited.id: (question.id, edited.id),
        third.id: (second.id, third.id),
    }
    back = await messages.choose(storage, ME, id_, question.id)
    assert back.head == answer.id
    assert await shown(storage, id_) == ["q1", "a1"]
    forth = await messages.choose(storage, ME, id_, edited.id)
    assert forth.head == third.id
    assert (await messages.choose(storage, ME, id_, third.id)).version == forth.version
    assert await code(messages.choose(storage, ME, id_, "msg_none")) == "not_found"
    other = await messages.page(storage, ME, id_, head=second.id)
    assert [m.text for m in other.messages] == ["q2", "a2"]
    assert await code(messages.page(storage, ME, id_, head="msg_none")) == "not_found"
    assert [m.text for m in await messages.everything(storage, ME, id_)] == [
        "q1", "a1", "q2", "a2", "a3",
    ]  # fmt: skip


async def test_older_messages_come_page_by_page(storage: Storage) -> None:
    id_, _ = await begin(storage, *map(str, range(11)))
    pages, cursor = [], None
    while True:
        page = await messages.page(storage, ME, id_, cursor=cursor, limit=4)
        pages.append([m.text for m in page.messages])
        cursor = page.cursor
        if cursor is None:
            break
        await messages.append(storage, ME, id_, user("later"))  # moves nothing under the reader
    assert pages == [["7", "8", "9", "10"], ["3", "4", "5", "6"], ["0", "1", "2"]]
    assert await code(messages.page(storage, ME, id_, cursor="x")) == "invalid_request"
    assert (await messages.page(storage, ME, (await begin(storage))[0])).messages == ()


async def attach(storage: Storage, name: str) -> Attachment:
    return await attachments.add(
        storage, ME, name=name, media_type="image/png", size=3, stored_name=f"{name}.bin"
    )


async def test_attachments_travel_with_messages(storage: Storage) -> None:
    id_, _ = await begin(storage)
    one, two = await attach(storage, "one"), await attach(storage, "two")
    new = user("look", attachments=(two.id, one.id, two.id))
    (made,) = await messages.append(storage, ME, id_, new)
    assert made.attachments == (two, one)
    assert await messages.get(storage, ME, id_, made.id) == made
    edited = await messages.edit(storage, ME, id_, made.id, "look again")
    assert edited.attachments == (two, one)
    assert await code(attachments.remove(storage, ME, one.id)) == "in_use"


async def test_files_are_named_for_removal_when_nothing_has_them(storage: Storage) -> None:
    id_, _ = await begin(storage)
    kept, shared = await attach(storage, "kept"), await attach(storage, "shared")
    new = user("x", attachments=(kept.id, shared.id), audio="said.wav")
    (made,) = await messages.append(storage, ME, id_, new)
    copy = await messages.fork(storage, ME, id_, made.id)
    alone = await attach(storage, "alone")
    await conversations.delete(storage, ME, id_)
    assert (await conversations.purge(storage, before=now())).files == ()
    assert (await attachments.purge_unused(storage, before=now())).files == ("alone.bin",)
    assert await attachments.list_ids(storage, ME, [alone.id, kept.id]) == (kept,)
    await conversations.delete(storage, ME, copy.id)
    gone = await conversations.purge(storage, before=now())
    assert gone.files == ("kept.bin", "said.wav", "shared.bin")
    assert await attachments.list_ids(storage, ME, [kept.id, shared.id]) == ()


async def test_a_branch_becomes_a_conversation_of_its_own(storage: Storage) -> None:
    id_, (question, answer, _) = await begin(storage, "q", "a", "more")
    await conversations.update(storage, ME, id_, title="Old")
    copy = await messages.fork(storage, ME, id_, answer.id)
    assert (copy.title, copy.title_source, copy.version) == ("Old", "given", 3)
    assert await conversations.get(storage, ME, copy.id) == copy
    assert await shown(storage, copy.id) == ["q", "a"]
    copied = await messages.everything(storage, ME, copy.id)
    assert copied[0].created_at == question.created_at
    assert {m.id for m in copied}.isdisjoint({question.id, answer.id})
    assert await shown(storage, id_) == ["q", "a", "more"]
    named = await messages.fork(storage, ME, id_, question.id, title="New", id="conv_new")
    assert (named.id, named.title) == ("conv_new", "New")
    assert await code(messages.fork(storage, ME, id_, question.id, id="conv_new")) == "exists"
    assert await code(messages.fork(storage, ME, id_, question.id, id="x")) == "invalid_request"
    assert await code(messages.fork(storage, ME, id_, "msg_none")) == "not_found"


async def test_replies_a_dead_server_left_are_settled(storage: Storage) -> None:
    id_, _ = await begin(storage, "a")
    (growing,) = await messages.append(storage, ME, id_, reply("so f", status="streaming"))
    assert await messages.settle(storage, before=growing.created_at) == 0
    assert await messages.settle(storage, before=now() + timedelta(seconds=1)) == 1
    assert (await messages.get(storage, ME, id_, growing.id)).status == "interrupted"
