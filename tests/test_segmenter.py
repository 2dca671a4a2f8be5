"""Where speech starts and pauses, from tables of frame probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.events import SpeechPaused, SpeechStarted
from voice.segmenter import Segmenter

FRAME = 512


def edges(probabilities: list[float]) -> list[object]:
    segmenter = Segmenter(frame=FRAME, threshold=0.5, start=2 * FRAME, pause=3 * FRAME)
    found = (segmenter.feed(n * FRAME, p) for n, p in enumerate(probabilities))
    return [edge for edge in found if edge is not None]


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0, 0, 0, 0], []),
        ([0, 1, 0, 1, 0], []),
        ([0, 1, 1], [SpeechStarted(FRAME)]),
        ([1, 1, 0, 0, 1, 0, 0], [SpeechStarted(0)]),
        ([1, 1, 0, 0, 0], [SpeechStarted(0), SpeechPaused(2 * FRAME)]),
        ([1, 1, 0.4, 0.4, 0.4, 0.4], [SpeechStarted(0)]),
        ([1, 1, 0.3, 0.3, 0.3], [SpeechStarted(0), SpeechPaused(2 * FRAME)]),
        (
            [1, 1, 0, 0, 0, 1, 1],
            [SpeechStarted(0), SpeechPaused(2 * FRAME), SpeechStarted(5 * FRAME)],
        ),
    ],
)
def test_edges(probabilities: list[float], expected: list[object]) -> None:
    assert edges(probabilities) == expected


@given(st.lists(st.floats(0, 1)))
def test_starts_and_pauses_alternate_in_time(probabilities: list[float]) -> None:
    found = edges(probabilities)
    assert all(isinstance(edge, SpeechStarted) for edge in found[::2])
    assert all(isinstance(edge, SpeechPaused) for edge in found[1::2])
    times = [edge.at for edge in found]  # type: ignore[attr-defined]
    assert times == sorted(times)


def test_silence_at_the_end_is_known_before_it_is_a_pause() -> None:
    segmenter = Segmenter(frame=FRAME, threshold=0.5, start=FRAME, pause=3 * FRAME)
    for n, probability in enumerate([1, 1, 0, 0]):
        segmenter.feed(n * FRAME, probability)
    assert segmenter.silent == 2 * FRAME
    segmenter.reset()
    assert (segmenter.silent, segmenter.speaking) == (0, False)
