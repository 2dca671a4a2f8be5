"""Kokoro's networks in ONNX Runtime: phonemes to prosody, prosody to audio, piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voice.audio import Pcm
from voice.engines.kokoro_cut import AROUND, SAMPLES_PER_PICTURE, Sign
from voice.engines.kokoro_graph import (
    GIVEN,
    LONGEST,
    NORMS,
    PICTURE,
    SOURCE,
    Networks,
    take_apart,
)
from voice.engines.kokoro_norms import Norms
from voice.engines.onnx import session_options
from voice.engines.phonemes.vocabulary import MARKS, VOCABULARY
from voice.errors import EngineFailed

log = logging.getLogger(__name__)

SAMPLES_PER_FRAME = 600
"""Audio samples for one unit of the model's durations: hop 5 x upsampling 60 x 2 (config.json)."""

UNBOUNDED = 1e6
MARK_FRAMES = 5
"""Durations made for punctuation at the end, and ..."""
END_FRAMES = 3
"""... for the end itself: the pause that is wanted after it is silence, and need not be made. The
silence before the first sound must be: bounded to 6 or 9 frames, the first word is swallowed.
"""

MIRRORED = 20
"""Samples of the excitation more than of the audio."""

OVERLAP = 120
"""Samples by which one piece of audio is faded into the next."""

Style = NDArray[np.float32]
"""A voice: `(510, 1, 256)`, one row a number of signs."""


@dataclass(frozen=True, slots=True)
class Prosody:
    """How one run of signs will be said, and what its audio is made from."""

    picture: NDArray[np.float32]
    source: NDArray[np.float32]
    style: NDArray[np.float32]
    edges: list[int]
    """Sign `i` lies between samples `i` and `i + 1` of these; the last is the length in all."""

    @property
    def frames(self) -> int:
        """How long the picture is."""
        return int(self.picture.shape[2])


class Network:
    """Both halves of the model. Everything blocks; what fails is `EngineFailed`."""

    def __init__(self, parts: Networks, device: str, threads: int) -> None:
        """Load the networks on `device`, `cpu` or `cuda`."""
        self.device = device
        self.variances = parts.variances
        self._nothing = np.zeros(len(parts.variances), dtype=np.float32)
        # The prosody network is a chain of small steps: a second thread does not speed it up.
        self._prosody = _open(parts.prosody, device, 1)
        self._generator = _open(parts.generator, device, threads)

    def plan(self, run: Sequence[Sign], voice: Style, speed: float) -> Prosody:
        """How `run`, at most 510 signs, will be said."""
        tokens = [0, *(VOCABULARY[sign.sign] for sign in run), 0]
        longest = np.full((1, len(tokens)), UNBOUNDED, dtype=np.float32)
        longest[0, -1] = END_FRAMES
        if run[-1].sign in MARKS:
            longest[0, -2] = MARK_FRAMES
        style = voice[len(run) - 1]
        picture, source, durations = _run(
            self._prosody,
            {
                "tokens": np.array([tokens], dtype=np.int64),
                "style": style,
                "speed": np.array([speed], dtype=np.float32),
                LONGEST: longest,
            },
        )
        frames = [round(float(duration)) for duration in durations.ravel()]
        edges = [end * SAMPLES_PER_FRAME for end in accumulate(frames)]
        return Prosody(picture, source, style, edges)

    def whole(self, prosody: Prosody) -> tuple[Pcm, Norms]:
        """All the audio at once, and the norms that were seen in it."""
        audio, seen = self._generate(prosody, 0, prosody.frames, None)
        return audio, seen

    def piece(self, prosody: Prosody, begin: int, end: int, norms: Norms) -> tuple[Pcm, int]:
        """The audio of frames `begin` to `end` of the picture, and how many samples more."""
        first, last = max(begin - AROUND, 0), min(end + AROUND, prosody.frames)
        audio, _ = self._generate(prosody, first, last, norms)
        shared = OVERLAP if last > end else 0
        start = (begin - first) * SAMPLES_PER_PICTURE
        return audio[start : (end - first) * SAMPLES_PER_PICTURE + shared], shared

    def _generate(
        self, prosody: Prosody, first: int, last: int, norms: Norms | None
    ) -> tuple[Pcm, Norms]:
        start, stop = first * SAMPLES_PER_PICTURE, last * SAMPLES_PER_PICTURE
        audio, seen = _run(
            self._generator,
            {
                PICTURE: prosody.picture[:, :, first:last],
                SOURCE: prosody.source[:, :, start : stop + MIRRORED],
                "style": prosody.style,
                NORMS: self._nothing if norms is None else norms,
                GIVEN: np.array(norms is not None),
            },
        )
        return np.clip(np.nan_to_num(audio.ravel()), -1.0, 1.0), seen


def _run(
    session: onnxruntime.InferenceSession, inputs: dict[str, NDArray[np.generic]]
) -> list[NDArray[np.float32]]:
    try:
        results: list[NDArray[np.float32]] = session.run(None, inputs)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        log.exception("speech synthesis failed")
        raise EngineFailed("the speech could not be made") from error
    return results


def load_network(model: bytes, device: str, threads: int) -> Network:
    """The networks of the ONNX `model` on the best device that `device` allows.

    CUDA is taken only if speech is really made there; otherwise the CPU, with a warning. Raises
    `ConfigError` if the model is another.
    """
    parts = take_apart(model)
    if device != "cpu":
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            try:
                return _tried(Network(parts, "cuda", threads))
            except Exception:  # onnxruntime's errors share no base class of their own
                log.warning("CUDA is there but does not run Kokoro; using the CPU", exc_info=True)
        elif device == "cuda":
            log.warning("this ONNX Runtime has no CUDA; speech synthesis runs on the CPU")
    return _tried(Network(parts, "cpu", threads))


def _tried(network: Network) -> Network:
    """Run a short input once, which also makes the first real one fast."""
    run = [Sign(sign, 0) for sign in "həlˈO."]
    network.whole(network.plan(run, np.zeros((510, 1, 256), dtype=np.float32), 1.0))
    return network


def _open(model: bytes, device: str, threads: int) -> onnxruntime.InferenceSession:
    providers = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider"]
    session = onnxruntime.InferenceSession(
        model, sess_options=session_options(threads), providers=providers
    )
    if session.get_providers()[0] != providers[0]:
        raise EngineFailed(f"ONNX Runtime left {device} aside")
    return session
