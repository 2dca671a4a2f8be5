"""A conversation in sample time: the real session, VAD, recogniser and turn detector, as fast as
they go. What the reply says is known, and so is what the microphone hears.

The event loop's clock is the microphone's: it stands still while a model works, so every answer
comes at once. What is decided is what would be decided on a machine that is quick enough; when it
is decided is counted in samples, and the time that recognition takes comes on top.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import soxr

from chat.providers import ChatOptions, Delta, Finished, Message, TextDelta
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm, pcm_from_int16
from voice.engines import Speech, Stt, Transcript, Tts, TurnDetector, Vad, Voice, joined
from voice.exchange import take_text
from voice.lane import on_loop
from voice.protocol import server as wire
from voice.session import Engines, Session
from voice.settings import Settings

T = TypeVar("T")
BLOCK = SPOKEN_RATE // 50
HANDS_FREE = {"audio": {"input": {"transcription": {}, "turn_detection": {"type": "semantic_vad"}}}}


class _SampleLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is moved on by whoever feeds the microphone."""

    now = 0.0

    def time(self) -> float:
        return self.now


def run_in_sample_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on such a loop."""
    with asyncio.Runner(loop_factory=_SampleLoop) as runner:
        return runner.run(main)


@dataclass
class Models:
    """The engines, shared by many conversations; `said` keeps what was synthesised."""

    vad: Vad
    turn: TurnDetector
    stt: Stt
    tts: Tts
    busy: int = 0
    """Questions to recogniser and turn detector that have no answer yet."""
    said: dict[tuple[str, str], list[Speech]] = field(default_factory=dict)

    async def wait(self) -> None:
        """Until all of them are answered, and what follows from that is done."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        while self.busy:
            await loop.run_in_executor(None, time.sleep, 0.002)
        for _ in range(8):
            await asyncio.sleep(0)


@dataclass
class Outcome:
    """What became of a reply. Samples count from when it began to be sent, at `HEARD_RATE`."""

    sent: Pcm
    """The reply as it went out, 24 kHz."""
    interrupted: int | None = None
    """When the reply was cancelled."""
    resumed: int | None = None
    """When something was said again after that."""
    suspected: list[int] = field(default_factory=list)
    """When sound was first taken for speech."""
    messages: list[str] = field(default_factory=list)
    """What the user is said to have said."""
    looks: list[tuple[int, str]] = field(default_factory=list)
    """What the recogniser understood, and up to when it had listened."""


def listen(
    models: Models,
    settings: Settings,
    text: str,
    voice: str,
    heard: Pcm,
    *,
    whole: bool = False,
) -> Outcome:
    """Have the assistant say `text` in `voice` while the microphone hears `heard` (16 kHz), whose
    first sample is heard when the first piece of the reply goes out; no longer than until the reply
    is cancelled, or the `whole` of it.
    """
    outcome = Outcome(np.zeros(0, np.float32))

    async def listen() -> None:
        try:
            await _listen(models, settings, text, voice, heard, outcome, whole)
        except* _Over:
            pass

    run_in_sample_time(listen())
    return outcome


class _Over(Exception):
    """Ends the tasks of a session."""


async def _listen(
    models: Models,
    settings: Settings,
    text: str,
    voice: str,
    heard: Pcm,
    outcome: Outcome,
    whole: bool,
) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _SampleLoop)
    pieces: list[Pcm] = []
    begun: list[int] = []

    def now() -> int:
        return session.ears.tape.end - (begun[0] if begun else 0)

    stt = _Recogniser(models, lambda text: outcome.looks.append((now(), text)))
    engines = Engines(models.vad, _Detector(models), stt, _Kept(models), _Says(text))

    async def read() -> None:
        while True:
            out = await session.outbox.get()
            session.sent(out)
            match out.message:
                case wire.AudioDelta(delta=data):
                    begun[:] = begun or [session.ears.tape.end]
                    pieces.append(pcm_from_int16(data))
                    if outcome.interrupted is not None and outcome.resumed is None:
                        outcome.resumed = now()
                case wire.SpeechStarted():
                    outcome.suspected.append(now())
                case wire.OutputCleared() if outcome.interrupted is None:
                    outcome.interrupted = now()
                case wire.ResponseDone(response=done) if done.status == "cancelled":
                    outcome.interrupted = outcome.interrupted or now()
                case wire.TranscriptionCompleted(transcript=transcript):
                    outcome.messages.append(transcript)

    async with asyncio.TaskGroup() as group:
        session = Session(engines, settings, group, extended=True)
        group.create_task(read())
        output = {"output": {"voice": voice}}
        audio = {"type": "realtime", "audio": HANDS_FREE["audio"] | output}
        await take_text(session, json.dumps({"type": "session.update", "session": audio}))
        await take_text(session, json.dumps({"type": "response.create"}))
        silence = bytes(2 * BLOCK)
        while not begun:
            await _hear(session, models, loop, silence)
        wire_pcm = int16_from_pcm(soxr.resample(heard, HEARD_RATE, SPOKEN_RATE).astype(np.float32))
        for start in range(0, len(wire_pcm) - 2 * BLOCK + 1, 2 * BLOCK):
            await _hear(session, models, loop, wire_pcm[start : start + 2 * BLOCK])
            if outcome.interrupted is not None and not whole:
                break
        outcome.sent = np.concatenate([np.zeros(0, np.float32), *pieces])
        raise _Over


async def _hear(session: Session, models: Models, loop: _SampleLoop, block: bytes) -> None:
    await session.hear(block)
    loop.now += BLOCK / SPOKEN_RATE
    await models.wait()


class _Recogniser:
    """The recogniser without its queue, which belongs to one event loop; tells what it heard."""

    def __init__(self, models: Models, tell: Callable[[str], None]) -> None:
        self._models = models
        self._tell = tell
        self.device = models.stt.device
        self.languages = models.stt.languages

    async def transcribe(
        self,
        pcm: Pcm,
        *,
        urgent: bool = True,
        early: Callable[[Transcript], None] | None = None,
        **how: Any,
    ) -> Transcript:
        work = partial(
            self._models.stt.listen,  # type: ignore[attr-defined]
            pcm,
            again=urgent,
            early=early and on_loop(early),
            **how,
        )
        self._models.busy += 1
        try:
            heard: Transcript = await asyncio.get_running_loop().run_in_executor(None, work)
        finally:
            self._models.busy -= 1
        self._tell(f"{heard.text} ({heard.language} {heard.confidence:.2f})")
        return heard


class _Detector:
    """The turn detector."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.device = models.turn.device

    async def completion(self, pcm: Pcm) -> float:
        judge: Callable[[Pcm], float] = self._models.turn.judge  # type: ignore[attr-defined]
        self._models.busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(None, judge, pcm)
        finally:
            self._models.busy -= 1


class _Kept:
    """The synthesiser; what it said once it says again at once."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.device = models.tts.device
        self.voices: Mapping[str, Voice] = models.tts.voices

    async def warm(self, voice: str) -> None:
        return None

    async def synthesize(self, text: str, *, voice: str, speed: float = 1.0) -> Speech:
        return joined([piece async for piece in self.stream(text, voice=voice, speed=speed)])

    async def stream(
        self, text: str, *, voice: str, speed: float = 1.0, urgent: bool = True
    ) -> AsyncGenerator[Speech, None]:
        said = self._models.said
        if (text, voice) not in said:
            speak = self._models.tts.speak  # type: ignore[attr-defined]
            said[text, voice] = list(speak(text, voice, speed))
        for piece in said[text, voice]:
            yield piece


class _Says:
    """A language model that says one text."""

    name = "known"
    device = "cpu"

    def __init__(self, text: str) -> None:
        self._text = text

    async def warm(self, messages: Sequence[Message]) -> None:
        return None

    async def expect(self, messages: Sequence[Message]) -> None:
        return None

    async def close(self) -> None:
        return None

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        for word in self._text.split(" "):
            yield TextDelta(f"{word} ")
        yield Finished("stop", 10, len(self._text.split()))
