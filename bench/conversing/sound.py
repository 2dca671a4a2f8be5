"""A loudspeaker, a microphone and the way from one to the other, on one sample clock. Pure.

All sound is float32 `(samples,)` at 24 kHz. Nothing here knows real time: whoever calls `render`
and `take` for one block after the other is the clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from voice.audio import SPOKEN_RATE as RATE
from voice.audio import Pcm

JITTER = RATE // 10
"""The usual jitter buffer (100 ms)."""

FADE = RATE // 100
"""A stop fades over 10 ms, which count as played: they can no longer be taken back."""

RAMP = RATE * 60 // 1000
"""From silence to full loudness, and back, takes 60 ms."""

REPORT = RATE // 4
"""A report falls due four times a second."""


@dataclass(frozen=True, slots=True)
class Played:
    """How much of an item was handed to the loudspeaker (samples); `done`: all there is."""

    key: str
    samples: int
    done: bool


@dataclass(slots=True)
class _Track:
    key: str
    waiting: deque[Pcm] = field(default_factory=deque)
    ready: int = 0
    played: int = 0
    complete: bool = False

    def take(self, count: int) -> Pcm:
        """The next samples, up to `count`."""
        taken: list[Pcm] = []
        missing = min(count, self.ready)
        self.ready -= missing
        self.played += missing
        while missing:
            piece = self.waiting.popleft()
            if len(piece) > missing:
                self.waiting.appendleft(piece[missing:])
                piece = piece[:missing]
            taken.append(piece)
            missing -= len(piece)
        return np.concatenate(taken) if taken else np.zeros(0, np.float32)


class Loudspeaker:
    """Plays items one after the other without a gap, as the page does: jitter buffer, duck, stop.

    `heard` keeps what was played of each item before its loudness was changed; `jitter` is how
    many samples of an item lie ready before it starts, unless it is complete.
    """

    def __init__(self, jitter: int = JITTER) -> None:
        self._jitter = jitter
        self.heard: dict[str, list[Pcm]] = {}
        self.underruns = 0
        self._tracks: list[_Track] = []
        self._started = False
        self._since_report = 0
        self._gain = self._wanted = 1.0
        self._tail: Pcm = np.zeros(0, np.float32)

    @property
    def sounding(self) -> str | None:
        """The item that plays, or waits for its jitter buffer; None if there is none."""
        return self._tracks[0].key if self._tracks else None

    @property
    def audible(self) -> bool:
        """An item plays."""
        return self._started

    @property
    def ahead(self) -> int:
        """Samples that lie ready."""
        return sum(track.ready for track in self._tracks)

    def holds(self, key: str) -> bool:
        """Whether this item is played, or will be."""
        return any(track.key == key for track in self._tracks)

    def played(self, key: str) -> int:
        """How much of an item was played so far (samples)."""
        return sum(map(len, self.heard.get(key, ())))

    def push(self, key: str, pcm: Pcm) -> None:
        """More of an item; a new item means that those before it have all they get."""
        track = next((t for t in self._tracks if t.key == key), None)
        if track is None:
            self.finish()
            track = _Track(key)
            self._tracks.append(track)
        track.waiting.append(pcm)
        track.ready += len(pcm)

    def finish(self, key: str | None = None) -> None:
        """No more comes for this item; without a key, for any."""
        for track in self._tracks:
            track.complete |= key is None or track.key == key

    def duck(self, wanted: float) -> None:
        """Move the loudness to `wanted` (0 to 1)."""
        self._wanted = wanted

    def stop(self) -> Played | None:
        """Fade out and forget the rest; what was played of the item in progress."""
        if not self._tracks:
            return None
        track = self._tracks[0]
        if self._started:
            self._tail = self._sound(track, FADE) * np.linspace(1, 0, FADE, dtype=np.float32)
        self._tracks = []
        self._started = False
        self._gain = self._wanted = 1.0
        return Played(track.key, track.played, done=False)

    def render(self, count: int) -> tuple[Pcm, list[Played]]:
        """The next `count` samples, and the reports that fell due."""
        out = np.zeros(count, np.float32)
        reports: list[Played] = []
        filled = min(len(self._tail), count)
        out[:filled] = self._tail[:filled]
        self._tail = self._tail[filled:]
        while filled < count and self._tracks:
            track = self._tracks[0]
            if not self._started and not track.complete and track.ready < self._jitter:
                break
            self._started = True
            piece = self._sound(track, count - filled, pad=False)
            out[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._since_report += len(piece)
            if track.ready == 0 and track.complete:
                reports.append(Played(track.key, track.played, done=True))
                self._tracks.pop(0)
                self._started = bool(self._tracks)
                self._since_report = 0
            elif filled < count:
                self.underruns += 1
                self._started = False
                break
        if self._since_report >= REPORT and self._tracks:
            reports.append(Played(self._tracks[0].key, self._tracks[0].played, done=False))
            self._since_report = 0
        return out, reports

    def _sound(self, track: _Track, count: int, *, pad: bool = True) -> Pcm:
        piece = track.take(count)
        self.heard.setdefault(track.key, []).append(piece)
        steps = np.arange(1, len(piece) + 1, dtype=np.float32) / RAMP
        if self._gain < self._wanted:
            gains = np.minimum(self._gain + steps, self._wanted)
        else:
            gains = np.maximum(self._gain - steps, self._wanted)
        if len(gains):
            self._gain = float(gains[-1])
        piece = piece * gains
        return np.pad(piece, (0, count - len(piece))) if pad else piece


class EchoPath:
    """From the loudspeaker to the microphone: a room's impulse response after `delay` samples.

    The response is scaled so that its energy is `level` dB: white noise from the loudspeaker
    reaches the microphone with that much gain. Convolved block by block (overlap-add).
    """

    def __init__(self, response: Pcm, *, level: float, delay: int) -> None:
        gain = 10 ** (level / 20) / max(float(np.linalg.norm(response)), 1e-9)
        self._response: Pcm = np.pad(response * np.float32(gain), (delay, 0))
        self._tail: Pcm = np.zeros(len(self._response), np.float32)
        self._spectra: dict[int, np.ndarray] = {}

    def pass_on(self, block: Pcm) -> Pcm:
        """What of the loudspeaker reaches the microphone while it plays `block`."""
        count = len(block)
        size = 1 << (count + len(self._response) - 1).bit_length()
        if size not in self._spectra:
            self._spectra[size] = np.fft.rfft(self._response, size)
        wet = np.fft.irfft(np.fft.rfft(block, size) * self._spectra[size], size)
        whole = np.pad(self._tail, (0, count)) + wet[: len(self._tail) + count]
        self._tail = whole[count:].astype(np.float32)
        return whole[:count].astype(np.float32)


class Microphone:
    """What reaches the microphone beside the echo: room tone, and sounds at chosen moments."""

    def __init__(self, room: Pcm) -> None:
        self._room = room
        self._sounds: list[tuple[int, Pcm]] = []
        self.clock = 0
        """Samples taken so far."""

    def place(self, pcm: Pcm, *, after: int = 0) -> int:
        """Let `pcm` sound `after` samples from now; returns when that is on the clock."""
        at = self.clock + after
        self._sounds.append((at, pcm))
        return at

    def take(self, count: int) -> Pcm:
        """The next `count` samples."""
        begin, end = self.clock, self.clock + count
        out: Pcm = np.take(self._room, np.arange(begin, end), mode="wrap")
        for at, pcm in self._sounds:
            low, high = max(at, begin), min(at + len(pcm), end)
            if low < high:
                out[low - begin : high - begin] += pcm[low - at : high - at]
        self._sounds = [(at, pcm) for at, pcm in self._sounds if at + len(pcm) > end]
        self.clock = end
        return out


def voiced(pcm: Pcm) -> tuple[int, int]:
    """Where the sound in `pcm` begins and ends: its 10 ms frames within 30 dB of the loudest."""
    frame = RATE // 100
    whole = len(pcm) - len(pcm) % frame
    power = np.square(pcm[:whole].reshape(-1, frame)).mean(axis=1)
    loud = np.flatnonzero(power > max(float(power.max(initial=0)) * 1e-3, 1e-10))
    if not len(loud):
        return 0, len(pcm)
    return int(loud[0]) * frame, int(loud[-1] + 1) * frame


def levelled(pcm: Pcm, decibels: float) -> Pcm:
    """`pcm` made so loud that its louder half, by 10 ms frames, has `decibels` dB."""
    frame = RATE // 100
    whole = len(pcm) - len(pcm) % frame
    power = np.sort(np.square(pcm[:whole].reshape(-1, frame)).mean(axis=1))
    loud = float(power[len(power) // 2 :].mean())
    scaled: Pcm = pcm * np.float32(10 ** (decibels / 20) / max(loud**0.5, 1e-9))
    return np.clip(scaled, -1.0, 1.0)
