"""What was said, turn by turn: a long one is heard in parts, once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from voice.audio import HEARD_RATE
from voice.engines import Spoken, Transcript
from voice.engines.languages import Languages
from voice.errors import Overloaded
from voice.events import Rev
from voice.memory import Memory
from voice.protocol import server as wire
from voice.tape import Tape
from voice.transcripts import LONGEST, SETTLED, Transcripts, Understood

WORD = HEARD_RATE // 2
"""Word number n of the talk is half a second of the level n / 10,000, its ends quieter."""


class Reader:
    """Recognises the words whose middle it is given, and notes what it was asked."""

    device = "cpu"
    languages = frozenset({"en"})

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.languages_asked: list[Spoken] = []
        self.answers: list[Transcript] = []
        self.first: Transcript | None = None
        self.fails = False
        self.may = asyncio.Event()
        self.may.set()

    async def transcribe(
        self,
        pcm: np.ndarray,
        *,
        language: Spoken = None,
        early: Callable[[Transcript], None] | None = None,
        **_: Any,
    ) -> Transcript:
        self.asked.append(len(pcm))
        self.languages_asked.append(language)
        await self.may.wait()
        if self.fails:
            raise Overloaded("busy")
        numbers = np.rint(pcm * 10_000).astype(int)
        counted = np.bincount(numbers[numbers > 0])
        words = [f"w{n}" for n in np.flatnonzero(counted > WORD // 3)]
        if early and self.first:
            early(self.first)
        if self.answers:
            return self.answers.pop(0)
        return Transcript(" ".join(words), "en")


class Talk:
    """A session's transcripts, and a microphone that hears one word after another."""

    def __init__(self) -> None:
        self.tape = Tape(600 * HEARD_RATE)
        self.stt = Reader()
        self.memory = Memory(items=10, text_chars=1000)
        self.events: list[wire.ServerEvent] = []
        self.transcripts = Transcripts(self.stt, self.tape, self.memory, self.events.append)
        self.transcripts.told = True
        self.words = 0

    def says(self, count: int, speech: float | None = None) -> None:
        for _ in range(count):
            self.words += 1
            word = np.full(WORD, self.words / 10_000, dtype=np.float32)
            word[:1000] = word[-1000:] = 0
            self.tape.append(word, speech)

    @property
    def said(self) -> str:
        return " ".join(f"w{n}" for n in range(1, self.words + 1))

    @property
    def deltas(self) -> str:
        return "".join(e.delta for e in self.events if isinstance(e, wire.TranscriptionDelta))

    async def finish(self, rev: Rev) -> str | None:
        item_id = self.transcripts.item_id(rev.turn)
        self.memory.add_speech(item_id, None, np.zeros(0, dtype=np.float32))
        self.transcripts.owe(rev, 1.0)
        heard = await self.transcripts.transcribe(rev, 0, self.tape.end, lambda: True)
        return heard.text if heard is not None else None


async def test_ten_minutes_without_a_pause_are_heard_in_parts() -> None:
    talk = Talk()
    kept = 0
    for _ in range(600):
        talk.says(2)
        await talk.transcripts.overhear(Rev(1, 0), 0, talk.tape.end)
        start = talk.transcripts.unsettled(0)
        kept = max(kept, talk.tape.end - start)
        talk.tape.forget(start)
        assert talk.said.startswith(talk.deltas)
    assert max(talk.stt.asked) <= LONGEST
    assert kept <= LONGEST + HEARD_RATE
    assert await talk.finish(Rev(1, 1)) == talk.said
    assert talk.deltas == talk.said


async def test_a_long_turn_is_settled_when_the_user_speaks_on() -> None:
    talk = Talk()
    talk.says(2 * SETTLED // WORD)
    await talk.transcripts.transcribe(Rev(1, 1), 0, talk.tape.end, lambda: True)
    assert talk.transcripts.resume(Rev(1, 1)) is False
    assert talk.transcripts.unsettled(0) == 2 * SETTLED
    talk.says(3)
    assert await talk.finish(Rev(1, 2)) == talk.said
    assert talk.stt.asked[-1] == 3 * WORD


async def test_one_transcription_at_a_time_goes_on_to_be_settled() -> None:
    talk = Talk()
    talk.says(2 * SETTLED // WORD)
    talk.stt.may.clear()
    first = asyncio.create_task(
        talk.transcripts.transcribe(Rev(1, 1), 0, talk.tape.end, lambda: False)
    )
    await asyncio.sleep(0)
    assert talk.transcripts.resume(Rev(1, 1)) is True
    talk.says(2)
    second = asyncio.create_task(
        talk.transcripts.transcribe(Rev(1, 2), 0, talk.tape.end, lambda: False)
    )
    await asyncio.sleep(0)
    assert talk.transcripts.resume(Rev(1, 2)) is False
    second.cancel()
    talk.stt.may.set()
    await first
    assert talk.transcripts.unsettled(0) == 2 * SETTLED
    # One that failed, or that never was, stands in nobody's way.
    talk.says(2 * SETTLED // WORD)
    assert talk.transcripts.resume(Rev(1, 3)) is False
    await talk.transcripts.transcribe(Rev(1, 4), 0, talk.tape.end, lambda: True)
    talk.transcripts.resume(Rev(1, 4))
    assert talk.transcripts.unsettled(0) == talk.tape.end


async def test_what_could_not_be_heard_is_not_settled() -> None:
    talk = Talk()
    talk.says(2 * SETTLED // WORD)
    talk.stt.fails = True
    await talk.transcripts.transcribe(Rev(1, 1), 0, talk.tape.end, lambda: True)
    talk.transcripts.resume(Rev(1, 1))
    await talk.transcripts.transcribe(Rev(1, 1), 0, talk.tape.end, lambda: False)
    talk.stt.fails = False
    assert await talk.finish(Rev(1, 2)) == talk.said


async def test_a_reopened_turn_keeps_what_is_settled_and_tells_all_of_it_again() -> None:
    talk = Talk()
    talk.says(2 * SETTLED // WORD)
    await talk.transcripts.transcribe(Rev(1, 1), 0, talk.tape.end, lambda: True)
    talk.transcripts.resume(Rev(1, 1))
    talk.says(2)
    assert await talk.finish(Rev(1, 2)) == talk.said
    first = talk.transcripts.item_id(1)
    talk.transcripts.renew(1)
    assert talk.transcripts.item_id(1) != first
    talk.tape.forget(talk.transcripts.unsettled(0))
    talk.events.clear()
    talk.says(2)
    assert await talk.finish(Rev(1, 3)) == talk.said
    assert talk.deltas == talk.said


@pytest.mark.parametrize("pauses", [1, 50])
async def test_a_turn_keeps_one_transcript_however_many_pauses_it_has(pauses: int) -> None:
    talk = Talk()
    for n in range(pauses):
        talk.says(2)
        await talk.transcripts.transcribe(Rev(1, n), 0, talk.tape.end, lambda: True)
        talk.transcripts.resume(Rev(1, n))
    assert talk.transcripts.text(Rev(1, pauses - 1)) == talk.said
    assert all(talk.transcripts.text(Rev(1, n)) is None for n in range(pauses - 1))


# --- what is believed, and in which language


@pytest.mark.parametrize(
    ("heard", "speech", "text"),
    [
        (Transcript("Thank you.", "en", no_speech=0.4, confidence=-0.6), 0.1, ""),
        (Transcript("Thank you.", "en", no_speech=0.4, confidence=-0.6), 0.95, "Thank you."),
        (Transcript("", "en", no_speech=0.5, confidence=-0.6, unsure="Stop."), 0.95, "Stop."),
        (Transcript("", "en", no_speech=0.5, confidence=-0.6, unsure="Stop."), None, ""),
    ],
)
async def test_what_the_vad_heard_counts(heard: Transcript, speech: float, text: str) -> None:
    talk = Talk()
    talk.stt.answers = [heard, heard]
    talk.says(2, speech)
    await talk.transcripts.overhear(Rev(1, 0), 0, talk.tape.end)
    assert talk.deltas == ""
    assert await talk.finish(Rev(1, 1)) == text


async def test_the_conversations_language_is_that_of_its_last_turn() -> None:
    talk = Talk()
    expected = frozenset({"en", "fr"})
    talk.transcripts.expect(Languages(expected=expected, present="fr"))
    talk.says(1)
    talk.stt.answers = [Transcript("Turn", "en"), Transcript("Turn it off.", "en")]
    # Prepared in a pause, but not committed: nothing is settled by that.
    await talk.transcripts.transcribe(Rev(1, 1), 0, talk.tape.end, lambda: True)
    await talk.finish(Rev(1, 2))
    talk.transcripts.expect(Languages(expected=expected, present="fr"))
    talk.stt.answers = [Transcript("", "cy"), Transcript("Merci.", "fr")]
    await talk.finish(Rev(2, 1))
    await talk.finish(Rev(3, 1))
    talk.transcripts.language = "de"
    await talk.finish(Rev(4, 1))
    present = [
        asked.present if isinstance(asked, Languages) else asked
        for asked in talk.stt.languages_asked
    ]
    assert present == ["fr", "fr", "en", "en", "de"]
    said = list(talk.memory.conversation)
    assert talk.transcripts.language_of(said[:1]) == "en"
    assert talk.transcripts.language_of(said[:2]) == "fr"  # where nothing was said there is nothing
    assert talk.transcripts.language_of([]) == ""


async def test_words_in_a_language_that_is_not_settled_are_not_built_on() -> None:
    talk = Talk()
    talk.transcripts.expect(Languages(present="en"))
    talk.says(2)
    arabic = Transcript("نعم نعم نعم", "ar")
    talk.stt.answers = [arabic, arabic, arabic]
    for _ in range(2):
        assert await talk.transcripts.overhear(Rev(1, 0), 0, talk.tape.end) == ""
    assert talk.deltas == ""
    talk.says(5)  # long enough to be sure of it
    talk.stt.answers = [arabic, arabic]
    for _ in range(2):
        await talk.transcripts.overhear(Rev(1, 0), 0, talk.tape.end)
    assert talk.deltas == "نعم نعم"


async def test_what_is_said_over_a_reply_may_be_in_any_language() -> None:
    talk = Talk()
    talk.says(2, 1.0)
    known = Languages(frozenset({"en", "de"}), frozenset({"en"}), "en")
    talk.transcripts.expect(known)
    talk.stt.first = Transcript("Muy", "es", confidence=-0.9)
    talk.stt.answers = [Transcript("Muy bien", "es", confidence=-0.5)] * 3
    seen: list[Understood] = []
    assert await talk.transcripts.glance(0, talk.tape.end) == ("Muy bien", -0.5)
    for see in (seen.append, None):
        await talk.transcripts.transcribe(Rev(1, 0), 0, talk.tape.end, lambda: True, see=see)
    whatever = replace(known, open=True)
    assert talk.stt.languages_asked == [whatever, whatever, known]
    assert seen == [("Muy", -0.9)]


async def test_what_the_client_says_is_spoken_is_not_in_doubt() -> None:
    talk = Talk()
    talk.says(2, 1.0)
    talk.transcripts.language = "de"
    talk.stt.answers = [Transcript("Sehr gut", "de", confidence=-2.0)]
    await talk.transcripts.glance(0, talk.tape.end)
    assert talk.stt.languages_asked == ["de"]


@pytest.mark.parametrize(("language", "confidence"), [("en", -1.0), (None, -0.3)])
async def test_a_look_that_is_not_in_doubt_looks_once(
    language: str | None, confidence: float
) -> None:
    talk = Talk()
    talk.says(2, 1.0)
    talk.transcripts.language = language
    talk.stt.answers = [Transcript("Turn it on", "en", confidence=confidence)]
    understood = await talk.transcripts.glance(0, talk.tape.end)
    assert understood == ("Turn it on", confidence)
    assert len(talk.stt.asked) == 1
