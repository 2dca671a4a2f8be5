"""The microphone's recent past, addressed by sample number. Pure."""

from __future__ import annotations

import numpy as np

from voice.audio import Pcm


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

    @property
    def start(self) -> int:
        """The number of the oldest sample there still is."""
        return self.end - self._kept

    def append(self, pcm: Pcm) -> None:
        """Record what came next."""
        self.end += len(pcm)
        pcm = pcm[-self._capacity :]
        if self._kept + len(pcm) > len(self._data):
            self._make_room(len(pcm))
        self._data[self._kept : self._kept + len(pcm)] = pcm
        self._kept += len(pcm)

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
