"""Binary audio frames of the `vivavoce.v1` subprotocol. Pure.

Layout, little-endian: kind (u8), zero (u8), zero (u16), turn (u32), then PCM16 at 24 kHz.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from voice.errors import BadEvent

SUBPROTOCOL = "vivavoce.v1"
MICROPHONE = 1
REPLY = 2
_HEADER = struct.Struct("<BBHI")


class Frame(NamedTuple):
    """One binary message: its kind, the reply it belongs to (0: none) and its PCM16 bytes."""

    kind: int
    turn: int
    pcm: memoryview


def encode(kind: int, turn: int, pcm: bytes) -> bytes:
    """Build a frame."""
    return _HEADER.pack(kind, 0, 0, turn) + pcm


def decode(data: bytes) -> Frame:
    """Read a frame; raises `BadEvent` with code `invalid_frame` for anything malformed."""
    if len(data) < _HEADER.size:
        raise BadEvent("the frame is shorter than its header", code="invalid_frame")
    kind, zero, zeros, turn = _HEADER.unpack_from(data)
    if kind not in (MICROPHONE, REPLY):
        raise BadEvent(f"frame kind {kind} is not known", code="invalid_frame")
    if zero or zeros:
        raise BadEvent("reserved bytes of the frame are not zero", code="invalid_frame")
    if kind == MICROPHONE and turn:
        raise BadEvent("a microphone frame belongs to no reply", code="invalid_frame")
    if len(data) % 2:
        raise BadEvent("the frame ends in half a sample", code="invalid_frame")
    return Frame(kind, turn, memoryview(data)[_HEADER.size :])
