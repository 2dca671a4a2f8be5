"""Looks at what is being said over a reply: when they come, and what follows from them."""

from __future__ import annotations

import pytest

from tests.dialogs import SEMANTIC, S, answering, feed
from tests.test_overlapping import CUT, OPEN, PREFIX, START, SUSPECT
from voice import events as ev
from voice.events import Rev


def test_it_is_suspected_at_once_and_looked_at_soon() -> None:
    dialog = answering()
    assert feed(dialog, ev.SpeechStarted(START)) == [SUSPECT]
    assert feed(dialog, ev.Elapsed(START + SEMANTIC.interrupt - 1)) == []
    looked = START + S * 3 // 10
    assert feed(dialog, ev.Elapsed(looked)) == [ev.Glance(Rev(2, 0), PREFIX, looked)]
    assert feed(dialog, ev.Elapsed(looked + S // 2)) == []  # not answered yet
    assert dialog.replying


def test_words_interrupt_while_they_are_said() -> None:
    dialog = answering()
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(START + S // 2))
    assert feed(dialog, ev.Glanced(Rev(2, 0), "What about")) == [OPEN, CUT]
    assert not dialog.replying


@pytest.mark.parametrize("text", ["", "Mm-hm.", "What"])
def test_less_than_words_is_looked_at_again(text: str) -> None:
    dialog = answering()
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(START + S // 2))
    assert feed(dialog, ev.Glanced(Rev(2, 0), text)) == []
    again = feed(dialog, ev.Elapsed(START + S))
    assert [type(action) for action in again] == [ev.Glance]


@pytest.mark.parametrize(("took", "looks"), [(0.0, 9), (0.2, 4), (0.4, 2)])
def test_it_is_looked_at_as_often_as_the_machine_can(took: float, looks: int) -> None:
    dialog = answering()
    feed(dialog, ev.SpeechStarted(START))
    seen, answer = 0, 0
    for now in range(START, START + S * 13 // 10, S // 50):
        if answer and now >= answer:
            feed(dialog, ev.Glanced(Rev(2, 0), "", took=int(took * S)))
            answer = 0
        if feed(dialog, ev.Elapsed(now)):
            seen, answer = seen + 1, now + int(took * S)
    assert seen == looks


@pytest.mark.parametrize("rev", [Rev(2, 0), Rev(2, 1)])
def test_what_is_understood_in_a_pause_counts_before_the_transcript_is_there(rev: Rev) -> None:
    dialog = answering()
    end = START + S * 4 // 10
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(end), ev.SpeechPaused(end))
    assert feed(dialog, ev.Glanced(rev, "Wait")) == [OPEN, CUT]
    assert feed(dialog, ev.Glanced(rev, "Wait")) == []
    judged = feed(dialog, ev.Transcribed(Rev(2, 1), "Wait."))
    assert [type(action) for action in judged] == [ev.Score]


def test_a_look_at_another_turn_says_nothing_of_this_one() -> None:
    dialog = answering()
    feed(dialog, ev.SpeechStarted(START), ev.Elapsed(START + S // 2))
    assert feed(dialog, ev.Glanced(Rev(1, 0), "Stop")) == []
