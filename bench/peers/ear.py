"""When a listener hears a reply that arrives in pieces. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AUDIBLE = 0.005
"""|sample| above which something counts as heard."""


@dataclass(slots=True)
class Ear:
    """A loudspeaker without latency and the ear before it; times in seconds on one clock.

    A piece is played when it arrives or when the piece before it has ended, whichever is later.
    """

    audible: float | None = None
    """When the first audible sample since `forget` was played."""
    ends: float = 0.0
    """When everything that has arrived will have been played."""
    gap: float = 0.0
    """How long the loudspeaker had nothing to play since the first audible sample."""

    def hear(self, pcm: NDArray[np.float32], rate: int, now: float) -> None:
        """`pcm`, float32 `(samples,)` at `rate` Hz, arrives at `now`."""
        begins = max(now, self.ends)
        if self.audible is not None:
            self.gap += begins - self.ends
        self.ends = begins + len(pcm) / rate
        if self.audible is None:
            loud = np.flatnonzero(np.abs(pcm) > AUDIBLE)
            if len(loud):
                self.audible = begins + int(loud[0]) / rate

    def forget(self) -> None:
        """The reply was cancelled: what was heard of it was not the answer."""
        self.audible = None
        self.ends = self.gap = 0.0
