"""What speech over a reply is taken for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.overlap import (
    FAINT,
    GUESSED,
    UNHEARD,
    UNSURE,
    Overlap,
    Sensitivity,
    agrees,
    only_stops,
    understand,
    weigh,
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "nothing"),
        ("[laughter]", "nothing"),
        ("(coughs)", "nothing"),
        ("\u266a la la \u266a", "nothing"),
        ("...", "nothing"),
        ("Puh, puh, puh, puh", "nothing"),
        ("Stop, stop, stop, stop!", "stop"),
        ("um", "hesitation"),
        ("Um, so", "hesitation"),
        ("\u00c4hm", "hesitation"),
        ("Mm-hm.", "backchannel"),
        ("Mm-hmm.", "backchannel"),
        ("Mmhmm", "backchannel"),
        ("Hmm.", "backchannel"),
        ("Uh-huh.", "backchannel"),
        ("Haha", "backchannel"),
        ("Yeah.", "backchannel"),
        ("Yeah, yeah, right.", "backchannel"),
        ("Okay. I see.", "backchannel"),
        ("Oh, really?", "backchannel"),
        ("No problem.", "backchannel"),
        ("Ach so, genau.", "backchannel"),
        ("D\u2019accord.", "backchannel"),
        ("\u306f\u3044\u3001\u306a\u308b\u307b\u3069\u3002", "backchannel"),
        ("\u597d\u7684\uff0c\u8c22\u8c22", "backchannel"),
        ("Stop.", "stop"),
        ("Wait, wait.", "stop"),
        ("No, I meant Tuesday.", "stop"),
        ("Um, hold on.", "stop"),
        ("Nein, warte mal.", "stop"),
        ("\u5f85\u3063\u3066", "stop"),
        ("Right, but what about tomorrow?", "speech"),
        ("Turn off the light.", "speech"),
        ("Tuesday.", "speech"),
        ("The bus stop", "speech"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert understand(text)[0] == kind


def test_words_that_only_listen_do_not_count() -> None:
    assert understand("Yeah, okay, but what about her?") == ("speech", 3)
    assert understand("\u660e\u5929\u600e\u4e48\u6837") == ("speech", 3)  # five characters


@pytest.mark.parametrize(
    ("text", "confidence", "kind"),
    [
        ("Koshi", UNSURE - 0.01, "nothing"),
        ("Koshi", UNSURE, "speech"),
        ("You are here", GUESSED - 0.01, "nothing"),
        ("You are here", GUESSED, "speech"),
        ("You are not here", GUESSED - 0.01, "speech"),
        ("You are not here", 2 * UNSURE - 0.01, "nothing"),
        ("Stop", GUESSED - 0.01, "stop"),
    ],
)
def test_the_fewer_words_the_surer_they_must_be(text: str, confidence: float, kind: str) -> None:
    assert understand(text, confidence)[0] == kind


def test_a_command_to_stop_and_nothing_else() -> None:
    assert only_stops("Stop it, please. That's enough.")
    assert only_stops("Wait, wait.")
    assert not only_stops("No.")  # it may be an answer, and wants one
    assert not only_stops("Excuse me?")
    assert not only_stops("No, I meant Tuesday.")
    assert not only_stops("Okay.")
    assert not only_stops("")


def test_answers_to_a_question() -> None:
    assert agrees("Yes, please.")
    assert agrees("Mm, sure.")
    assert not agrees("Mm-hm.")


LONG = UNHEARD


@pytest.mark.parametrize(
    ("overlap", "sensitivity", "verdict"),
    [
        (Overlap(3000, over=False, text=None), "high", "interrupt"),
        (Overlap(3000, over=False, text=None), "medium", None),
        (Overlap(LONG, over=False, text=None), "medium", "interrupt"),
        (Overlap(9 * LONG, over=False, text=None), "low", None),
        (Overlap(9 * LONG, over=False, text=""), "medium", None),
        (Overlap(9 * LONG, over=False, text="Mm-hm."), "medium", None),
        (Overlap(5000, over=False, text="What about"), "medium", "interrupt"),
        (Overlap(5000, over=False, text="What"), "medium", None),
        (Overlap(5000, over=False, text="What about"), "low", None),
        (Overlap(5000, over=False, text="What about tomorrow"), "low", "interrupt"),
        (Overlap(5000, over=False, text="Stop"), "low", "interrupt"),
        (Overlap(5000, over=True, text=""), "high", "dismiss"),
        (Overlap(5000, over=True, text="Right."), "high", "dismiss"),
        (Overlap(5000, over=True, text="Tuesday."), "medium", "interrupt"),
        (Overlap(5000, over=True, text="Tuesday."), "low", "dismiss"),
        (Overlap(5000, over=True, text="Yes.", awaited=True), "medium", "interrupt"),
        (Overlap(5000, over=True, text="Mm-hm.", awaited=True), "medium", "dismiss"),
        (Overlap(5000, over=True, text="Tuesday.", level=-FAINT - 1), "medium", "dismiss"),
        (Overlap(5000, over=True, text="Stop!", level=-FAINT - 1), "medium", "interrupt"),
    ],
)
def test_verdicts(overlap: Overlap, sensitivity: Sensitivity, verdict: str | None) -> None:
    assert weigh(overlap, sensitivity) == verdict


@given(
    text=st.text() | st.sampled_from(["yes", "stop", "and so on", "hm"]),
    voiced=st.integers(0, 10**6),
    level=st.floats(-60, 60),
    awaited=st.booleans(),
    sensitivity=st.sampled_from(["low", "medium", "high"]),
)
def test_what_is_over_and_understood_is_always_decided(
    text: str, voiced: int, level: float, awaited: bool, sensitivity: Sensitivity
) -> None:
    overlap = Overlap(voiced, over=True, text=text, level=level, awaited=awaited)
    assert weigh(overlap, sensitivity) is not None
