"""What is kept of the conversation's sound."""

from __future__ import annotations

import numpy as np

from voice.recordings import SECOND, Recordings


def test_what_was_said_is_kept_at_the_rate_of_the_wire() -> None:
    recordings = Recordings(10)
    recordings.hear("a", np.zeros(16_000, np.float32))
    assert len(recordings.get("a") or b"") == SECOND


def test_the_oldest_items_lose_their_sound_first() -> None:
    recordings = Recordings(2)
    for name in "abc":
        recordings.add(name, bytes(SECOND))
    assert recordings.get("a") is None
    assert [len(recordings.get(name) or b"") for name in "bc"] == [SECOND, SECOND]


def test_only_what_was_heard_of_an_item_is_kept() -> None:
    recordings = Recordings(10)
    recordings.add("a", bytes(SECOND))
    recordings.cut("a", 0.25)
    assert len(recordings.get("a") or b"") == SECOND // 4
    recordings.forget("a")
    assert recordings.get("a") is None
    recordings.cut("a", 0.1)
    recordings.forget("a")
