"""The microphone's recent past, addressed by sample number. Pure."""

from __future__ import annotations

from collections import deque

import numpy as np

from voice.audio import Pcm

STRONGEST = 5
"""Frames that `Tape.speech` is the mean of: the shortest words, "six" or "sí", have 13 of 32 ms."""


class Tape:
    """Keeps the newest `capacity` samples; older ones are forgotten.

    `end` is the number of the next sample to come, so it counts every sample there ever was.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._data: Pcm = np.zeros(min(capacity, 16_000), dtype=np.float32)
        self._kept = 0
        """Samples in `_data`, from its start; the last one is sample `end - 1`."""
        self.end = 0
        self._speech: deque[tuple[int, float]] = deque()
        """Where each frame ended of which that is known, and the probability of speech in it."""

    @property
    def start(self) -> int:
        """The number of the oldest sample there still is."""
        return self.end - self._kept

    def append(self, pcm: Pcm, speech: float | None = None) -> None:
        """Record what came next, and the probability that it was speech if that is known."""
        self.end += len(pcm)
        if speech is not None:
            self._speech.append((self.end, speech))
        pcm = pcm[-self._capacity :]
        if self._kept + len(pcm) > len(self._data):
            self._make_room(len(pcm))
        self._data[self._kept : self._kept + len(pcm)] = pcm
        self._kept += len(pcm)
        while self._speech and self._speech[0][0] <= self.start:
            self._speech.popleft()

    def speech(self, start: int, end: int) -> float | None:
        """How sure it is that somebody spoke between samples `start` and `end`: the mean
        probability of the frames that are most like speech; None if nothing is known.
        """
        known = sorted(p for at, p in self._speech if start < at <= end)[-STRONGEST:]
        return sum(known) / len(known) if known else None

    def read(self, start: int, end: int) -> Pcm:
        """A copy of samples `start` to `end`, as far as they are still (or already) there."""
        low = min(max(start - self.start, 0), self._kept)
        high = min(max(end - self.start, low), self._kept)
        return self._data[low:high].copy()

    def forget(self, before: int) -> None:
        """Samples before this number will not be read again."""
        spare = min(max(before - self.start, 0), self._kept)
        # Moving memory for every frame would cost more than it frees: wait until half is spare.
        if spare * 2 > len(self._data):
            self._data[: self._kept - spare] = self._data[spare : self._kept]
            self._kept -= spare

    def _make_room(self, wanted: int) -> None:
        size = min(max(2 * len(self._data), self._kept + wanted), self._capacity)
        keep = min(self._kept, size - wanted)
        data = np.zeros(size, dtype=np.float32)
        data[:keep] = self._data[self._kept - keep : self._kept]
        self._data, self._kept = data, keep
