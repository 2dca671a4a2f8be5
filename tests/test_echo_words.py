"""A transcript that is only what the assistant was saying is no interruption."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.echo_words import unsaid

ENGLISH = (
    "The weather in London tomorrow will be mostly cloudy, with a high of eighteen degrees and a "
    "light wind from the west. You may want to take an umbrella, just in case. There is a bus stop "
    "around the corner."
)
CHINESE = "明天伦敦的天气大部分多云，最高气温十八度。"
JAPANESE = "明日のロンドンは曇りでしょう。傘を持って行ってください。"


def echoed(transcript: str, said: str) -> bool:
    """Words were heard, and all of them were the assistant's."""
    return any(map(str.isalnum, transcript)) and not unsaid(transcript, said)


@pytest.mark.parametrize(
    ("transcript", "said"),
    [
        ("bus stop around the corner", ENGLISH),
        ("Mostly cloudy with a high of 18 degrees.", ENGLISH),
        ("whether in London tomorrow will be most cloudy", ENGLISH),
        ("brella, just in case there", ENGLISH),
        ("Light wind, from the west. You", ENGLISH),
        ("明天伦敦的天气", CHINESE),
        ("伦敦的天汽大部分", CHINESE),
        ("ロンドンは曇りでしょう", JAPANESE),
        ("傘を持っていってください", JAPANESE),
    ],
)
def test_hears_an_echo(transcript: str, said: str) -> None:
    assert echoed(transcript, said)
    assert unsaid(transcript, said) == ""


@pytest.mark.parametrize(
    ("transcript", "said", "left"),
    [
        ("", ENGLISH, ""),
        ("...", ENGLISH, ""),
        ("Stop.", ENGLISH, "Stop"),
        ("Stop talking!", ENGLISH, "Stop talking"),
        ("No thanks.", ENGLISH, "No thanks"),
        ("in the", ENGLISH, "in the"),
        ("London", ENGLISH, "London"),
        ("London tomorrow", "", "London tomorrow"),
        ("you may want to wait stop take an umbrella", ENGLISH, "wait stop"),
        ("light wind from the west. What about Paris?", ENGLISH, "What about Paris"),
        ("will it be cloudy in London tomorrow", ENGLISH, "will it be cloudy"),
        ("等一下", CHINESE, "等一下"),
        ("最高气温十八度。那巴黎呢？", CHINESE, "那巴黎呢"),
        ("待って", JAPANESE, "待って"),
    ],
)
def test_hears_what_is_not_an_echo(transcript: str, said: str, left: str) -> None:
    assert not echoed(transcript, said)
    assert unsaid(transcript, said) == left


@given(st.integers(0, 30), st.integers(3, 12))
def test_any_stretch_of_what_was_said_is_an_echo(start: int, length: int) -> None:
    words = ENGLISH.split()[start : start + length]
    if len(words) >= 3:
        assert echoed(" ".join(words), ENGLISH)


@given(st.text(max_size=80), st.text(max_size=200))
def test_what_is_left_was_in_the_transcript(transcript: str, said: str) -> None:
    left = unsaid(transcript, said)
    at = 0
    for part in left.split():
        at = transcript.find(part, at)
        assert at >= 0
        at += len(part)
    assert unsaid(transcript, "") == "" or not echoed(transcript, "")


@given(st.text(max_size=80))
def test_everything_said_again_leaves_nothing_or_too_little(text: str) -> None:
    left = unsaid(text, text)
    assert left == "" or not echoed(text, text)
