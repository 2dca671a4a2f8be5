"""One timeline that makes every scripted engine, and a client that plays it.

The sound itself carries the script: utterance number n is a constant of n hundredths, so the
scripted VAD and recogniser work on the samples they are given, as the real ones do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chat.conversation import MessageItem
from chat.errors import ChatError
from chat.providers import ChatOptions, Delta, Finished, Message, TextDelta, ToolCall
from tests.scripted.virtual import run_virtual
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm
from voice.engines import Speech, Transcript, Voice, Word, joined
from voice.errors import EngineFailed
from voice.exchange import take_text
from voice.protocol import server as wire
from voice.protocol.config import show
from voice.session import Engines, Session
from voice.settings import Settings

PTT = {"audio": {"input": {"transcription": {}, "turn_detection": None}}}
SERVER_VAD = {"audio": {"input": {"transcription": {}, "turn_detection": {"type": "server_vad"}}}}
QUESTION = "What is the capital of France?"
ANSWER = "Paris is the capital. It lies on the Seine."

WORD = 0.3
"""Seconds a scripted word sounds."""


@dataclass
class Said:
    """Something on the timeline: the user speaks, or the client sends an event."""

    at: float
    until: float = 0.0
    text: str = ""
    level: float = 0.0
    event: dict[str, Any] | None = None
    then: Any = None


@dataclass
class Log:
    """What the client saw: (seconds, event) in order."""

    events: list[tuple[float, wire.ServerEvent]] = field(default_factory=list)
    prompts: list[list[Message]] = field(default_factory=list)
    synthesized: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    transcribed: list[str] = field(default_factory=list)
    llm_closed: list[float] = field(default_factory=list)
    session: Session | None = None

    def types(self) -> list[str]:
        return [str(event.__struct_config__.tag) for _, event in self.events]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for _, event in self.events if isinstance(event, kind)]

    def when(self, kind: type[Any], number: int = 0) -> float:
        return [at for at, event in self.events if isinstance(event, kind)][number]

    def count(self, kind: type[Any]) -> int:
        return len(self.of(kind))

    @property
    def spoken(self) -> str:
        return "".join(event.delta for event in self.of(wire.TranscriptDelta))


class Script:
    """Build a scenario with verbs, then `play` it."""

    def __init__(self, **settings: Any) -> None:
        # Scripted sounds are constants: one cannot be told from the echo of another.
        settings["vad"] = {"echo": False, **settings.get("vad", {})}
        self.settings = Settings(**settings)
        self._timeline: list[Said] = []
        self._answers: list[tuple[list[Delta | float | Exception], float]] = []
        self._texts: dict[int, str] = {}
        self._stt_seconds = 0.15
        self._tts_seconds = 0.2
        self._probability = 0.95
        self._stt_fails = False
        self.extended = True
        self._until = 0.0
        self._session: dict[str, Any] = {
            "audio": {"input": {"transcription": {}, "turn_detection": {"type": "semantic_vad"}}}
        }

    def configured(self, session: dict[str, Any]) -> Script:
        self._session = session
        return self

    def plain(self) -> Script:
        """The client is one of OpenAI's, without our extensions."""
        self.extended = False
        return self

    def says(self, at: float, until: float, text: str) -> Script:
        number = len(self._texts) + 1
        self._texts[number] = text
        self._timeline.append(Said(at, until, text, level=number / 100))
        return self

    def sends(self, at: float, **event: Any) -> Script:
        self._timeline.append(Said(at, event=event))
        return self

    def does(self, at: float, then: Any) -> Script:
        """`then(log)` returns an event to send at that time, made from what was seen so far."""
        self._timeline.append(Said(at, then=then))
        return self

    def answers(self, text: str, *, ttft: float = 0.1, per_word: float = 0.01) -> Script:
        words = [TextDelta(word) for word in _words(text)]
        deltas: list[Delta | float | Exception] = [ttft]
        for word in words:
            deltas += [word, per_word]
        self._answers.append(([*deltas, Finished("stop", 10, len(words))], 0.0))
        return self

    def calls(self, name: str, arguments: str) -> Script:
        self._answers.append(
            ([0.1, ToolCall("call_1", name, arguments), Finished("tool_calls")], 0)
        )
        return self

    def breaks(self, error: Exception, after: str = "") -> Script:
        """The language model fails, after `after` if given."""
        self._answers.append(([0.1, *map(TextDelta, _words(after)), error], 0.0))
        return self

    def recognises(self, *, seconds: float = 0.15, fails: bool = False) -> Script:
        self._stt_seconds, self._stt_fails = seconds, fails
        return self

    def synthesizes(self, *, seconds: float) -> Script:
        self._tts_seconds = seconds
        return self

    def believes(self, probability: float) -> Script:
        """What the turn detector thinks of every pause."""
        self._probability = probability
        return self

    def lasts(self, seconds: float) -> Script:
        self._until = seconds
        return self

    def play(self) -> Log:
        log = Log()
        run_virtual(self._play(log))
        return log

    # --- the client

    async def _play(self, log: Log) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                session = Session(self._engines(log), self.settings, group, extended=self.extended)
                log.session = session
                session.put(wire.SessionCreated(session=show(session.config, session.id)))
                group.create_task(self._read(session, log))
                await self._send(session, {"type": "session.update", "session": self._session})
                await self._speak(session, log)
                raise _Over
        except* _Over:
            pass

    async def _read(self, session: Session, log: Log) -> None:
        loop = asyncio.get_running_loop()
        while True:
            out = await session.outbox.get()
            turn = out.rev.turn if out.rev else 0
            wire.encode_vivavoce(out.message, turn)
            log.events.append((loop.time(), out.message))
            session.sent(out)

    async def _send(self, session: Session, event: dict[str, Any]) -> None:
        await take_text(session, json.dumps(event))

    async def _speak(self, session: Session, log: Log) -> None:
        end = self._until or max((s.until or s.at for s in self._timeline), default=0) + 8
        step = 0.02
        samples = int(SPOKEN_RATE * step)
        pending = sorted(self._timeline, key=lambda said: said.at)
        loop = asyncio.get_running_loop()
        for number in range(int(end / step)):
            now = number * step
            await asyncio.sleep(max(0.0, now - loop.time()))
            while pending and pending[0].event is not None and pending[0].at <= now:
                await self._send(session, pending.pop(0).event or {})
            for said in [s for s in pending if s.then is not None and s.at <= now]:
                pending.remove(said)
                await self._send(session, said.then(log))
            for said in [s for s in pending if s.event is not None and s.at <= now]:
                pending.remove(said)
                await self._send(session, said.event or {})
            level = sum(s.level for s in self._timeline if s.at <= now < s.until)
            await session.hear(int16_from_pcm(np.full(samples, level, dtype=np.float32)))

    # --- the engines

    def _engines(self, log: Log) -> Engines:
        return Engines(
            vad=_Vad(),
            turn=_Turn(self),
            stt=_Stt(self, log),
            tts=_Tts(self, log),
            llm=_Llm(self, log),
        )


class _Over(Exception):
    pass


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word if not i else f" {word}" for i, word in enumerate(words)] if text else []


class _Vad:
    frame = 512
    device = "cpu"

    def open(self) -> _Vad:
        return self

    def probability(self, frame: Pcm) -> float:
        return float(np.abs(frame).mean() > 0.004)


class _Turn:
    device = "cpu"

    def __init__(self, script: Script) -> None:
        self._script = script

    async def completion(self, pcm: Pcm) -> float:
        await asyncio.sleep(0.02)
        return self._script._probability


class _Stt:
    device = "cpu"
    languages = frozenset({"en"})

    def __init__(self, script: Script, log: Log) -> None:
        self._script, self._log = script, log

    async def transcribe(self, pcm: Pcm, **_: Any) -> Transcript:
        await asyncio.sleep(self._script._stt_seconds)
        if self._script._stt_fails:
            raise EngineFailed("recognition failed")
        levels = np.bincount(np.rint(np.abs(pcm) * 100).astype(int), minlength=100)
        texts = [t for n, t in self._script._texts.items() if levels[n] > HEARD_RATE / 50]
        text = " ".join(texts)
        self._log.transcribed.append(text)
        return Transcript(text, "en")


class _Tts:
    device = "cpu"
    voices: Mapping[str, Voice] = {"af_heart": Voice("af_heart", "en-US", "Heart", "female")}

    def __init__(self, script: Script, log: Log) -> None:
        self._script, self._log = script, log

    async def warm(self, voice: str) -> None:
        return None

    async def synthesize(self, text: str, *, voice: str, speed: float = 1.0) -> Speech:
        return joined([piece async for piece in self.stream(text, voice=voice, speed=speed)])

    async def stream(
        self, text: str, *, voice: str, speed: float = 1.0, urgent: bool = True
    ) -> AsyncGenerator[Speech, None]:
        await asyncio.sleep(self._script._tts_seconds)
        self._log.synthesized.append(text)
        words = text.split()
        times = tuple(Word(w, i * WORD, (i + 1) * WORD) for i, w in enumerate(words))
        pcm = np.full(int(len(words) * WORD * SPOKEN_RATE), 0.1, dtype=np.float32)
        half = len(pcm) // 2
        yield Speech(pcm[:half], times, exact=True)
        yield Speech(pcm[half:], (), exact=True)


class _Llm:
    name = "scripted"
    device = "cpu"

    def __init__(self, script: Script, log: Log) -> None:
        self._script, self._log = script, log

    async def warm(self, messages: Sequence[Message]) -> None:
        return None

    async def expect(self, messages: Sequence[Message]) -> None:
        self._log.expected.append(messages[-1].text)

    async def close(self) -> None:
        return None

    async def respond(
        self, messages: Sequence[Message], options: ChatOptions
    ) -> AsyncGenerator[Delta, None]:
        self._log.prompts.append(list(messages))
        answers = self._script._answers
        script = answers.pop(0)[0] if len(answers) > 1 else answers[0][0]
        try:
            for step in script:
                if isinstance(step, float | int):
                    await asyncio.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self._log.llm_closed.append(asyncio.get_running_loop().time())


LLM_DROPPED = ChatError("llm_dropped", "the model broke off")


def roles(log: Log) -> list[tuple[str, str | None]]:
    """Who said what, as the conversation has it."""
    assert log.session is not None
    items = log.session.memory.conversation
    return [(item.role, item.text) for item in items if isinstance(item, MessageItem)]


def asked(log: Log) -> list[str]:
    """What the user had said, in each prompt the model was given."""
    return [prompt[-1].text for prompt in log.prompts]
