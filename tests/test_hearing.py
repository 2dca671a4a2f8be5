"""Partial transcripts: stable words only grow, and long turns are settled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.hearing import Hearing


def stable_after(*hypotheses: str, language: str = "en") -> str:
    hearing = Hearing(0)
    for text in hypotheses:
        hearing.overhear(text, language)
    return hearing.agreed


@pytest.mark.parametrize(
    ("hypotheses", "stable"),
    [
        (["I want"], ""),
        (["I want", "I want tea"], "I want"),
        (["I want tea.", "I want tea and cake"], "I want tea"),
        (["I wand", "I want tea"], "I"),
        (["I want TEA,", "i want tea please now"], "i want tea"),
        (["one two", "one two"], "one"),
        (["one two three", "one two four five", "one two four five six"], "one two four five"),
        (["", "anything at all"], ""),
    ],
)
def test_words_two_hypotheses_agree_on_are_stable(hypotheses: list[str], stable: str) -> None:
    assert stable_after(*hypotheses) == stable


def test_scripts_without_spaces_agree_by_character() -> None:
    assert stable_after("今日は", "今日は晴れ", language="ja") == "今日は"


@given(st.lists(st.text(alphabet="ab .", max_size=12), max_size=8), st.booleans())
def test_what_the_client_was_told_only_grows(hypotheses: list[str], settles: bool) -> None:
    hearing = Hearing(0)
    told = ""
    for n, tail in enumerate(hypotheses):
        # The recogniser's promise: a transcript begins with the prefix it was given.
        hearing.overhear(hearing.agreed + tail, "en")
        told += hearing.news()
        assert told == hearing.told
        if settles and n % 3 == 2:
            hearing.settle(n, hearing.agreed + " and more", "en")
            told += hearing.news()
    final = hearing.whole(hearing.agreed + " the end")
    told += hearing.news(final)
    assert told == final


def test_a_settled_part_is_not_heard_again() -> None:
    hearing = Hearing(0)
    hearing.overhear("Once upon a time", "en")
    hearing.settle(160_000, "Once upon a time.", "en")
    assert (hearing.start, hearing.agreed) == (160_000, "")
    assert hearing.whole("There was a king.") == "Once upon a time. There was a king."


def test_a_final_transcript_that_contradicts_the_partials_tells_no_delta() -> None:
    hearing = Hearing(0)
    hearing.overhear("I want tea", "en")
    hearing.overhear("I want tea now", "en")
    assert hearing.news() == "I want tea"
    assert hearing.news("You won") == ""
