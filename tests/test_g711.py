"""Telephone audio, against values printed in the recommendation and in its reference code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice import g711
from voice.audio import SPOKEN_RATE, int16_from_pcm

LAWS: list[g711.Law] = ["audio/pcmu", "audio/pcma"]


@pytest.mark.parametrize(
    ("law", "byte", "value"),
    [
        ("audio/pcmu", 0x00, -32_124),
        ("audio/pcmu", 0x80, 32_124),
        ("audio/pcmu", 0x7F, 0),
        ("audio/pcmu", 0xFF, 0),
        ("audio/pcmu", 0xFE, 8),
        ("audio/pcmu", 0xEF, 132),
        ("audio/pcma", 0x2A, -32_256),
        ("audio/pcma", 0xAA, 32_256),
        ("audio/pcma", 0xD5, 8),
        ("audio/pcma", 0x55, -8),
        ("audio/pcma", 0xC5, 264),
        ("audio/pcma", 0xF5, 528),
    ],
)
def test_known_values(law: g711.Law, byte: int, value: int) -> None:
    assert g711.decode(bytes([byte]), law)[0] * 32_768 == value


@pytest.mark.parametrize("law", LAWS)
def test_every_level_survives_the_way(law: g711.Law) -> None:
    levels = g711.decode(bytes(range(256)), law)
    assert np.array_equal(g711.decode(g711.encode(levels, law), law), levels)


@pytest.mark.parametrize("law", LAWS)
@given(st.floats(-1.5, 1.5, width=32))
def test_no_value_is_off_by_more_than_a_step(law: g711.Law, value: float) -> None:
    heard = float(g711.decode(g711.encode(np.array([value], np.float32), law), law)[0])
    clipped = min(max(value, -0.9844), 0.9844)  # the largest level of A-law
    # Levels are apart by 1/16 of the lower end of their segment at most: half of that is the error,
    # and half a step of PCM16. Mu-law's segments double from 132 below its zero, A-law's first
    # one is as fine as its second.
    size = abs(clipped) + 132 / 32_768 if law == "audio/pcmu" else max(abs(clipped), 256 / 32_768)
    assert abs(heard - clipped) <= size / 32 + 0.5 / 32_768


@pytest.mark.parametrize("law", LAWS)
def test_a_reply_loses_nothing_between_its_pieces(law: g711.Law) -> None:
    time = np.arange(SPOKEN_RATE, dtype=np.float32) / SPOKEN_RATE
    tone = 0.5 * np.sin(2 * np.pi * 440 * time, dtype=np.float32)
    encoder = g711.Encoder(law)
    data = b"".join(
        encoder.encode(int16_from_pcm(tone[at : at + 4800])) for at in range(0, len(tone), 4800)
    )
    heard = g711.decode(data + encoder.flush(), law)
    assert len(heard) == g711.RATE
    expected = tone[::3]
    assert np.abs(heard[100:-100] - expected[100:-100]).max() < 0.05
