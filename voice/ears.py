"""From a client's microphone bytes to what was heard: resampling, echo, VAD, segmenter, tape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr

from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, loudness
from voice.echo import Echo
from voice.echo_filter import FRAME
from voice.engines import Vad
from voice.events import Elapsed, SpeechPaused, SpeechStarted
from voice.loudspeaker import Loudspeaker
from voice.sections import VadSettings
from voice.segmenter import Segmenter
from voice.sounds import RATES, Encoding, Sounds
from voice.tape import Tape

Heard = SpeechStarted | SpeechPaused | Elapsed


class Ears:
    """One microphone. Sample numbers count what has been heard at `HEARD_RATE`."""

    def __init__(self, vad: Vad, settings: VadSettings, *, capacity: int) -> None:
        self._vad = vad.open()
        self._frame = vad.frame
        self._rest: Pcm = np.zeros(0, dtype=np.float32)
        self._encoding: Encoding = "audio/pcm"
        self._sounds = Sounds()
        self._resampler = _resampler(SPOKEN_RATE)
        self._silence: Pcm = np.zeros(vad.frame, dtype=np.float32)
        self._echo = Echo() if settings.echo and vad.frame == FRAME else None
        self._loudspeaker = Loudspeaker(self._echo) if self._echo is not None else None
        self.tape = Tape(capacity)
        self.segmenter = Segmenter(
            frame=vad.frame,
            threshold=settings.threshold,
            start=settings.start_ms * HEARD_RATE // 1000,
            pause=settings.pause_ms * HEARD_RATE // 1000,
        )

    @property
    def rate(self) -> int:
        """Samples a second of what comes in."""
        return RATES[self._encoding]

    def tune(self, encoding: Encoding) -> None:
        """From now on, audio comes in as this."""
        if encoding != self._encoding:
            self._encoding = encoding
            self._resampler = _resampler(self.rate)

    def hear(self, data: bytes | memoryview) -> Iterator[Heard]:
        """Take bytes of audio as it was tuned to; yields what happened, frame by frame.

        Raises `BadEvent` `invalid_audio` for Opus that is none.
        """
        sound = self._sounds.decode(data, self._encoding)
        pcm: Pcm = self._resampler.resample_chunk(sound)
        yield from self._frames(pcm)

    def flush(self) -> Iterator[Heard]:
        """The microphone stops here: hear what is still on its way through the resampler, filled
        up to a whole frame with silence.
        """
        pcm: Pcm = self._resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        self._resampler = _resampler(self.rate)
        missing = -(len(self._rest) + len(pcm)) % self._frame
        yield from self._frames(np.concatenate((pcm, np.zeros(missing, dtype=np.float32))))

    @property
    def deaf(self) -> bool:
        """The microphone does not hear the loudspeaker: what it hears is no echo."""
        return self._echo is not None and self._echo.deaf

    def play(self, data: bytes, *, of: str, encoding: Encoding = "audio/pcm") -> None:
        """A piece of the reply `of` goes out now."""
        if self._loudspeaker is not None:
            self._loudspeaker.play(data, self.tape.end, of=of, encoding=encoding)

    def hush(self) -> None:
        """The reply was interrupted: what went out and has not sounded yet never will."""
        if self._loudspeaker is not None:
            self._loudspeaker.stop(self.tape.end)

    def played(self, of: str, seconds: float) -> None:
        """The client says that it has played so much of the reply `of` by now."""
        if self._loudspeaker is not None:
            self._loudspeaker.played(of, seconds, self.tape.end)

    def _frames(self, pcm: Pcm) -> Iterator[Heard]:
        waiting = np.concatenate((self._rest, pcm))
        whole = len(waiting) - len(waiting) % self._frame
        self._rest = waiting[whole:]
        for start in range(0, whole, self._frame):
            frame = waiting[start : start + self._frame]
            at = self.tape.end
            spoken = frame
            if self._echo is not None:
                frame, only_echo = self._echo.clean(frame, at)
                spoken = self._silence if only_echo else frame
            probability = self._vad.probability(spoken)
            self.tape.append(frame, probability)
            edge = self.segmenter.feed(at, probability)
            if edge is not None:
                yield edge
            yield Elapsed(self.tape.end, self.segmenter.silent, loudness(spoken))


def _resampler(rate: int) -> soxr.ResampleStream:
    # LQ delays the sound by 6 ms, MQ and HQ by 24 to 27 ms (100, 434 and 386 samples were held
    # back of a stream); none of the models hears the difference in its stop band.
    return soxr.ResampleStream(rate, HEARD_RATE, 1, dtype="float32", quality="LQ")
