"""Blends of voices: `af_heart+am_adam` speaks between the two. Pure.

A voice of Kokoro is a table of style vectors, one for each length of text, and the voices lie in
one space: the mean of some of them is a voice again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def names(voice: str) -> tuple[str, ...]:
    """The voices that `voice` names, in order; one that is named twice weighs twice."""
    return tuple(name.strip() for name in voice.split("+"))


def all_known(voice: str, voices: Mapping[str, object]) -> bool:
    """Whether every voice of the blend is one of `voices`."""
    return all(name in voices for name in names(voice))


def blend(voice: str, styles: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of the named styles, each float32 `(510, 1, 256)`; a single one as it is.

    Raises `KeyError` for a voice that is not there.
    """
    chosen = [styles[name] for name in names(voice)]
    if len(chosen) == 1:
        return chosen[0]
    mean: NDArray[np.float32] = np.mean(np.stack(chosen), axis=0, dtype=np.float32)
    return mean
