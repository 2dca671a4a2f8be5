from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.conversation import CallItem, Item, MessageItem, OutputItem
from chat.prompts import CUT_MARK, DROP_STEP, INSTRUCTIONS, message_tokens, prompt, tool_tokens
from chat.providers import Message, Tool, ToolCall

PLENTY = 100_000


def user(text: str | None, item_id: str = "u") -> MessageItem:
    return MessageItem(item_id, "user", text)


def assistant(text: str, cut: bool = False) -> MessageItem:
    return MessageItem("a", "assistant", text, cut)


def history(*items: Item) -> list[Message]:
    return prompt("", items, PLENTY)


def test_the_default_prompt_is_short_and_always_the_same() -> None:
    assert len(INSTRUCTIONS.split()) < 40
    assert not any(character.isdigit() for character in INSTRUCTIONS)


def test_instructions_come_first() -> None:
    assert prompt("Be kind.", [user("Hi")], PLENTY) == [
        Message("system", "Be kind."),
        Message("user", "Hi"),
    ]
    assert prompt("", [], PLENTY) == []


def test_an_interrupted_answer_says_so() -> None:
    assert history(user("Count."), assistant("One, two", cut=True), user("Stop.")) == [
        Message("user", "Count."),
        Message("assistant", f"One, two{CUT_MARK}"),
        Message("user", "Stop."),
    ]


def test_an_answer_of_which_nothing_was_heard_is_left_out() -> None:
    assert history(user("Count."), assistant("", cut=True), user("Stop.")) == [
        Message("user", "Count.\nStop.")
    ]


def test_speech_without_transcript_is_left_out() -> None:
    assert history(user("One."), assistant("Two."), user(None)) == [
        Message("user", "One."),
        Message("assistant", "Two."),
    ]


def test_call_and_output() -> None:
    assert history(
        user("Weather?"),
        assistant("Let me see."),
        CallItem("c", "1", "weather", "{}"),
        OutputItem("o", "1", "sunny"),
        assistant("It is sunny."),
    ) == [
        Message("user", "Weather?"),
        Message("assistant", "Let me see.", (ToolCall("1", "weather", "{}"),)),
        Message("tool", "sunny", tool_call_id="1"),
        Message("assistant", "It is sunny."),
    ]


def test_an_output_follows_its_call_whatever_was_said_meanwhile() -> None:
    assert history(
        user("Weather?"),
        CallItem("c", "1", "weather", "{}"),
        CallItem("d", "2", "time", "{}"),
        user("Hello?"),
        OutputItem("p", "2", "noon"),
        OutputItem("o", "1", "sunny"),
    ) == [
        Message("user", "Weather?"),
        Message("assistant", "", (ToolCall("1", "weather", "{}"), ToolCall("2", "time", "{}"))),
        Message("tool", "sunny", tool_call_id="1"),
        Message("tool", "noon", tool_call_id="2"),
        Message("user", "Hello?"),
    ]


def test_half_a_pair_is_left_out() -> None:
    assert history(CallItem("c", "1", "f", "{}"), user("Hi"), OutputItem("o", "2", "x")) == [
        Message("user", "Hi")
    ]


def test_the_same_call_id_twice_is_one_call() -> None:
    call, output = CallItem("c", "1", "f", "{}"), OutputItem("o", "1", "x")
    again = history(call, output, user("Hi"), call, output)
    assert [message.role for message in again] == ["assistant", "tool", "user"]


def test_the_oldest_turns_are_dropped() -> None:
    items = [item for n in range(50) for item in (user(f"question {n}"), assistant("x" * 80))]
    messages = prompt("Be kind.", items, 300)
    assert messages[0] == Message("system", "Be kind.")
    assert messages[1].role == "user"
    assert messages[-2].text == "question 49"
    assert sum(map(message_tokens, messages)) <= 300


def test_tools_take_their_part_of_the_budget() -> None:
    tool = Tool("weather", "tells the weather " * 20, {"type": "object"})
    items = [user("x" * 100) if n % 2 == 0 else assistant("y" * 100) for n in range(20)]
    messages = prompt("", items, 400, tools=[tool])
    assert sum(map(message_tokens, messages)) + tool_tokens(tool) <= 400


def test_the_newest_turn_is_kept_even_if_too_long() -> None:
    items = [user("old"), assistant("answer"), user("x" * 10_000)]
    assert prompt("", items, 10) == [Message("user", "x" * 10_000)]


@pytest.mark.parametrize("turn_length", [40, 400])
def test_the_beginning_moves_seldom(turn_length: int) -> None:
    items: list[Item] = []
    first: list[str] = []
    for n in range(200):
        items += [user(f"{n} " + "x" * turn_length), assistant("yes")]
        first.append(prompt("", items, 2000)[0].text)
    moves = sum(1 for one, following in pairwise(first) if one != following)
    total = sum(map(message_tokens, prompt("", items, PLENTY)))
    assert 0 < moves <= 2 * total // (2000 // DROP_STEP)


texts = st.text(min_size=1, max_size=60)
call_ids = st.sampled_from("1234")
items = st.lists(
    st.one_of(
        st.builds(MessageItem, st.just("i"), st.sampled_from(["user", "system"]), texts),
        st.builds(MessageItem, st.just("i"), st.just("assistant"), texts, st.booleans()),
        st.builds(user, st.none()),
        st.builds(CallItem, st.just("i"), call_ids, st.just("f"), st.just("{}")),
        st.builds(OutputItem, st.just("i"), call_ids, texts),
    ),
    max_size=30,
)


@given(items, st.integers(0, 400))
def test_every_prompt_is_well_formed(items: list[Any], budget: int) -> None:
    messages = prompt("Be kind.", items, budget)
    everything = prompt("Be kind.", items, PLENTY)
    assert messages[0] == Message("system", "Be kind.")
    assert messages[1:] == everything[len(everything) - len(messages) + 1 :]  # the newest are kept
    assert messages[-1] == everything[-1]
    turns = sum(1 for message in messages[1:] if message.role == "user")
    if sum(map(message_tokens, messages)) > budget:
        assert turns <= 1
    open_calls: list[str] = []
    for message in messages:
        if message.role == "tool":
            assert message.tool_call_id == open_calls.pop(0)
        else:
            assert not open_calls
        open_calls += [call.id for call in message.tool_calls]
        assert message.text or message.tool_calls
    assert not open_calls


@given(items)
def test_nothing_is_dropped_that_fits(items: list[Any]) -> None:
    everything = prompt("", items, PLENTY)
    assert prompt("", items, sum(map(message_tokens, everything))) == everything
