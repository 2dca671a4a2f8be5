"""What the loudspeaker is given, laid out on the microphone's clock. Pure."""

from __future__ import annotations

import numpy as np

from voice.audio import Pcm

FORGOTTEN = 4 * 16_000
"""Samples without sound after which the line starts anew instead of being filled with zeros."""


class Line:
    """Sound at 16 kHz by the number of the microphone sample during which it should begin.

    Pieces queue: one that is given while another still sounds begins when that has ended.
    """

    def __init__(self) -> None:
        self._pcm: Pcm = np.zeros(16_000, dtype=np.float32)
        self.start = 0
        """The first sample there is."""
        self.end = 0
        """Where the next piece begins, unless it comes later."""

    def play(self, pcm: Pcm, at: int) -> int:
        """`pcm` sounds at sample `at` or when what was given before has sounded: returns when."""
        begin = max(at, self.end)
        if begin - self.end > FORGOTTEN:
            self.start = self.end = begin
        self._make_room(begin + len(pcm))
        self._pcm[self.end - self.start : begin - self.start] = 0.0
        self._pcm[begin - self.start : begin - self.start + len(pcm)] = pcm
        self.end = begin + len(pcm)
        return begin

    def stop(self, at: int) -> None:
        """Nothing sounds from sample `at` on."""
        self.end = max(self.start, min(self.end, at))

    def delay(self, at: int, by: int) -> None:
        """What was to sound from sample `at` on sounds `by` samples later (earlier if negative)."""
        at = max(self.start, min(at, self.end))
        rest = self.read(at, self.end)
        self.end = max(self.start, min(at, at + by))
        self.play(rest, at + by)

    def read(self, start: int, end: int) -> Pcm:
        """Samples `start` to `end`, zeros where nothing sounds."""
        out: Pcm = np.zeros(end - start, dtype=np.float32)
        low, high = max(start, self.start), min(end, self.end)
        if low < high:
            out[low - start : high - start] = self._pcm[low - self.start : high - self.start]
        return out

    def forget(self, before: int) -> None:
        """Samples before this number will not be read again."""
        spare = min(before, self.end) - self.start
        if spare * 2 > len(self._pcm):  # seldom: moving memory costs more than it frees
            kept = self.end - self.start - spare
            self._pcm[:kept] = self._pcm[spare : spare + kept].copy()
            self.start += spare

    def _make_room(self, end: int) -> None:
        wanted = end - self.start
        if wanted > len(self._pcm):
            grown: Pcm = np.zeros(max(wanted, 2 * len(self._pcm)), dtype=np.float32)
            grown[: self.end - self.start] = self._pcm[: self.end - self.start]
            self._pcm = grown
