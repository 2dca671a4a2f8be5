"""From frame probabilities to where speech starts and pauses. Pure.

Two thresholds keep a wavering probability from flickering, as in Silero's own iterator: speech
starts at `threshold` and is over only below `threshold - 0.15`
(github.com/snakers4/silero-vad, `utils_vad.py`).
"""

from __future__ import annotations

from voice.events import SpeechPaused, SpeechStarted

HYSTERESIS = 0.15


class Segmenter:
    """Feeds on one stream's frames in order and says when speech starts and pauses.

    `start` samples of speech in a row begin an utterance, `pause` samples of silence end it; the
    events carry where in the stream that happened, not when it was noticed.
    """

    def __init__(self, *, frame: int, threshold: float, start: int, pause: int) -> None:
        self.frame = frame
        self.threshold = threshold
        self.start = start
        self.pause = pause
        self.speaking = False
        self._run = 0
        """Samples in a row that speak against the present state."""

    def feed(self, at: int, probability: float) -> SpeechStarted | SpeechPaused | None:
        """Take the frame that begins at sample `at`; returns what it changed, if anything."""
        limit = self.threshold - HYSTERESIS if self.speaking else self.threshold
        voiced = probability >= limit
        if voiced == self.speaking:
            self._run = 0
            return None
        self._run += self.frame
        if self._run < (self.pause if self.speaking else self.start):
            return None
        edge = at + self.frame - self._run
        self.speaking = voiced
        self._run = 0
        return SpeechStarted(edge) if voiced else SpeechPaused(edge)

    @property
    def silent(self) -> int:
        """Samples without speech at the end of the present stretch of speech."""
        return self._run if self.speaking else 0

    def reset(self) -> None:
        """Forget that anyone was speaking."""
        self.speaking = False
        self._run = 0
