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


@pytest.mark.parametrize(
    ("agreed", "heard", "settled", "left"),
    [
        # The cut lies within the agreed words: those after it stay agreed.
        ("one two three four five", "One two three.", "one two three", "four five"),
        # A word was understood otherwise: what was agreed on, and told, stays.
        ("one two three four five", "one too three", "one two three", "four five"),
        # A word is missing, or is there twice.
        ("one two three four five six", "one three four", "one two three four", "five six"),
        ("one two three four five", "one two two three", "one two three", "four five"),
        # More was heard than is agreed on.
        ("one two", "One two three.", "one two three.", ""),
        ("", "one two", "one two", ""),
        # Nothing was heard there.
        ("one two", "", "", "one two"),
    ],
)
def test_a_long_stretch_is_divided_between_words(
    agreed: str, heard: str, settled: str, left: str
) -> None:
    hearing = Hearing(0)
    hearing.overhear(agreed, "en")
    hearing.overhear(f"{agreed} and", "en")
    assert hearing.agreed == agreed
    told = hearing.news()
    hearing.divide(1000, heard, "en")
    assert (hearing.start, hearing.whole(""), hearing.agreed) == (1000, settled, left)
    told += hearing.news()
    # The next hypothesis begins with what is left; nothing is lost or told twice.
    told += hearing.news(hearing.whole(f"{left} end".strip()))
    assert told == " ".join(f"{settled} {left} end".split())


def test_words_heard_before_a_long_stretch_was_divided_can_be_agreed_on_after_it() -> None:
    hearing = Hearing(0)
    hearing.overhear("one two three four five six", "en")
    hearing.divide(1000, "one two three", "en")
    hearing.overhear("four five six seven", "en")
    assert hearing.whole(hearing.agreed) == "one two three four five six"


def test_scripts_without_spaces_are_divided_by_character() -> None:
    hearing = Hearing(0)
    hearing.overhear("今日は晴れです", "ja")
    hearing.overhear("今日は晴れですね", "ja")
    hearing.divide(1000, "今日は。", "ja")
    assert (hearing.whole(""), hearing.agreed) == ("今日は", "晴れです")


def test_what_is_settled_otherwise_than_told_does_not_end_the_telling() -> None:
    hearing = Hearing(0)
    hearing.overhear("I want tea", "en")
    hearing.overhear("I want tea now", "en")
    assert hearing.news() == "I want tea"
    hearing.settle(1000, "You won.", "en")
    assert hearing.news(hearing.whole("Thanks.")) == " Thanks."
