"""Opus (RFC 6716) for the frames of `vivavoce.v1`: mono speech in packets of 20 ms.

A stream is one reply, or what was said between two presses of a button. It travels in pieces:

| offset | type | meaning |
| --- | --- | --- |
| 0 | u16 | lower 15 bits: samples of sound in this piece, at 24 kHz; top bit: a stream begins |
| 2 | | packets, each a u16 with its length and so many bytes |

The encoder looks ahead by 6.5 ms, so that a stream begins with `PRE_SKIP` samples that are no
sound, and its last packet is filled up: the count of each piece leaves both out. What comes out of
a decoder is therefore as long as what went into the encoder, to the sample.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from voice.audio import SPOKEN_RATE, Pcm
from voice.errors import BadEvent

RATE = 48_000
"""Samples a second that a decoder makes."""

PACKET = SPOKEN_RATE // 50
"""Samples that a packet of ours stands for, at 24 kHz: 20 ms."""

PRE_SKIP = 156
"""Samples at 24 kHz that come before a stream's sound: what libopus looks ahead, 312 at 48 kHz in
every mode but that of restricted delay (`OPUS_GET_LOOKAHEAD`)."""

BIT_RATE = 32_000
"""Bits a second at most, about: the upper end of what is recommended for wideband and fullband
speech (RFC 6716, section 2.1.1)."""

LONGEST_PIECE = SPOKEN_RATE
"""Samples at 24 kHz, all packets of a piece together."""

LARGEST_PACKET = 1275
"""Bytes of a frame of Opus at most (RFC 6716, section 3.2.1)."""

LARGEST_PIECE = 2 + 50 * (2 + LARGEST_PACKET)
"""Bytes."""

_BEGINS = 0x8000
_COUNT = struct.Struct("<H")
_TWICE = RATE // SPOKEN_RATE

_FRAME_MS = [10, 20, 40, 60] * 3 + [10, 20] * 2 + [2.5, 5, 10, 20] * 4
"""Length of a frame, by the configuration in a packet's first byte (RFC 6716, table 2)."""


class Piece(NamedTuple):
    """Packets of a stream, and how much of what they hold is sound."""

    begins: bool
    samples: int
    packets: tuple[bytes, ...]


def pack(piece: Piece) -> bytes:
    """A piece as it travels."""
    head = _COUNT.pack(piece.samples | (_BEGINS if piece.begins else 0))
    return head + b"".join(_COUNT.pack(len(packet)) + packet for packet in piece.packets)


def unpack(data: bytes | memoryview) -> Piece:
    """Read a piece; raises `BadEvent` `invalid_audio` for anything that is none."""
    if not _COUNT.size <= len(data) <= LARGEST_PIECE:
        raise _bad(f"a piece of Opus has {_COUNT.size} to {LARGEST_PIECE} bytes")
    (head,) = _COUNT.unpack_from(data)
    packets = tuple(_packets(bytes(data[_COUNT.size :])))
    begins, samples = bool(head & _BEGINS), head & ~_BEGINS
    length = sum(map(duration, packets))
    if length > LONGEST_PIECE:
        raise _bad("a piece of Opus lasts a second at most")
    if samples > length - (PRE_SKIP if begins else 0):
        raise _bad("the packets of Opus are shorter than they are said to be")
    return Piece(begins, samples, packets)


def _packets(data: bytes) -> Iterable[bytes]:
    at = 0
    while at < len(data):
        if len(data) < at + _COUNT.size:
            raise _bad("a packet of Opus has half a length")
        (size,) = _COUNT.unpack_from(data, at)
        at += _COUNT.size
        if not size or len(data) < at + size:
            raise _bad("a packet of Opus is empty or cut short")
        yield data[at : at + size]
        at += size


def duration(packet: bytes) -> int:
    """The samples that a packet stands for, at 24 kHz (RFC 6716, section 3.1)."""
    frames = (1, 2, 2, 0)[packet[0] & 3]
    if not frames:
        if len(packet) < 2:
            raise _bad("a packet of Opus does not say how many frames it has")
        frames = packet[1] & 63
    samples = int(frames * _FRAME_MS[packet[0] >> 3] * SPOKEN_RATE / 1000)
    if not 0 < samples <= 6 * PACKET:
        raise _bad("a packet of Opus lasts 120 ms at most")
    return samples


class Encoder:
    """One stream after another: from PCM16 at 24 kHz to pieces."""

    def __init__(self) -> None:
        self._codec: Any = None
        self._begin()

    def _begin(self) -> None:
        self._rest = b""
        self._given = 0
        """Samples of sound so far."""
        self._made = 0
        """Packets so far."""

    def encode(self, pcm16: bytes) -> bytes:
        """The packets that are full now, as a piece; less than 20 ms stay behind."""
        self._given += len(pcm16) // 2
        return self._piece(self._rest + pcm16)

    def flush(self) -> bytes:
        """What has stayed behind, as the stream's last piece. What follows is another stream."""
        packets = -(-(self._given + PRE_SKIP) // PACKET) if self._given else 0
        missing = (packets - self._made) * PACKET * 2 - len(self._rest)
        last = self._piece(self._rest + bytes(missing))
        self._codec = None
        self._begin()
        return last

    def _piece(self, waiting: bytes) -> bytes:
        size = PACKET * 2
        whole = len(waiting) - len(waiting) % size
        self._rest = waiting[whole:]
        before = self._made
        packets = tuple(self._packet(waiting[at : at + size]) for at in range(0, whole, size))
        samples = self._sound(self._made) - self._sound(before)
        return pack(Piece(before == 0 and bool(packets), samples, packets))

    def _sound(self, packets: int) -> int:
        """Samples of sound in so many packets."""
        return min(max(0, packets * PACKET - PRE_SKIP), self._given)

    def _packet(self, pcm16: bytes) -> bytes:
        import av  # noqa: PLC0415  FFmpeg: 80 MB that only some sessions need

        if self._codec is None:
            self._codec = _open_encoder()
        frame = av.AudioFrame.from_ndarray(
            np.frombuffer(pcm16, dtype="<i2").reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = SPOKEN_RATE
        frame.pts = self._made * PACKET
        self._made += 1
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


def _open_encoder() -> Any:
    import av  # noqa: PLC0415

    codec: Any = av.CodecContext.create("libopus", "w")
    codec.sample_rate = SPOKEN_RATE
    codec.layout = "mono"
    codec.format = "s16"
    codec.bit_rate = BIT_RATE
    codec.time_base = Fraction(1, SPOKEN_RATE)
    codec.options = {"application": "voip", "frame_duration": "20"}
    return codec


class Decoder:
    """From the pieces of one stream after another to their sound, at `RATE`."""

    def __init__(self) -> None:
        self._codec: Any = None
        self._skip = 0

    def decode(self, data: bytes | memoryview) -> Pcm:
        """The sound in a piece.

        Raises `BadEvent` `invalid_audio` for what is no piece, or no Opus; the stream goes on.
        """
        piece = unpack(data)
        if self._codec is None or piece.begins:
            self._codec = _open_decoder()
            self._skip = PRE_SKIP * _TWICE if piece.begins else 0
        made = [self._sound(packet) for packet in piece.packets]
        sound: Pcm = np.concatenate([np.zeros(0, dtype=np.float32), *made])
        skipped = min(self._skip, len(sound))
        self._skip -= skipped
        return sound[skipped : skipped + piece.samples * _TWICE]

    def _sound(self, packet: bytes) -> Pcm:
        import av  # noqa: PLC0415

        try:
            frames = self._codec.decode(av.Packet(packet))
        except (av.FFmpegError, ValueError):
            raise _bad("this is no packet of Opus") from None
        made = [frame.to_ndarray()[0].astype(np.float32) / 32_768 for frame in frames]
        sound: Pcm = np.concatenate([np.zeros(0, dtype=np.float32), *made])
        return sound


def _open_decoder() -> Any:
    import av  # noqa: PLC0415

    codec: Any = av.CodecContext.create("libopus", "r")
    codec.sample_rate = RATE
    codec.layout = "mono"
    codec.format = "s16"
    return codec


def _bad(message: str) -> BadEvent:
    return BadEvent(message, code="invalid_audio", param="audio")
