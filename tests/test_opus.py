"""Opus: as long as what went in, to the sample, and in its place; refused where it is none."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice import opus
from voice.audio import SPOKEN_RATE, Pcm, int16_from_pcm
from voice.errors import BadEvent

PIECES = json.loads((Path(__file__).parent / "fixtures/wire/pieces.json").read_text())


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in PIECES])
def test_pieces(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["binary"])
    if "error" in case:
        with pytest.raises(BadEvent) as error:
            opus.unpack(data)
        assert error.value.code == case["error"]
        return
    piece = opus.unpack(data)
    assert (piece.begins, piece.samples) == (case["begins"], case["samples"])
    assert [packet.hex() for packet in piece.packets] == case["packets"]
    assert opus.pack(piece) == data


FILTERED = 6
"""Samples at 48 kHz by which the encoder's high-pass moves low tones."""


def speechlike(count: int) -> Pcm:
    """A glide with the loudness of syllables: no two places in it are alike."""
    time = np.arange(count, dtype=np.float32) / SPOKEN_RATE
    loudness = 0.3 * np.exp(-3 * (time % 0.4))
    return (loudness * np.sin(2 * np.pi * (200 + 300 * time) * time)).astype(np.float32)


def pieces_of(sound: Pcm, cuts: list[int]) -> list[bytes]:
    """The stream of a sound that is given to the encoder cut there."""
    encoder = opus.Encoder()
    edges = [0, *sorted(min(cut, len(sound)) for cut in cuts), len(sound)]
    pieces = [encoder.encode(int16_from_pcm(sound[a:b])) for a, b in pairwise(edges)]
    return [*pieces, encoder.flush()]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3000), st.lists(st.integers(0, 3000), max_size=5))
def test_sound_keeps_its_length(count: int, cuts: list[int]) -> None:
    pieces = pieces_of(speechlike(count), cuts)
    assert sum(opus.unpack(piece).samples for piece in pieces) == count
    decoder = opus.Decoder()
    assert sum(len(decoder.decode(piece)) for piece in pieces) == count * 2


def shift(sound: Pcm, heard: Pcm) -> int:
    """By how many samples what is heard lies behind the sound (48 kHz)."""
    padded = np.repeat(sound, 2)[: len(heard)]
    middle = heard[480:-480]
    return max(
        range(-480, 481),
        key=lambda late: float(np.dot(middle, padded[480 - late : len(padded) - 480 - late])),
    )


def test_sound_keeps_its_place_stream_after_stream() -> None:
    encoder, decoder = opus.Encoder(), opus.Decoder()
    sound = speechlike(SPOKEN_RATE + 77)
    for _ in range(2):
        pieces = [
            encoder.encode(int16_from_pcm(sound)[at : at + 9600])
            for at in range(0, 2 * len(sound), 9600)
        ]
        pieces.append(encoder.flush())
        begins = [opus.unpack(piece).begins for piece in pieces]
        assert begins == [True] + [False] * (len(pieces) - 1)
        heard = np.concatenate([decoder.decode(piece) for piece in pieces])
        assert len(heard) == 2 * len(sound)
        assert abs(shift(sound, heard)) <= FILTERED
        assert np.corrcoef(np.repeat(sound, 2), heard)[0, 1] > 0.9


def test_no_sound_is_no_packet() -> None:
    encoder = opus.Encoder()
    for piece in (encoder.encode(b""), encoder.flush(), encoder.encode(b"")):
        assert opus.unpack(piece) == opus.Piece(False, 0, ())
    assert len(opus.Decoder().decode(opus.pack(opus.Piece(False, 0, ())))) == 0


def test_speech_takes_little_of_the_line() -> None:
    sound = speechlike(2 * SPOKEN_RATE)
    assert sum(map(len, pieces_of(sound, []))) < 2 * len(sound) / 8


def test_a_stream_may_be_joined_in_the_middle() -> None:
    _, *rest = pieces_of(speechlike(4800), [960, 1920, 2880])
    decoder = opus.Decoder()
    heard = [len(decoder.decode(piece)) for piece in rest]
    assert heard == [opus.unpack(piece).samples * 2 for piece in rest]


def test_what_is_no_opus_is_refused_and_the_stream_goes_on() -> None:
    first, *rest = pieces_of(speechlike(4800), [960])
    decoder = opus.Decoder()
    decoder.decode(first)
    # Two frames of different lengths, the first longer than the whole packet.
    broken = opus.pack(opus.Piece(False, 480, (bytes([0x7A, 250, 1]),)))
    with pytest.raises(BadEvent) as error:
        decoder.decode(broken)
    assert error.value.code == "invalid_audio"
    for piece in rest:
        assert len(decoder.decode(piece)) == opus.unpack(piece).samples * 2


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_piece_or_refused(data: bytes) -> None:
    decoder = opus.Decoder()
    for tried in (data, b"\x00\x00" + len(data).to_bytes(2, "little") + data):
        try:
            sound = decoder.decode(tried)
        except BadEvent as error:
            assert error.code == "invalid_audio"
        else:
            assert len(sound) == opus.unpack(tried).samples * 2
