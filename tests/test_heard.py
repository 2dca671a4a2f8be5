"""From played seconds to heard words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.heard import SpokenWord, heard_chars

WORDS = [SpokenWord(0, 5, 0.0, 0.4), SpokenWord(6, 11, 0.4, 1.0), SpokenWord(12, 15, 1.2, 1.4)]


@pytest.mark.parametrize(
    ("played", "chars"),
    [(0.0, 0), (0.1, 0), (0.2, 5), (0.6, 5), (0.7, 11), (1.1, 11), (1.3, 15), (99.0, 15)],
)
def test_a_word_is_heard_once_half_of_it_sounded(played: float, chars: int) -> None:
    assert heard_chars(WORDS, played) == chars


def test_nothing_spoken_is_nothing_heard() -> None:
    assert heard_chars([], 10.0) == 0


@given(st.floats(0, 3), st.floats(0, 3))
def test_more_playing_never_means_less_heard(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert heard_chars(WORDS, low) <= heard_chars(WORDS, high)
