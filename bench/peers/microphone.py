"""Speech sent as a microphone would send it: 20 ms at a time, then silence."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def read_clip(path: Path) -> tuple[Samples, int]:
    """The samples of a mono 16-bit WAV file, int16 `(samples,)`, and their rate."""
    with wave.open(str(path), "rb") as clip:
        return np.frombuffer(clip.readframes(clip.getnframes()), np.int16), clip.getframerate()


def floats(pcm: bytes | memoryview) -> NDArray[np.float32]:
    """16-bit samples as float32 `(samples,)` within -1 and 1."""
    return np.divide(np.frombuffer(pcm, np.int16), 32768, dtype=np.float32)


async def speak(
    pcm: Samples,
    rate: int,
    send: Callable[[bytes], Awaitable[None]],
    ended: asyncio.Future[float],
) -> None:
    """Send `pcm` in real time and then silence until cancelled.

    `ended` gets the moment (`perf_counter`) at which the frame with the last sample was sent. A
    frame is sent when its last sample would have been recorded.
    """
    frame = rate // 50
    began = perf_counter()
    number = 0
    while True:
        piece = pcm[number * frame : (number + 1) * frame]
        number += 1
        await asyncio.sleep(max(0.0, began + number / 50 - perf_counter()))
        await send(np.pad(piece, (0, frame - len(piece))).tobytes())
        if number * frame >= len(pcm) and not ended.done():
            ended.set_result(perf_counter())
