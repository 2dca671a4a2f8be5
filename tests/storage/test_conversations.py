"""Conversations: made, listed, changed, deleted and restored, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chat.errors import ChatError
from chat.storage import Storage, conversations, messages
from chat.storage.records import NewMessage, VersionConflict, now

ME = "me"
OTHER = "other"
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_new_one_has_a_temporary_title_and_is_found(storage: Storage) -> None:
    made = await conversations.create(storage, ME)
    assert (made.title, made.title_source, made.version) == ("New chat", "temporary", 1)
    assert made.id.startswith("conv_")
    assert not made.ephemeral
    assert await conversations.get(storage, ME, made.id) == made


async def test_making_it_again_returns_what_is_there(storage: Storage) -> None:
    first = await conversations.create(storage, ME, id="conv_1", title="One", tags=["a"])
    again = await conversations.create(storage, ME, id="conv_1", title="Two")
    assert again == first
    await conversations.delete(storage, ME, "conv_1")
    with pytest.raises(ChatError, match="deleted") as raised:
        await conversations.create(storage, ME, id="conv_1")
    assert raised.value.code == "exists"


async def test_ids_have_a_form(storage: Storage) -> None:
    for id_ in ("1", "msg_1", "conv_", "conv_a b", "conv_" + "x" * 60, "conv_\0"):
        with pytest.raises(ChatError) as raised:
            await conversations.create(storage, ME, id=id_)
        assert raised.value.code == "invalid_request"


async def test_two_owners_may_use_the_same_id_and_see_only_their_own(storage: Storage) -> None:
    await conversations.create(storage, ME, id="conv_1", title="Mine", tags=["t"])
    await conversations.create(storage, OTHER, id="conv_1", title="Theirs")
    assert (await conversations.get(storage, ME, "conv_1")).title == "Mine"
    assert (await conversations.get(storage, OTHER, "conv_1")).tags == ()
    await conversations.update(storage, OTHER, "conv_1", title="Changed", tags=["u"])
    await conversations.delete(storage, OTHER, "conv_1")
    assert (await conversations.get(storage, ME, "conv_1")).title == "Mine"
    assert (await conversations.list_page(storage, OTHER)).conversations == ()
    assert await conversations.tags(storage, ME) == (("t", 1),)
    assert await conversations.tags(storage, OTHER) == ()


async def test_nothing_of_another_owner_is_reached(storage: Storage) -> None:
    theirs = await conversations.create(storage, OTHER)
    for attempt in (
        conversations.get(storage, ME, theirs.id),
        conversations.update(storage, ME, theirs.id, title="x"),
        conversations.delete(storage, ME, theirs.id),
        conversations.restore(storage, ME, theirs.id),
    ):
        with pytest.raises(ChatError) as raised:
            await attempt
        assert raised.value.code == "not_found"
    assert await conversations.get(storage, OTHER, theirs.id) == theirs


async def test_changes_count_versions_and_a_stale_one_is_refused(storage: Storage) -> None:
    made = await conversations.create(storage, ME)
    changed = await conversations.update(
        storage, ME, made.id, expected_version=1, title=" Trip ", pinned=True, draft="so\0 far"
    )
    assert (changed.title, changed.title_source, changed.pinned) == ("Trip", "given", True)
    assert (changed.draft, changed.version) == ("so far", 2)
    assert changed.updated_at == made.updated_at
    with pytest.raises(VersionConflict) as raised:
        await conversations.update(storage, ME, made.id, expected_version=1, archived=True)
    assert raised.value.code == "version_conflict"
    assert raised.value.current == changed
    with pytest.raises(VersionConflict):
        await conversations.delete(storage, ME, made.id, expected_version=1)
    assert await conversations.update(storage, ME, made.id) == changed


async def test_a_made_title_replaces_only_a_temporary_one(storage: Storage) -> None:
    made = await conversations.create(storage, ME)
    titled = await conversations.update(
        storage, ME, made.id, title="About cats", title_source="made"
    )
    assert (titled.title, titled.title_source) == ("About cats", "made")
    given = await conversations.update(storage, ME, made.id, title="Cats")
    late = await conversations.update(storage, ME, made.id, title="Dogs", title_source="made")
    assert late == given


async def test_bounds(storage: Storage) -> None:
    made = await conversations.create(storage, ME)
    for change in ({"title": "x" * 301}, {"draft": "x" * 100_001}, {"tags": ["x" * 65]}):
        with pytest.raises(ChatError) as raised:
            await conversations.update(storage, ME, made.id, **change)  # type: ignore[arg-type]
        assert raised.value.code == "too_large"
    with pytest.raises(ChatError) as raised:
        await conversations.update(storage, ME, made.id, tags=[str(i) for i in range(33)])
    assert raised.value.code == "too_large"
    with pytest.raises(ChatError) as raised:
        await conversations.update(storage, ME, made.id, title="  ")
    assert raised.value.code == "invalid_request"
    odd = await conversations.update(storage, ME, made.id, title="a\ud800b")
    assert odd.title == "a�b"


async def test_tags_keep_their_order_and_are_counted(storage: Storage) -> None:
    one = await conversations.create(storage, ME, tags=["b", "a", " b ", ""])
    assert one.tags == ("b", "a")
    two = await conversations.create(storage, ME, tags=["a"])
    assert await conversations.tags(storage, ME) == (("a", 2), ("b", 1))
    page = await conversations.list_page(storage, ME, tag="b")
    assert [found.id for found in page.conversations] == [one.id]
    changed = await conversations.update(storage, ME, two.id, tags=["c"])
    assert changed.tags == ("c",)
    assert (await conversations.get(storage, ME, two.id)).tags == ("c",)


async def test_pages_lead_through_all_of_them(storage: Storage) -> None:
    for i in range(7):
        at = DAY + timedelta(minutes=i // 2)  # pairs share their time
        await conversations.create(storage, ME, id=f"conv_{i}", created_at=at)
    seen, cursor = [], None
    while True:
        page = await conversations.list_page(storage, ME, cursor=cursor, limit=3)
        seen += [found.id for found in page.conversations]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"conv_{i}" for i in (6, 5, 4, 3, 2, 1, 0)]
    for wrong in ("x", "AAAA", "eHx5", "\0", "é"):
        with pytest.raises(ChatError) as raised:
            await conversations.list_page(storage, ME, cursor=wrong)
        assert raised.value.code == "invalid_request"


async def test_filters(storage: Storage) -> None:
    for i, flags in enumerate(({}, {"pinned": True}, {"archived": True}, {})):
        at = DAY + timedelta(days=i)
        await conversations.create(storage, ME, id=f"conv_{i}", created_at=at, **flags)

    async def ids(**filters: object) -> list[str]:
        page = await conversations.list_page(storage, ME, **filters)  # type: ignore[arg-type]
        return [found.id[-1] for found in page.conversations]

    assert await ids() == ["3", "1", "0"]
    assert await ids(archived=None) == ["3", "2", "1", "0"]
    assert await ids(archived=True) == ["2"]
    assert await ids(pinned=True) == ["1"]
    assert await ids(pinned=False) == ["3", "0"]
    assert await ids(since=DAY + timedelta(days=1)) == ["3", "1"]
    assert await ids(until=DAY + timedelta(days=1)) == ["0"]
    assert await ids(limit=-5) == ["3"]


async def test_deleted_ones_come_back_until_they_are_purged(storage: Storage) -> None:
    made = await conversations.create(storage, ME, tags=["a"])
    await messages.append(storage, ME, made.id, NewMessage("user", "hello"))
    gone = await conversations.delete(storage, ME, made.id)
    assert gone.deleted_at is not None
    with pytest.raises(ChatError):
        await conversations.get(storage, ME, made.id)
    with pytest.raises(ChatError):
        await messages.append(storage, ME, made.id, NewMessage("user", "more"))
    assert await conversations.get(storage, ME, made.id, deleted=True) == gone
    assert (await conversations.list_page(storage, ME)).conversations == ()
    assert (await conversations.list_page(storage, ME, deleted=True)).conversations == (gone,)
    back = await conversations.restore(storage, ME, made.id)
    assert (back.deleted_at, back.tags, back.version) == (None, ("a",), 4)
    assert await conversations.restore(storage, ME, made.id) == back
    assert (await conversations.purge(storage, before=now())).conversations == 0
    await conversations.delete(storage, ME, made.id)
    assert (await conversations.purge(storage, before=now())).conversations == 1
    with pytest.raises(ChatError):
        await conversations.restore(storage, ME, made.id)
    again = await conversations.create(storage, ME, id=made.id)
    assert await messages.everything(storage, ME, again.id) == ()
