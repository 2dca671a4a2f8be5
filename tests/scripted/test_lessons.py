"""What users of such systems complain of most, each by name, where no other scenario shows it."""

from __future__ import annotations

from tests.scripted.script import QUESTION, Script, roles
from voice.protocol import server as wire

WRITTEN = "**Two** apples cost $3.50. See [the shop](https://example.com/a?b=c) \N{GREEN APPLE}."


def test_read_aloud_as_a_person_would_and_shown_as_written() -> None:
    log = Script().says(0.5, 1.5, QUESTION).answers(WRITTEN).lasts(10).play()
    spoken = " ".join(log.synthesized)
    for sign in "*[]$\N{GREEN APPLE}":
        assert sign not in spoken
    assert "example.com" not in spoken
    assert "three dollars and fifty cents" in spoken
    assert log.spoken.split() == WRITTEN.split()
    assert roles(log)[-1] == ("assistant", WRITTEN)


def test_what_noise_says_is_no_message() -> None:
    log = Script().says(0.5, 2.0, "").says(4.0, 5.0, "").answers("Yes?").lasts(9).play()
    assert log.prompts == []
    assert log.count(wire.AudioDelta) == 0
    assert [text for _, text in roles(log) if text] == []
