"""When words sound: what a client is told never lies after the end of the sound."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import numpy as np
import pytest

from chat.providers import Delta, Finished, TextDelta
from tests.replies import planned
from voice.audio import SPOKEN_RATE
from voice.engines import Speech, Word
from voice.protocol import server as wire
from voice.reply import respond
from voice.response import Reply


class Pieces:
    """A synthesiser that says "one two three" in pieces of so many seconds."""

    device = "cpu"

    def __init__(self, lengths: list[float], last_end: float) -> None:
        self.lengths = lengths
        ends = (0.2, 0.4, last_end)
        words = zip(("One", "two", "three."), (0.0, 0.2, 0.4), ends, strict=True)
        self.words = tuple(Word(*word) for word in words)

    async def stream(self, _text: str, **_how: Any) -> AsyncIterator[Speech]:
        for number, length in enumerate(self.lengths):
            pcm = np.zeros(round(length * SPOKEN_RATE), dtype=np.float32)
            yield Speech(pcm, self.words if number == 0 else (), True)


async def said(tts: Any) -> list[wire.ServerEvent]:
    events: list[wire.ServerEvent] = []

    def emit(event: wire.ServerEvent, **_how: Any) -> None:
        events.append(event)

    async def ask() -> AsyncGenerator[Delta, None]:
        yield TextDelta("One two three.")
        yield Finished("stop")

    async def room() -> None:
        pass

    reply = Reply(planned())
    await respond(reply, ask=ask, tts=tts, emit=emit, room=room)
    assert reply.words[-1].end <= reply.seconds
    return events


@pytest.mark.parametrize(
    ("lengths", "last_end", "told"),
    [
        # All at once, where all of it is there.
        ([0.7], 0.65, [["One", "two", "three."]]),
        # The last as soon as the sound reaches its end.
        ([0.3, 0.4, 0.2], 0.65, [["One", "two"], ["three."]]),
        # Or at the end, cut to it.
        ([0.3, 0.311], 0.65, [["One", "two"], ["three."]]),
        ([0.3, 0.05], 0.65, [["One", "two"], ["three."]]),
    ],
)
async def test_no_word_lasts_longer_than_the_sound(
    lengths: list[float], last_end: float, told: list[list[str]]
) -> None:
    events = await said(Pieces(lengths, last_end))
    words = [event.words for event in events if isinstance(event, wire.AudioWords)]
    assert [[word.text for word in some] for some in words] == told
    last = words[-1][-1]
    assert last.end_ms == round(1000 * min(last_end, sum(lengths)))
    assert last.start_ms == round(1000 * min(0.4, sum(lengths)))
    told_at = max(at for at, event in enumerate(events) if isinstance(event, wire.AudioWords))
    audio = [len(e.delta) for e in events[:told_at] if isinstance(e, wire.AudioDelta)]
    if len(lengths) > 1:
        assert sum(audio) / 2 / SPOKEN_RATE >= min(last_end, sum(lengths)) - 1e-3
