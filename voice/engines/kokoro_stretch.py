"""Faster or slower speech at the same pitch. Pure.

Kokoro's own speed swallows first words from about 1.5 on, and as no phoneme can be shorter than one
frame it is hardly faster at 4 than at 3, where the ends of long passes go missing.
"""

from __future__ import annotations

import numpy as np

from voice.audio import SPOKEN_RATE, Pcm

_HOP = SPOKEN_RATE * 15 // 1000
_REACH = SPOKEN_RATE * 8 // 1000


def stretched(pcm: Pcm, factor: float) -> Pcm:
    """`pcm` played `factor` times as fast, pitch unchanged: `round(len(pcm) / factor)` samples.

    WSOLA (Verhelst and Roelands 1993): windows of 30 ms, each taken from where it continues the
    one before best, within 8 ms of where it should be taken from.
    """
    length = round(len(pcm) / factor)
    window = np.hanning(2 * _HOP + 1)[:-1].astype(np.float32)
    margin = _HOP + _REACH
    source = np.pad(pcm, (margin, margin + 3 * _HOP))
    out = np.zeros(length + 4 * _HOP, dtype=np.float32)
    at = margin - _HOP
    for to in range(0, length + _HOP, _HOP):
        wanted = min(margin - _HOP + round(to * factor), len(source) - 2 * _HOP - _REACH)
        if to:
            following = source[at + _HOP : at + 3 * _HOP]
            near = source[wanted - _REACH : wanted + _REACH + len(following)]
            at = wanted - _REACH + int(np.argmax(np.correlate(near, following, "valid")))
            at = min(at, len(source) - 2 * _HOP)
        out[to : to + 2 * _HOP] += window * source[at : at + 2 * _HOP]
    return out[_HOP : _HOP + length]
