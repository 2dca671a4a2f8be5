"""How long a silence must last, by what was said and how sure the detector is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.endpointing import CURVES, Eagerness, silence_wanted

SAID = st.none() | st.sampled_from(
    ["", "Yes.", "Can I have a", "I want tea, and", "my number is 5 5 5 1 2", "いいですか？"]
)


@pytest.mark.parametrize(
    ("patient", "quick"),
    [
        ("Can I have a", "Can I have a latte?"),
        ("Can I have a.", "Can I have a latte."),
        ("I would like tea and", "I would like tea and cake."),
        ("Well, uh", "Well, yes."),
        ("My number is five five five, 1 2 3", "Call me later."),
        ("My number is 555, 123.", "Call me later."),
        ("I went to the", "I went to the shop."),
        ("tea,", "tea."),
        ("A latte with a lot of...", "A latte with a lot of milk."),
        ("お茶と", "お茶をください。"),
        ("お茶、", "お茶。"),
        ("", "Yes."),
        ("...", "Yes."),
    ],
)
def test_what_wants_more_waits_longer(patient: str, quick: str) -> None:
    assert silence_wanted(0.9, patient) > silence_wanted(0.9, quick) + 0.1


@pytest.mark.parametrize("said", ["Yes.", "Turn it on.", "So do I.", "Schalte das Licht ein."])
def test_a_sure_detector_and_a_whole_sentence_do_not_wait(said: str) -> None:
    assert silence_wanted(1.0, said) == CURVES["auto"].sure


def test_a_doubt_near_certainty_costs_less_than_the_same_doubt_elsewhere() -> None:
    near = silence_wanted(0.9, "Yes.") - silence_wanted(1.0, "Yes.")
    far = silence_wanted(0.1, "Yes.") - silence_wanted(0.2, "Yes.")
    assert near < far / 2


def test_nothing_known_waits_between_the_extremes() -> None:
    curve = CURVES["auto"]
    assert curve.sure + 0.3 < silence_wanted(None, None) < curve.unsure


@given(st.floats(0, 1), st.floats(0, 1), SAID)
def test_surer_never_waits_longer(one: float, other: float, said: str | None) -> None:
    low, high = sorted((one, other))
    assert silence_wanted(high, said) <= silence_wanted(low, said)


@given(st.none() | st.floats(-1, 2), SAID, st.sampled_from(sorted(CURVES)))
def test_the_curve_bounds_the_wait(p: float | None, said: str | None, eager: Eagerness) -> None:
    curve = CURVES[eager]
    assert curve.sure <= silence_wanted(p, said, eager) <= curve.unsure


@given(st.floats(0, 1), SAID)
def test_more_eager_never_waits_longer(p: float, said: str | None) -> None:
    high, medium, low = (silence_wanted(p, said, e) for e in ("high", "medium", "low"))
    assert high <= medium <= low


def test_auto_is_medium() -> None:
    assert CURVES["auto"] == CURVES["medium"]
