"""When each word of a transcript sounds, by Whisper's own attention to the audio.

The decoder's cross-attention says which encoded frames it looked at for each token; dynamic time
warping makes of it one path through the audio (openai/whisper, `timing.py`). CTranslate2 computes
it as `align` on the loaded weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper.tokenizer import Tokenizer

from voice.engines import Word

FRAME = 0.02
"""Seconds of an encoded frame."""

LATE = 0.1
"""Seconds added to every time, for Whisper's come early.

Measured on 12 sentences of three synthesised voices whose word times are known: starts were on
average 0.123 s early in the 30 s window and 0.128 s in the short one. With this, starts are off by
0.08 s and ends by 0.11 s on average, with either window and with any median filter from 3 to 9.
"""

MEDIAN_FILTER = 7
"""openai/whisper's own."""


def align(
    model: Any, tokenizer: Tokenizer, encoded: ctranslate2.StorageView, text: str, seconds: float
) -> tuple[Word, ...]:
    """The words of `text`, said in the `seconds` of audio behind `encoded` (blocking).

    A word is what white space separates; in languages written without, what Whisper's tokens make
    up. Joined (with a space in languages that have them) they are the text.
    """
    tokens = tokenizer.encode(" " + text)
    frames = max(1, round(seconds / (FRAME / 2)))
    found = model.align(
        encoded, tokenizer.sot_sequence, [tokens], [frames], median_filter_width=MEDIAN_FILTER
    )[0]
    starts = _starts(found.alignments, len(tokens) + 1, seconds)
    units, unit_tokens = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    bounds = np.cumsum([0, *map(len, unit_tokens[:-1])])
    timed = [
        (unit, starts[first], starts[last])
        for unit, (first, last) in zip(units, pairwise(bounds.tolist()), strict=False)
    ]
    return tuple(_joined(timed))


def _starts(alignments: Sequence[tuple[int, int]], tokens: int, seconds: float) -> list[float]:
    """When each token begins; the path visits every token, the last one is the end of text."""
    starts = [seconds] * tokens
    for token, frame in reversed(alignments):
        if token < tokens:
            starts[token] = min(frame * FRAME + LATE, seconds)
    return starts


def _joined(timed: Sequence[tuple[str, float, float]]) -> list[Word]:
    """Punctuation joins the word it stands at: what does not begin with a space, or is none."""
    words: list[Word] = []
    opening: tuple[str, float] | None = None
    for unit, begin, end in timed:
        text, start = unit.strip(), begin
        if not text:
            continue
        if opening is not None:
            text, start = opening[0] + text, opening[1]
            opening = None
        spoken = any(sign.isalnum() for sign in text)
        if not spoken and text[-1] in "\"'“¿¡([{«" and unit[0] == " ":
            opening = (text, start)
        elif not spoken and words:
            last = words[-1]
            words[-1] = Word(last.text + text, last.start, last.end)
        else:
            words.append(Word(text, start, max(start, end)))
    return words
