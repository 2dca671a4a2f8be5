"""Uploaded sound of any format to what the recogniser hears.

libsndfile reads WAV, FLAC, Ogg and MP3; FFmpeg (PyAV) the rest: WebM, M4A, AAC. What a file is, its
content decides, never its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from voice.audio import HEARD_RATE, Pcm
from voice.rest.errors import BadRequest

BLOCK = 65_536
"""Samples decoded at a time."""

RATES = (1_000, 768_000)
"""Sample rates that sound can have; others are a damaged header."""

MOST_CHANNELS = 32

ENDLESS = 2**40
"""More samples than this is libsndfile's way to say that a stream (FLAC) does not tell how many it
has; then it cannot read it in blocks.
"""


def decode(file: BinaryIO, *, seconds: float) -> Pcm:
    """The sound in `file`, mixed to mono at 16 kHz (blocking).

    Raises `BadRequest` `invalid_audio` if it is none that can be read, `audio_too_long` beyond
    `seconds`.
    """
    import soxr  # noqa: PLC0415  native libraries are loaded by who needs them

    resampler: soxr.ResampleStream | None = None
    parts: list[Pcm] = []
    samples = 0
    for rate, block in _blocks(file):
        samples += len(block)
        if samples > seconds * rate:
            raise BadRequest(
                f"the sound is longer than {seconds:g} s", code="audio_too_long", param="file"
            )
        if resampler is None:
            resampler = soxr.ResampleStream(rate, HEARD_RATE, 1, dtype="float32")
        parts.append(resampler.resample_chunk(block))
    if resampler is None:
        raise _unreadable()
    parts.append(resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
    pcm: Pcm = np.nan_to_num(np.concatenate(parts), posinf=0.0, neginf=0.0)
    return pcm


def _blocks(file: BinaryIO) -> Iterator[tuple[int, Pcm]]:
    """(rate, mono samples) in order."""
    import soundfile  # noqa: PLC0415

    try:
        sound = soundfile.SoundFile(file)
        if sound.frames > ENDLESS:
            sound.close()
            raise ValueError
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError):
        file.seek(0)
        yield from _blocks_by_ffmpeg(file)
        return
    with sound:
        _check(sound.samplerate, sound.channels)
        try:
            while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
                yield sound.samplerate, block.mean(axis=1, dtype=np.float32)
        except (soundfile.LibsndfileError, OSError, ValueError):
            raise _unreadable() from None


def _blocks_by_ffmpeg(file: BinaryIO) -> Iterator[tuple[int, Pcm]]:
    import av  # noqa: PLC0415

    # Formats named by hand: FFmpeg's own choice includes playlists, which name other files.
    try:
        opened = av.open(file, "r", options={"format_whitelist": _FORMATS})
    except (av.FFmpegError, OSError, ValueError, EOFError):
        raise _unreadable() from None
    with opened as container:
        if not container.streams.audio:
            raise _unreadable()
        stream = container.streams.audio[0]
        rate = stream.rate or 0
        _check(rate, stream.channels or 0)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        try:
            for frame in container.decode(stream):
                frame.pts = None
                for mono in resampler.resample(frame):
                    yield rate, mono.to_ndarray().ravel().astype(np.float32)
        except (av.FFmpegError, OSError, ValueError, EOFError):
            raise _unreadable() from None


_FORMATS = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,mp3,ogg,flac,wav,amr,caf,aiff,asf,mpeg"


def _check(rate: int, channels: int) -> None:
    if not (RATES[0] <= rate <= RATES[1] and 1 <= channels <= MOST_CHANNELS):
        raise _unreadable()


def _unreadable() -> BadRequest:
    return BadRequest(
        "the file holds no sound that can be read", code="invalid_audio", param="file"
    )
