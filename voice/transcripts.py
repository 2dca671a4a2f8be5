"""What the user said in each turn: partial while said, final at a pause, told once committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from chat.conversation import Item, MessageItem
from voice import metrics
from voice.audio import HEARD_RATE, quietest
from voice.engines import Spoken, Stt, Transcript
from voice.engines.languages import BRIEF, Languages
from voice.errors import VoiceError
from voice.events import Rev
from voice.hearing import Hearing
from voice.memory import Memory
from voice.plausible import believed
from voice.protocol import server as wire
from voice.tape import Tape

TAIL = HEARD_RATE * 3 // 10
"""Sound after the last voiced sample that recognition may still see: final consonants are quiet."""

SETTLED = HEARD_RATE * 4
"""A turn longer than this is settled at its pauses, and not heard again from its beginning."""

LONGEST = HEARD_RATE * 10
"""More than this that is not settled is divided while it is said, if there is no pause."""

PART = HEARD_RATE * 8
"""It is divided before this, and after half of it."""

GAP = HEARD_RATE // 10
"""The quietest stretch this long is taken for the gap between two words."""

REMEMBERED = 8
"""Turns whose transcripts are kept at hand."""


class Understood(NamedTuple):
    """What was said, and the mean log-probability of it."""

    text: str
    confidence: float


class Transcripts:
    """The transcripts of one session; `put` sends an event to the client.

    `language` is what the client says is spoken (None: to be detected), `languages` what may be
    detected then, `told` whether it wants to hear of transcripts at all.
    """

    def __init__(
        self, stt: Stt, tape: Tape, memory: Memory, put: Callable[[wire.ServerEvent], None]
    ) -> None:
        self.language: str | None = None
        self.languages = Languages()
        self.told = False
        self._stt = stt
        self._tape = tape
        self._memory = memory
        self._put = put
        self._items: dict[int, str] = {}
        self._hearings: dict[int, Hearing] = {}
        self._running: set[Rev] = set()
        """Whose whole transcription is being made."""
        self._settling: dict[int, Rev] = {}
        """Whose transcription goes on though the user speaks on; one a turn, or they would pile up
        where speech comes faster than it is understood."""
        self._texts: dict[Rev, str] = {}
        self._finals: dict[Rev, tuple[int, str, str]] = {}
        """What was added by a revision: where it ended, its text and language."""
        self._failures: dict[Rev, VoiceError] = {}
        """Why it is not known what was added by a revision."""
        self._spoken: dict[str, str] = {}
        """Item -> the language it was said in, as far as it is known."""
        self.heard_before: list[str] = []
        """The languages of this conversation, the present one last."""
        self._owed: dict[Rev, float] = {}
        """Committed turns whose transcript is on its way -> seconds of their speech."""

    def item_id(self, turn: int) -> str:
        """The item that the turn is, or will be."""
        for old in list(self._items)[:-REMEMBERED]:
            self.forget(old)
        return self._items.setdefault(turn, wire.new_id("item"))

    def forget(self, turn: int) -> None:
        """The turn came to nothing."""
        self._spoken.pop(self._items.pop(turn, ""), None)
        self._hearings.pop(turn, None)
        self._settling.pop(turn, None)
        for table in (self._texts, self._finals, self._failures, self._owed):
            for rev in [rev for rev in table if rev.turn == turn]:
                del table[rev]

    def renew(self, turn: int) -> None:
        """The turn goes on as another item; what was settled of it stays so."""
        hearing = self._hearings.get(turn)
        self.forget(turn)
        if hearing is not None:
            hearing.told = ""
            self._hearings[turn] = hearing

    def unsettled(self, sample: int) -> int:
        """From where on sound since `sample` may be transcribed (again)."""
        starts = (h.start for h in self._hearings.values() if h.begin <= sample < h.start)
        return next(starts, sample)

    def expect(self, known: Languages) -> None:
        """What may be detected from now on; a conversation that has a language keeps it."""
        self.languages = known
        for language in self.heard_before:
            self._meet(language)

    def language_of(self, items: Iterable[Item]) -> str:
        """The language of the newest message of the user's; empty if it was not spoken."""
        said = [item.id for item in items if isinstance(item, MessageItem) and item.role == "user"]
        return self._spoken.get(said[-1], "") if said else ""

    def text(self, rev: Rev) -> str | None:
        """What was said in this revision, None if that is not known (yet)."""
        return self._texts.get(rev)

    def resume(self, rev: Rev) -> bool:
        """The user speaks on after a pause. In a long turn, what is understood so far is settled.

        Returns whether a transcription of it that is still going on should do so, to be settled.
        """
        hearing = self._hearings.get(rev.turn)
        if hearing is None or self._tape.end - hearing.start <= SETTLED:
            return False
        if rev in self._finals:
            hearing.settle(*self._finals[rev])
            return False
        return rev in self._running and self._settling.setdefault(rev.turn, rev) == rev

    async def transcribe(
        self,
        rev: Rev,
        start: int,
        end: int,
        is_live: Callable[[], bool],
        *,
        see: Callable[[Understood], None] | None = None,
    ) -> Understood | None:
        """Transcribe a turn up to a pause. Failure counts as nothing said and is told.

        What is being weighed may be in any language; `see` is then told what was understood at
        first, if there is a second opinion to be had.

        Returns None if, when it is done, the revision is not live any more.
        """
        hearing = self._hearing(rev.turn, start)
        began = hearing.start
        pcm = self._tape.read(began, end + TAIL)
        text, language, confidence, failure = "", "", 0.0, None
        self._running.add(rev)
        try:
            known = self._open if see and not hearing.agreed else self._known
            speech = self._tape.speech(began, end + TAIL)

            def tell(first: Transcript) -> None:
                if see:
                    see(Understood(hearing.whole(believed(first, speech)), first.confidence))

            heard = await self._stt.transcribe(
                pcm, language=known, prefix=hearing.agreed, early=tell if see else None
            )
            text, language = believed(heard, speech), heard.language
            confidence = heard.confidence
        except VoiceError as error:
            failure = error
            metrics.ERRORS.labels(error.code).inc()
        finally:
            self._running.discard(rev)
            if self._settling.get(rev.turn) == rev:
                del self._settling[rev.turn]
        if not is_live():
            # The user spoke on: this part need never be heard again.
            if hearing.start == began and failure is None:
                hearing.settle(end, text, language)
            return None
        for table in (self._texts, self._finals, self._failures):
            for old in [old for old in table if old.turn == rev.turn]:
                del table[old]
        self._texts[rev] = hearing.whole(text)
        self._note(rev.turn, text, language)
        if failure is None:
            self._finals[rev] = end, text, language
        else:
            self._failures[rev] = failure
        if rev in self._owed:
            self._tell(rev)
        return Understood(self._texts[rev], confidence)

    async def overhear(self, rev: Rev, start: int, end: int) -> str | None:
        """Make a partial transcript and tell the words that have become stable.

        Returns all stable words of the turn if there are new ones, else an empty text; None if it
        could not be found out.
        """
        hearing = self._hearing(rev.turn, start)
        began = hearing.start
        pcm = self._tape.read(began, end)
        cut, prefix = 0, hearing.agreed
        if len(pcm) > LONGEST:
            cut, prefix = quietest(pcm, PART // 2, PART, width=GAP), ""
        with suppress(VoiceError):  # under load there is none; the final one is what counts
            heard = await self._stt.transcribe(
                pcm[:cut] if cut else pcm, language=self._known, prefix=prefix, urgent=False
            )
            text = believed(heard, self._tape.speech(began, began + cut if cut else end))
            if hearing.start != began:
                return None
            before = hearing.whole(hearing.agreed)
            if cut:
                hearing.divide(began + cut, text, heard.language)
            elif self._present in ("", heard.language) or len(pcm) >= BRIEF * HEARD_RATE:
                # Words in a language that may turn out not to be spoken are nothing to build on.
                hearing.overhear(text, heard.language)
                self._note(rev.turn, text, heard.language)
            self._tell_news(rev.turn, hearing.news())
            stable = hearing.whole(hearing.agreed)
            return stable if stable != before else ""
        return None

    async def glance(self, start: int, end: int) -> Understood | None:
        """What is being said from `start` to `end`; None if that cannot be told just now."""
        with suppress(VoiceError):
            pcm = self._tape.read(start, end)
            heard = await self._stt.transcribe(pcm, language=self._open, urgent=False)
            return Understood(believed(heard, self._tape.speech(start, end)), heard.confidence)
        return None

    def owe(self, rev: Rev, seconds: float) -> None:
        """The turn, `seconds` long, is committed: its transcript is told when it is there."""
        self._owed[rev] = seconds
        if rev in self._texts:
            self._tell(rev)

    @property
    def _known(self) -> Spoken:
        return self.language or self.languages

    @property
    def _open(self) -> Spoken:
        """The same for what may be in any language."""
        return self.language or replace(self.languages, open=True)

    @property
    def _present(self) -> str:
        return self.language or self.languages.present

    def _note(self, turn: int, text: str, language: str) -> None:
        if text and language:
            self._spoken[self.item_id(turn)] = language

    def _meet(self, language: str) -> None:
        """The conversation is in this language now, and may come back to it."""
        known = self.languages
        self.heard_before = [*(old for old in self.heard_before if old != language), language]
        self.languages = replace(known, present=language, expected=known.expected | {language})

    def _hearing(self, turn: int, start: int) -> Hearing:
        return self._hearings.setdefault(turn, Hearing(start))

    def _tell(self, rev: Rev) -> None:
        seconds = self._owed.pop(rev)
        text = self._texts[rev]
        item_id = self.item_id(rev.turn)
        if item_id not in self._memory.conversation:
            return  # the client deleted it meanwhile
        self._memory.conversation.set_text(item_id, text)
        if language := self._spoken.get(item_id):
            self._meet(language)
        self._tell_news(rev.turn, self._hearing(rev.turn, 0).news(text))
        if failure := self._failures.get(rev):
            self._tell_failure(item_id, failure)
            return
        if self.told:
            usage = wire.Duration(seconds)
            self._put(wire.TranscriptionCompleted(item_id=item_id, transcript=text, usage=usage))
        if not text:
            # A tap, a cough: nobody said anything, so that there is nothing to keep.
            self._memory.forget(item_id)
            self._put(wire.ItemDeleted(item_id=item_id))

    def _tell_news(self, turn: int, news: str) -> None:
        if news and self.told:
            self._put(wire.TranscriptionDelta(item_id=self.item_id(turn), delta=news))

    def _tell_failure(self, item_id: str, error: VoiceError) -> None:
        if self.told:
            detail = wire.ErrorDetail(type="server_error", code=error.code, message=error.message)
            self._put(wire.TranscriptionFailed(item_id=item_id, error=detail))
