"""What the models are asked about the user's speech in one session, and what they answer.

What is to be asked is decided by the dialog; the answers go back to it as events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chat.providers import Llm
from voice import events as ev
from voice import metrics
from voice.audio import HEARD_RATE, seconds
from voice.dialog import Dialog
from voice.ears import Ears
from voice.echo_words import unsaid
from voice.engines import TurnDetector
from voice.errors import VoiceError
from voice.events import Rev
from voice.response import Plan
from voice.stamps import Stamps
from voice.transcripts import Transcripts, Understood
from voice.work import Work

JUDGED = HEARD_RATE * 8
"""The turn detector judges by the last 8 s at most."""


class Understanding:
    """Asks recogniser, turn detector and, while the user speaks, the language model.

    `said` gives the words of replies that may have been heard since so many seconds ago, `plan`
    the reply to what was heard so far; `feed` takes the answers.
    """

    def __init__(
        self,
        detector: TurnDetector,
        llm: Llm,
        *,
        transcripts: Transcripts,
        ears: Ears,
        dialog: Dialog,
        work: Work,
        stamps: Stamps,
        said: Callable[[float], str],
        plan: Callable[[Rev, str], Plan],
        feed: Callable[[ev.Event], None],
    ) -> None:
        self._detector, self._llm = detector, llm
        self._transcripts = transcripts
        self._ears = ears
        self._dialog = dialog
        self._work = work
        self._stamps = stamps
        self._said = said
        self._plan = plan
        self._feed = feed
        self._loop = asyncio.get_running_loop()

    def transcribe(self, rev: Rev, start: int, end: int, *, final: bool) -> None:
        """What was said from sample `start` to `end`, where the user pauses or the turn is over."""
        ago = seconds(self._ears.tape.end - end, HEARD_RATE)
        self._stamps.note(rev.turn, "spoke", ago=ago)
        self._stamps.note(rev.turn, "transcribing")
        if not final:
            self._stamps.note(rev.turn, "paused")
        # A partial transcript is no longer wanted now that a whole one is made; what is known of
        # speech over a reply is, the sooner the better.
        before = Rev(rev.turn, rev.revision - 1)
        self._work.spare(before, "glance")
        self._work.stop(before)
        self._work.launch(rev, "transcribe", self._transcribe(rev, start, end))

    def overhear(self, rev: Rev, start: int, end: int) -> None:
        """The words that are stable so far, which the language model may read already."""
        self._work.launch(rev, "overhear", self._overhear(rev, start, end))

    def glance(self, rev: Rev, start: int, end: int) -> None:
        """What is being said over a reply."""
        self._work.launch(rev, "glance", self._glance(rev, start, end))

    def score(self, rev: Rev, start: int, end: int) -> None:
        """Whether the turn is over."""
        self._work.launch(rev, "score", self._score(rev, start, end))

    async def _transcribe(self, rev: Rev, start: int, end: int) -> None:
        task = asyncio.current_task()
        own = self._own_words(start)

        def see(first: Understood) -> None:
            """Words over a reply can interrupt it before a second opinion has come."""
            self._feed(ev.Glanced(rev, unsaid(first.text, own), first.confidence))

        said = await self._transcripts.transcribe(
            rev,
            start,
            end,
            lambda: self._work.is_live(rev, task),
            see=see if self._dialog.weighing else None,
        )
        if said is not None:
            self._stamps.note(rev.turn, "transcribed")
            self._feed(ev.Transcribed(rev, unsaid(said.text, own), said.confidence))

    async def _overhear(self, rev: Rev, start: int, end: int) -> None:
        began = self._loop.time()
        said = await self._transcripts.overhear(rev, start, end)
        self._feed(ev.Overheard(rev, self._since(began), news=said != ""))
        if said and self._dialog.expects_reply:
            # Cancelled with this task when the user pauses: the words so far need not be read then.
            await self._llm.expect(self._plan(rev, said).messages)

    async def _glance(self, rev: Rev, start: int, end: int) -> None:
        own = self._own_words(start)
        began = self._loop.time()
        said = await self._transcripts.glance(start, end)
        if said is None:
            self._feed(ev.Glanced(rev, None, took=self._since(began)))
        else:
            text = unsaid(said.text, own)
            self._feed(ev.Glanced(rev, text, said.confidence, self._since(began)))

    async def _score(self, rev: Rev, start: int, end: int) -> None:
        pcm = self._ears.tape.read(max(start, end - JUDGED), end)
        probability: float | None = None
        try:
            probability = await self._detector.completion(pcm)
        except VoiceError as error:
            metrics.ERRORS.labels(error.code).inc()  # the transcript and the silence decide alone
        self._feed(ev.Scored(rev, probability))

    def _own_words(self, start: int) -> str:
        """What the assistant was saying when sample `start` was heard: it may be what was heard."""
        if not self._dialog.weighing or self._ears.deaf:
            return ""
        return self._said(seconds(self._ears.tape.end - start, HEARD_RATE))

    def _since(self, began: float) -> int:
        return int((self._loop.time() - began) * HEARD_RATE)
