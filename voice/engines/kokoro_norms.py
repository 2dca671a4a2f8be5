"""What Kokoro's generator would normalise with, told before the audio is made. Pure.

Its layers normalise by means and variances over the whole utterance, which a piece of it does not
have. But for one voice they hardly depend on what is said: they depend on how long it is, because
the silence around the words makes up more of a short utterance. So a few sentences tell a voice's
norms for any length, by least squares on `_features`: means as they are, variances by their
logarithm. Over 12 other sentences in each of two voices, audio made with such norms differs from
audio made with the true ones by 2.2 to 3.6 dB (root mean square of the log spectrum), of which the
model's quantisation alone makes 1.6 to 2.5 dB, and is at most 2 dB louder or quieter.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SENTENCES = (
    "Sure.",
    "Yes.",
    "Hello!",
    "No problem.",
    "Good idea.",
    "Well,",
    "I see.",
    "Of course I can.",
    "I am happy to help.",
    "That is a great question.",
    "The sky looks blue today,",
    "You could try some fresh bread,",
    "Let me think about it.",
    "There are several ways,",
    "It depends on what you like to eat for dinner.",
    "My name is Emma and I live here.",
    "The best time to visit is in spring.",
    "First, heat the oven to two hundred degrees,",
    "I would suggest going to the park tomorrow.",
    "I think that you should try to cook some pasta with fresh tomatoes,",
    "When you are ready, call the office and ask for a new appointment.",
    "Once upon a time there was a king who lived with his three daughters in a castle by the sea,",
)
"""What a voice says to be known: the lengths of clauses in replies, from one word to twenty."""

Norms = NDArray[np.float32]
"""Means and variances, `(norms)`."""

_TINY = 1e-8


def shipped(model: str) -> Path:
    """The file with what is known beforehand of voices of the model with this checksum."""
    return Path(__file__).with_name(f"kokoro_norms.{model}.npz")


def known(model: str) -> dict[str, Norms]:
    """What is known beforehand, by voice; nothing for another model (`bench/known_voices.py`)."""
    if not shipped(model).is_file():
        return {}
    with np.load(shipped(model), allow_pickle=False) as kept:
        return {voice: kept[voice].astype(np.float32) for voice in kept.files}


def fit(frames: Sequence[int], seen: Sequence[Norms], variances: NDArray[np.bool_]) -> Norms:
    """Coefficients `(3, norms)` from utterances `frames` long and what was `seen` in each."""
    values = np.stack(seen).astype(np.float64)
    values[:, variances] = np.log(values[:, variances] + _TINY)
    features = np.stack([_features(count) for count in frames])
    return np.linalg.lstsq(features, values, rcond=None)[0].astype(np.float32)


def predict(coefficients: Norms, frames: float, variances: NDArray[np.bool_]) -> Norms:
    """The norms of an utterance of this voice that is, or at speed 1 would be, `frames` long."""
    values = (_features(frames).astype(np.float32) @ coefficients).astype(np.float32)
    values[variances] = np.exp(values[variances])
    return values


def _features(frames: float) -> NDArray[np.float64]:
    """A constant share of the words, a share of the silence around them, and a slow drift."""
    return np.array([1.0, 100 / frames, frames / 100])
