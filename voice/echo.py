"""The assistant's own voice, taken out of what the microphone hears. Pure.

What is played is known, when it sounds is guessed. One `Echo` for each session finds the real
delay, learns the way from the loudspeaker to the microphone and takes the echo out, so that the
assistant does not interrupt itself, whatever the client's own echo cancellation does. While nothing
is played, frames pass as they are. See `docs/decisions/0006-echo.md`.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from voice.audio import HEARD_RATE, Pcm
from voice.echo_delay import EARLY, LATE, SPAN, Delay
from voice.echo_filter import FRAME, PARTS, EchoFilter, Split
from voice.echo_line import Line
from voice.echo_suppressor import Suppressor

_AHEAD = 256
"""The filter begins so many samples before the strongest path: some sound may come earlier."""

_DIES_DOWN = HEARD_RATE // 2
"""Samples until an echo is gone, after the filter's length."""

_CERTAIN = 9.0
"""Standard deviations from which a peak of the correlation is the echo (`bench/echo.py`)."""

_SAME = 8
"""Samples the delay may wander without the filter being moved; it follows by itself."""

_NEAR = 64
"""Samples by which two first impressions of one delay differ at most."""

_REHEARSALS = 2
"""How often the filter goes over what was heard before the delay was found."""

_LOUD = 3e-7
"""Mean power of a frame that can hold an echo worth finding (-65 dB)."""

_PATIENCE = 20
"""Loud frames taken for echo until the delay is found: 0.64 s."""

_IMPATIENCE = 6
"""The same, where none was found before: most likely there is no echo."""

_CALM = 40
"""Quiet frames in a row, while there was sound to echo all the time, that show that there is no
way from the loudspeaker to the microphone: 1.28 s, more than the longest delay.
"""

_SETTLING = 4
"""Frames taken for echo after the delay was found."""

_TIMES, _TIMES_DEAF = 3, 12
"""Comparisons in a row that have to find the same delay before it is believed: at most times, and
where there was no echo while there should have been one. A voice that begins is like a reply that
begins: with 3, 21 of 146 voices over a reply in headphones were taken for its echo.
"""

_HIDDEN, _FADES = 0.006, 0.98
"""A frame with less than this share of the loudest echo lately is the room's answer to it: it
sounds on for longer than the filter reaches. Share of the loudest in the frame after it.
"""

_FAINT = 0.12
"""A frame that has lost all but this share of its power was echo."""

_MISSED = 3
"""So often in a row the echo is not what was expected until playback stalled, or the room changed;
and so often it is again until that has been learnt.
"""

_SLIPPED = HEARD_RATE * 3 // 10
"""The client is so much off what was expected: expect something else."""


class Cleaned(NamedTuple):
    """A frame without echo; `only_echo` says that nobody is known to have spoken in it."""

    frame: Pcm
    only_echo: bool


class Echo:
    """Between one loudspeaker and one microphone, on the microphone's clock (16 kHz)."""

    def __init__(self) -> None:
        self._line = Line()
        self._heard: deque[Pcm] = deque(maxlen=SPAN // FRAME)
        self._left: deque[Pcm] = deque(maxlen=SPAN // FRAME)
        """What the filter left of what was heard."""
        self._delay = Delay()
        self._remaining = Delay()
        self._filter = EchoFilter()
        self._suppressor = Suppressor()
        self.lag: int | None = None
        """Samples after which the loudspeaker is really heard, once that is known."""
        self._sure = False
        """The delay was found since the loudspeaker last began to sound."""
        self._candidate: int | None = None
        self._patience = _PATIENCE
        self._waited = 0.0
        self._calm = 0
        self.deaf = False
        """The microphone does not hear the loudspeaker, headphones for instance."""
        self._times = 0
        self._settling = 0
        self._checked = 0
        self._frames = 0
        self._resting = True
        self._loudest = 0.0
        """Power of the loudest frame of echo lately."""
        self._missed = 0
        """How often in a row the echo that was expected was missing,"""
        self._again = 0
        """and how often it was there."""
        self._changed = False
        """It was missing until now: the way to the microphone may be another."""
        self._shifted = False
        """The filter learnt it anew where it is now, which may be elsewhere than `lag` says."""
        self._stopped = False
        """What is expected was cut short; when it really ends is not known."""

    def play(self, pcm: Pcm, at: int) -> int:
        """`pcm` (16 kHz) goes out at sample `at`, to sound when what went before has sounded:
        returns the sample at which that is expected.
        """
        if at > self._line.end + HEARD_RATE // 5:
            self._doubt()
        self._stopped = False
        return self._line.play(pcm, at)

    def stop(self, at: int) -> None:
        """What still waits to be played at sample `at` never sounds."""
        self._line.stop(at)
        self._stopped = True

    def played(self, position: int, at: int) -> None:
        """At sample `at` the client says that it is playing what was expected at `position`.

        It may have paused: what is farther off than the search for the delay reaches is moved.
        """
        slipped = at - position
        if not -EARLY < slipped < LATE - _SLIPPED:
            self._line.delay(position, slipped - _SLIPPED)
            self._calm, self.deaf = 0, False  # it was silent because nothing was played
            self._doubt()

    def clean(self, frame: Pcm, at: int) -> Cleaned:
        """Take the echo out of the frame of `FRAME` samples that begins at sample `at`."""
        end = at + len(frame)
        reach = LATE if self.lag is None or not self._sure else self.lag
        since = at - reach - PARTS * FRAME - _DIES_DOWN
        if self._line.end <= max(since, self._line.start):
            self._rest()
            return Cleaned(frame, only_echo=False)
        self._heard.append(frame)
        self._line.forget(end - LATE - SPAN - (PARTS + 2) * FRAME)
        loud = _power(frame) > _LOUD * FRAME
        if loud and not self._sure:
            self._search(end)
        guarded = self._guard(end, loud=loud)
        if self.lag is None:
            return Cleaned(frame, guarded)
        if self._resting:
            self._align(at, self.lag)
            self._resting = False
        cleaned, split = self._remove(frame, at, self.lag)
        missing = self._miss(split.missing)
        faint = self._is_faint(frame, cleaned, split)
        if loud and self._sure and not faint:
            self._check(end, self.lag)
        return Cleaned(cleaned, guarded or faint or missing or self._settling > 0)

    def _is_faint(self, frame: Pcm, cleaned: Pcm, split: Split) -> bool:
        """Whether nothing but echo is known to be in the frame."""
        echo, rest = _power(split.echo), _power(cleaned)
        self._loudest = max(_FADES * self._loudest, echo)
        answer = _HIDDEN * self._loudest
        gone = echo < answer and rest < answer
        return gone or rest < _FAINT * _power(frame) or _bright(cleaned) < _FAINT * _bright(frame)

    def _guard(self, end: int, *, loud: bool) -> bool:
        """Whether a frame is to be taken for echo, because too little is known yet."""
        settling = self._settling > 0
        self._settling = max(0, self._settling - 1)
        if self._sure or not self._sounds(end):
            return settling
        self._calm = 0 if loud else self._calm + 1
        self.deaf = self.lag is None and (self.deaf or self._calm >= _CALM)
        if self.deaf:
            return settling
        # Silence while the loudspeaker sounds says as well that there is no echo, or a late one.
        self._waited += 1.0 if loud else 0.5
        if self._waited > self._patience and self.lag is None:
            self._patience = _IMPATIENCE
            self._waited = max(self._waited, _PATIENCE + 1.0)
        return settling or (loud and self._waited <= self._patience)

    def _miss(self, missing: bool | None) -> bool:
        """Whether the echo that was expected in a frame is missing; often in a row, it moved."""
        if missing is None or self._stopped:
            return False
        if not self._sure:
            self._again = 0 if missing else self._again + 1
            if self._changed and self._again >= _MISSED:
                self._trust()
                self._changed, self._shifted = False, True
            return False
        self._missed = self._missed + 1 if missing else 0
        if self._missed >= _MISSED:
            self._doubt()
            self._changed = True
            self._filter.relearn()
            self._suppressor.beware()
            for sound in (self._heard, self._left):
                while len(sound) > _MISSED:
                    sound.popleft()
        return missing

    def _rest(self) -> None:
        if not self._resting:
            self._resting = True
            self._suppressor.rest()
        self._heard.clear()
        self._left.clear()

    def _doubt(self) -> None:
        self._sure = False
        self._waited = 0.0
        self._frames = 0
        self._candidate = None
        self._missed = 0
        self._delay.reset()

    def _sounds(self, end: int) -> bool:
        """Something of what was played can be in the newest frame."""
        return bool(np.any(self._line.read(end - LATE, end + EARLY)))

    def _search(self, end: int) -> None:
        """Look for the delay in what is heard."""
        found = self._compare(self._delay, self._heard, end)
        if found is None:
            return
        lag, heard, line = found
        if self.lag is not None and abs(lag - self.lag) <= _SAME:
            self._trust()
        elif self._times >= (_TIMES_DEAF if self.deaf else _TIMES):
            self._move(lag, heard, line, end, due=end - FRAME)
        else:
            return
        self._changed = False

    def _check(self, end: int, lag: int) -> None:
        """What is left should not sound like what is played; if it does, something has changed."""
        found = self._compare(self._remaining, self._left, end)
        if found is None or self._times < 2 or end < self._checked + HEARD_RATE // 4:
            return
        other, _, line = found
        self._checked = end
        self._times = 0
        self._settling = _SETTLING
        self._remaining.reset()
        heard = np.concatenate(self._heard)
        now, height = Delay().compare(heard, line)
        if height >= _CERTAIN and abs(now - other) <= _NEAR < abs(now - lag):
            self._move(now, heard, line, end, due=end)  # the room is the same
        else:
            self._filter.expect(_ratio(heard, line, lag))
            self._filter.restore()
            self._suppressor.beware()

    def _compare(self, delay: Delay, sound: deque[Pcm], end: int) -> tuple[int, Pcm, Pcm] | None:
        """The delay that stands out in the newest sound, with that sound and the line; counts how
        often it was the same.
        """
        self._frames += 1
        if self._frames % 2 or len(sound) * FRAME < SPAN:
            return None
        line = self._line.read(end - SPAN - LATE, end + EARLY)
        if not np.any(line):
            return None
        heard = np.concatenate(sound)
        lag, height = delay.compare(heard, line)
        if height < _CERTAIN:
            self._candidate = None
            return None
        again = self._candidate is not None and abs(lag - self._candidate) <= _SAME
        self._times = self._times + 1 if again else 1
        self._candidate = lag
        return lag, heard, line

    def _trust(self) -> None:
        """The delay is known from here on; what is left of the echo settles within moments."""
        if not self._sure:
            self._settling = _SETTLING
            self._remaining.reset()
        self._sure = True
        self._candidate = None
        self._missed = 0

    def _move(self, lag: int, heard: Pcm, line: Pcm, end: int, *, due: int) -> None:
        """The delay is another; `due` is the first sample that the filter has not gone over."""
        first = self.lag is None or self._shifted or self._changed
        self._shifted = False
        if first:
            self._filter.expect(_ratio(heard, line, lag))
            self._patience = _PATIENCE
        self.lag = lag
        self._trust()
        self._resting = False
        if first:
            self._rehearse(end, lag)
        else:
            self._align(due, lag)
            self._filter.restore()

    def _remove(self, frame: Pcm, at: int, lag: int) -> tuple[Pcm, Split]:
        newest = at + FRAME - lag + _AHEAD
        line = self._line.read(newest - 2 * FRAME, newest)
        split = self._filter.split(frame, line, learn=self._sure or self._changed)
        self._left.append(split.left)
        return self._suppressor.suppress(split), split

    def _rehearse(self, end: int, lag: int) -> None:
        """Learn from what was heard while the delay was being found."""
        first = end - len(self._heard) * FRAME
        for _ in range(_REHEARSALS):
            self._align(first, lag)
            for number, frame in enumerate(list(self._heard)[:-1]):
                self._remove(frame, first + number * FRAME, lag)

    def _align(self, at: int, lag: int) -> None:
        """The filter is to go on with the frame that begins at sample `at`."""
        newest = at - lag + _AHEAD
        self._filter.align(self._line.read(newest - (PARTS + 1) * FRAME, newest))


def _ratio(heard: Pcm, line: Pcm, lag: int) -> float:
    """Power of what was heard over that of what was played then."""
    sounded = line[LATE - lag : LATE - lag + SPAN]
    return float(np.sum(np.square(heard))) / (float(np.sum(np.square(sounded))) + 1e-9)


def _power(frame: Pcm) -> float:
    return float(np.sum(np.square(frame)))


def _bright(frame: Pcm) -> float:
    """Power with the bass turned down, as a voice's is in the bands that tell it from others."""
    return float(np.sum(np.square(np.diff(frame))))
