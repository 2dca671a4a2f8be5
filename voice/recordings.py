"""The sound of the conversation's newest items, so that a client can ask for it back. Pure."""

from __future__ import annotations

import numpy as np
import soxr

from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm

SECOND = SPOKEN_RATE * 2
"""Bytes of a second: PCM16 at 24 kHz."""


class Recordings:
    """Keeps at most `seconds` of sound; the oldest items lose theirs first."""

    def __init__(self, seconds: float) -> None:
        self._limit = int(seconds * SECOND)
        self._kept: dict[str, bytearray] = {}

    def hold(self, seconds: float) -> None:
        """Keep at least so much."""
        self._limit = max(self._limit, int(seconds * SECOND))

    def hear(self, item_id: str, pcm: Pcm) -> None:
        """Keep what the user said, 16 kHz."""
        spoken = soxr.resample(pcm, HEARD_RATE, SPOKEN_RATE).astype(np.float32)
        self.add(item_id, int16_from_pcm(spoken))

    def add(self, item_id: str, pcm16: bytes) -> None:
        """Keep what comes next in an item, PCM16 at 24 kHz."""
        self._kept.setdefault(item_id, bytearray()).extend(pcm16)
        spare = sum(map(len, self._kept.values())) - self._limit
        for old in list(self._kept):
            if spare <= 0:
                return
            spare -= len(self._kept.pop(old))

    def cut(self, item_id: str, seconds: float) -> None:
        """No more of the item's sound was heard than this."""
        if item_id in self._kept:
            del self._kept[item_id][round(seconds * SPOKEN_RATE) * 2 :]

    def forget(self, item_id: str) -> None:
        """The item is no more."""
        self._kept.pop(item_id, None)

    def get(self, item_id: str) -> bytes | None:
        """The item's sound as far as it is kept, PCM16 at 24 kHz."""
        kept = self._kept.get(item_id)
        return None if kept is None else bytes(kept)
