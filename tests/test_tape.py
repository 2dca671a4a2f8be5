"""The microphone's recent past."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.tape import Tape


def numbered(start: int, count: int) -> np.ndarray:
    return np.arange(start, start + count, dtype=np.float32)


def test_reads_by_sample_number() -> None:
    tape = Tape(100_000)
    tape.append(numbered(0, 40_000))
    assert np.array_equal(tape.read(10, 14), [10, 11, 12, 13])
    assert len(tape.read(39_999, 50_000)) == 1
    assert len(tape.read(50_000, 60_000)) == 0


def test_knows_how_sure_speech_is() -> None:
    tape = Tape(1000)
    assert tape.speech(0, 1000) is None
    for frame in range(10):
        tape.append(numbered(frame * 100, 100), frame / 10)
    assert tape.speech(0, 1000) == pytest.approx(0.7)
    assert tape.speech(200, 400) == pytest.approx(0.25)
    assert tape.speech(950, 1000) == pytest.approx(0.9)
    tape.append(numbered(1000, 500))
    assert tape.speech(0, 500) is None
    assert tape.speech(500, 1500) == pytest.approx(0.7)


@given(st.lists(st.integers(0, 300), max_size=30), st.integers(1, 1000), st.integers(-50, 5000))
def test_keeps_the_newest_whatever_the_pieces(
    pieces: list[int], capacity: int, forget: int
) -> None:
    tape = Tape(capacity)
    for piece in pieces:
        tape.append(numbered(tape.end, piece))
        tape.forget(forget)
    assert tape.end == sum(pieces)
    assert tape.end - tape.start <= capacity
    kept = tape.read(tape.start, tape.end)
    assert np.array_equal(kept, numbered(tape.start, tape.end - tape.start))
    assert tape.start <= max(0, tape.end - capacity, min(forget, tape.end))


def test_what_was_forgotten_is_not_read() -> None:
    tape = Tape(10)
    tape.append(numbered(0, 25))
    assert np.array_equal(tape.read(0, 100), numbered(15, 10))
