from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.conversation import ROOT, CallItem, Conversation, Item, MessageItem, OutputItem
from chat.errors import ChatError


def said(item_id: str, text: str | None = "words", role: str = "user") -> MessageItem:
    return MessageItem(item_id, role, text)  # type: ignore[arg-type]


def holding(*items: Item) -> Conversation:
    conversation = Conversation()
    for item in items:
        conversation.add(item)
    return conversation


def code(caught: pytest.ExceptionInfo[ChatError]) -> str:
    return caught.value.code


def test_items_keep_their_order() -> None:
    conversation = holding(said("a"), said("c"))
    conversation.add(said("b"), after="a")
    conversation.add(said("first"), after=ROOT)
    conversation.add(said("last"))
    assert conversation.ids == ("first", "a", "b", "c", "last")
    assert [item.id for item in conversation] == list(conversation.ids)
    assert conversation.previous_id("b") == "a"
    assert conversation.previous_id("first") is None
    assert len(conversation) == 5


def test_after_in_an_empty_conversation() -> None:
    conversation = Conversation()
    conversation.add(said("a"), after=ROOT)
    assert conversation.ids == ("a",)


@pytest.mark.parametrize(
    "operation",
    [
        lambda c: c.get("x"),
        lambda c: c.delete("x"),
        lambda c: c.set_text("x", ""),
        lambda c: c.truncate("x", ""),
        lambda c: c.previous_id("x"),
        lambda c: c.previous_id(ROOT),
        lambda c: c.add(said("new"), after="x"),
    ],
)
def test_an_unknown_id(operation: object) -> None:
    conversation = holding(said("a"))
    with pytest.raises(ChatError) as caught:
        operation(conversation)  # type: ignore[operator]
    assert code(caught) == "item_not_found"
    assert conversation.ids == ("a",)


@pytest.mark.parametrize("item_id", ["a", ROOT])
def test_an_id_that_is_taken(item_id: str) -> None:
    conversation = holding(said("a", "old"))
    with pytest.raises(ChatError) as caught:
        conversation.add(said(item_id, "new"))
    assert code(caught) == "item_exists"
    assert list(conversation) == [said("a", "old")]


def test_a_transcript_comes_later() -> None:
    conversation = holding(said("a", None))
    assert conversation.set_text("a", "hello") == said("a", "hello")
    assert conversation.get("a") == said("a", "hello")


def test_truncating_keeps_what_was_heard() -> None:
    conversation = holding(said("q"), said("a", "One, two, three.", "assistant"), said("r"))
    conversation.truncate("a", "One, two")
    assert conversation.get("a") == MessageItem("a", "assistant", "One, two", cut=True)
    assert conversation.ids == ("q", "a", "r")


def test_only_assistant_messages_can_be_truncated() -> None:
    conversation = holding(said("q"), CallItem("c", "1", "f", "{}"), OutputItem("o", "1", "x"))
    for item_id, expected in (
        ("q", "item_not_assistant"),
        ("c", "item_not_message"),
        ("o", "item_not_message"),
    ):
        with pytest.raises(ChatError) as caught:
            conversation.truncate(item_id, "")
        assert code(caught) == expected


def test_changing_while_iterating() -> None:
    conversation = holding(said("a"), said("b"))
    for item in conversation:
        conversation.delete(item.id)
    assert conversation.ids == ()


ids = st.sampled_from("abcdef")
operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), ids, st.none() | ids | st.just(ROOT)),
        st.tuples(st.just("delete"), ids, st.none()),
    )
)


@given(operations)
def test_behaves_like_a_list_of_ids(steps: list[tuple[str, str, str | None]]) -> None:
    conversation, model = Conversation(), list[str]()
    for operation, item_id, after in steps:
        before = list(model)
        try:
            if operation == "delete":
                conversation.delete(item_id)
                model.remove(item_id)
            else:
                conversation.add(said(item_id), after=after)
                place = len(model) if after is None else 0
                place = place if after in {None, ROOT} else model.index(str(after)) + 1
                model.insert(place, item_id)
        except ChatError as error:
            missing = item_id not in before
            assert error.code == ("item_not_found" if missing else "item_exists")
        assert conversation.ids == tuple(model)
        assert len(set(model)) == len(model)
