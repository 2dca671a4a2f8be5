"""Speech to the formats programs ask for, piece by piece as it is made.

WAV and PCM are written by hand; the rest by FFmpeg's encoders through PyAV into a stream that is
never sought in, so that every piece can be sent at once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import RawIOBase
from typing import Any, Protocol

import numpy as np

from voice.audio import SPOKEN_RATE, Pcm, int16_from_pcm

MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": f"audio/pcm;rate={SPOKEN_RATE}",
}
"""Format -> the media type it is sent as. All are mono; `pcm` is 16-bit little-endian, headless."""

_UNKNOWN_LENGTH = 0xFFFFFFFF
"""In a WAV header: as long as there is data (what FFmpeg writes to a pipe)."""


class Encoder(Protocol):
    """Takes audio, gives bytes; what it keeps back comes with `finish`."""

    def feed(self, pcm: Pcm) -> bytes: ...

    def finish(self) -> bytes: ...


def encoder(name: str) -> Encoder:
    """A fresh encoder for one of `MEDIA_TYPES`, of mono audio at `SPOKEN_RATE`."""
    if name == "pcm":
        return _Plain(b"")
    if name == "wav":
        return _Plain(wav_header())
    return _Compressed(name)


def wav_header() -> bytes:
    """A WAV header for 16-bit mono audio whose length is not known yet."""
    form = struct.pack("<HHIIHH", 1, 1, SPOKEN_RATE, 2 * SPOKEN_RATE, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", _UNKNOWN_LENGTH)
        + b"WAVEfmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", _UNKNOWN_LENGTH)
    )


class _Plain:
    def __init__(self, header: bytes) -> None:
        self._header = header

    def feed(self, pcm: Pcm) -> bytes:
        header, self._header = self._header, b""
        return header + int16_from_pcm(pcm)

    def finish(self) -> bytes:
        header, self._header = self._header, b""
        return header


_CODECS: dict[str, tuple[str, str, int, dict[str, str], dict[str, str]]] = {
    "mp3": ("mp3", "libmp3lame", 64_000, {"write_xing": "0"}, {}),
    # A page of Ogg every 0.1 s; FFmpeg's own is a second, which a listener would wait for.
    "opus": ("ogg", "libopus", 32_000, {"page_duration": "100000"}, {"application": "voip"}),
    "aac": ("adts", "aac", 64_000, {}, {}),
    "flac": ("flac", "flac", 0, {}, {}),
}
"""Format -> container, codec, bits a second, options of the container and of the codec."""


class _Compressed:
    def __init__(self, name: str) -> None:
        import av  # noqa: PLC0415  FFmpeg: 80 MB that only some answers need

        container, codec, rate, settings, options = _CODECS[name]
        self._made = _Pipe()
        self._file: Any = av.open(self._made, "w", format=container, container_options=settings)
        stream: Any = self._file.add_stream(codec, rate=SPOKEN_RATE, options=options)
        stream.layout = "mono"
        if rate:
            stream.bit_rate = rate
        self._stream = stream
        self._frame: Callable[..., Any] = av.AudioFrame.from_ndarray
        self._at = 0

    def feed(self, pcm: Pcm) -> bytes:
        samples = np.frombuffer(int16_from_pcm(pcm), dtype="<i2").reshape(1, -1)
        if samples.size:
            frame = self._frame(samples, format="s16", layout="mono")
            frame.sample_rate = SPOKEN_RATE
            frame.pts = self._at
            self._at += samples.size
            for packet in self._stream.encode(frame):
                self._file.mux(packet)
        return self._made.take()

    def finish(self) -> bytes:
        for packet in self._stream.encode(None):
            self._file.mux(packet)
        self._file.close()
        return self._made.take()


class _Pipe(RawIOBase):
    """A file that can only be written to; what was written is taken out."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken
