"""PCM in and out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.audio import int16_from_pcm, pcm_from_int16


@given(st.binary().filter(lambda data: len(data) % 2 == 0))
def test_bytes_survive_the_way_through_float(data: bytes) -> None:
    assert int16_from_pcm(pcm_from_int16(data)) == data


def test_what_is_no_sample_becomes_silence_and_what_is_too_loud_is_clipped() -> None:
    wild = np.array([np.nan, np.inf, -np.inf, 2.0, -2.0], dtype=np.float32)
    assert np.frombuffer(int16_from_pcm(wild), "<i2").tolist() == [0, 32767, -32768, 32767, -32768]


def test_half_a_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="buffer size"):
        pcm_from_int16(b"abc")
