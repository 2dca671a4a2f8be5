"""Binary audio frames of the `vivavoce.v1` subprotocol. Pure.

Layout, little-endian: kind (u8), zero (u8), zero (u16), turn (u32), then the payload: PCM16 at
24 kHz, or a piece of Opus (`voice.opus`).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from voice.errors import BadEvent

SUBPROTOCOL = "vivavoce.v1"
MICROPHONE = 1
REPLY = 2
MICROPHONE_OPUS = 3
REPLY_OPUS = 4
_KINDS = (MICROPHONE, REPLY, MICROPHONE_OPUS, REPLY_OPUS)
_HEADER = struct.Struct("<BBHI")


class Frame(NamedTuple):
    """One binary message: its kind, the reply it belongs to (0: none) and its payload."""

    kind: int
    turn: int
    payload: memoryview


def encode(kind: int, turn: int, payload: bytes) -> bytes:
    """Build a frame."""
    return _HEADER.pack(kind, 0, 0, turn) + payload


def decode(data: bytes) -> Frame:
    """Read a frame; raises `BadEvent` with code `invalid_frame` for anything malformed.

    What is in a piece of Opus is not looked at.
    """
    if len(data) < _HEADER.size:
        raise BadEvent("the frame is shorter than its header", code="invalid_frame")
    kind, zero, zeros, turn = _HEADER.unpack_from(data)
    if kind not in _KINDS:
        raise BadEvent(f"frame kind {kind} is not known", code="invalid_frame")
    if zero or zeros:
        raise BadEvent("reserved bytes of the frame are not zero", code="invalid_frame")
    if kind in (MICROPHONE, MICROPHONE_OPUS) and turn:
        raise BadEvent("a microphone frame belongs to no reply", code="invalid_frame")
    if kind in (MICROPHONE, REPLY) and len(data) % 2:
        raise BadEvent("the frame ends in half a sample", code="invalid_frame")
    return Frame(kind, turn, memoryview(data)[_HEADER.size :])
