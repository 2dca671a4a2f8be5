"""A long monologue: what a second of speech costs as the turn grows, minute by minute.

    VIVAVOCE_SPEECH_DIR=... python -m bench.monologue [--minutes 10] [--pauses none] [--hands-free]
        [--clips lj]

Recorded sentences, in an order of their own in each round, are joined with 0.2 to 0.5 s of their
room tone and spoken to a real session as one turn: by push-to-talk, or hands-free with a turn
detector of low eagerness and no limit. With `--pauses none` they follow one another without a
break, and what the VAD takes for a pause inside them is cut out too. Without recordings a few
sentences are synthesised.

The microphone runs in real time while a model works and skips ahead while none does, so that
partial transcripts come as often as they would in real time, where the machine is not busy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import soxr

from bench.pauses import joined, room_tone
from bench.report import machine
from bench.speech import corpus_folder, normalise, read_manifest
from voice.app import Service
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm
from voice.engines import Stt, Transcript, Tts, Vad
from voice.exchange import take_text
from voice.protocol import server as wire
from voice.session import Engines, Session
from voice.settings import Settings, read_settings

FRAME = SPOKEN_RATE // 50
"""20 ms, what microphones usually deliver."""

SHORTEST, LONGEST = 0.2, 0.5
"""Seconds of room tone between two sentences."""

SILENT = 0.35
"""Below this probability the segmenter hears silence (0.5 and its hysteresis)."""

HEAD = "minute  CPU s/s  partials  finals  decoded s/s  longest  waited s/s   memory     tape"
"""Of a minute: CPU seconds, audio given to the recogniser and time waited for it, all a second of
speech; the longest audio it was given; resident memory and the sound kept at the end.
"""

SYNTHESISED = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It is easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.",
    "Four hours of steady work faced us.",
)
"""Of the Harvard sentences (IEEE, 1969), for when there are no recordings."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the sound of it, 16 kHz, without silence at its ends."""

    text: str
    pcm: Pcm


@dataclass
class Minute:
    """What a minute of speech took."""

    seconds: float = 60.0
    cpu: float = 0.0
    partials: int = 0
    finals: int = 0
    decoded: float = 0.0
    """Seconds of audio given to the recogniser."""
    longest: float = 0.0
    waited: float = 0.0
    """Seconds from asking the recogniser to its answer, summed."""
    memory: float = 0.0
    tape: float = 0.0


class Counted:
    """The recogniser, and what it is asked to do."""

    def __init__(self, stt: Stt) -> None:
        self._stt = stt
        self.device = stt.device
        self.languages = stt.languages
        self.busy = 0
        self.minute = Minute()

    async def transcribe(self, pcm: Pcm, *, urgent: bool = True, **how: Any) -> Transcript:
        """See `voice.engines.Stt`."""
        seconds = len(pcm) / HEARD_RATE
        self.minute.partials += not urgent
        self.minute.finals += urgent
        self.minute.decoded += seconds
        self.minute.longest = max(self.minute.longest, seconds)
        began = time.perf_counter()
        self.busy += 1
        try:
            return await self._stt.transcribe(pcm, urgent=urgent, **how)
        finally:
            self.busy -= 1
            self.minute.waited += time.perf_counter() - began


@dataclass
class Heard:
    """What the client was told."""

    told: str = ""
    before: str = ""
    """What was told before the end."""
    transcripts: list[str] = field(default_factory=list)
    after: float = 0.0
    """Seconds from the end of the turn to its transcript."""
    turns: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    """All turns that are over have their transcript."""


def main() -> None:
    """Speak and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--pauses", choices=("natural", "none"), default="natural")
    parser.add_argument("--hands-free", action="store_true", help="semantic_vad, no button")
    parser.add_argument("--clips", default="", help="only those whose name begins so")
    asked = parser.parse_args()
    asyncio.run(
        run(
            asked.minutes,
            pauses=asked.pauses == "natural",
            hands_free=asked.hands_free,
            clips=asked.clips,
        )
    )


async def run(minutes: float, *, pauses: bool, hands_free: bool, clips: str) -> None:
    """Load the models, speak to a session, print."""
    settings = read_settings()
    turn = settings.turn.model_copy(update={"max_seconds": 3600.0})
    settings = settings.model_copy(update={"turn": turn})
    service = Service(settings, lambda _: None)
    await service.load()
    assert service.engines is not None
    stt = Counted(service.engines.stt)
    engines = replace(service.engines, stt=stt)
    sentences = recorded(engines.vad, clips) or await synthesised(engines.tts, settings.tts.voice)
    texts, pcm = monologue(sentences, minutes * 60, engines.vad, pauses=pauses)
    print(
        f"{machine()}; {len(pcm) / HEARD_RATE / 60:.1f} minutes, {len(sentences)} sentences, "
        f"{'hands-free' if hands_free else 'push-to-talk'}, {'' if pauses else 'no '}pauses"
    )
    print(HEAD)
    heard = await speak(engines, stt, settings, pcm, hands_free=hands_free)
    alone = [(await stt.transcribe(sentence.pcm)).text for sentence in sentences]
    print_words(texts, heard, sentences, alone)
    await service.close()


def recorded(vad: Vad, name: str) -> list[Sentence]:
    """The corpus's English sentences that have a transcript and whose name begins with `name`, if
    there is a corpus.
    """
    folder = corpus_folder()
    clips = read_manifest(folder) if folder is not None else []
    return [
        Sentence(clip.text, trimmed(clip.read(), vad))
        for clip in clips
        if clip.kind == "sentence"
        and clip.language == "en"
        and clip.text
        and clip.name.startswith(name)
    ]


async def synthesised(tts: Tts, voice: str) -> list[Sentence]:
    """`SYNTHESISED`, spoken by the synthesiser."""
    found = []
    for text in SYNTHESISED:
        speech = await tts.synthesize(text, voice=voice)
        found.append(Sentence(text, soxr.resample(speech.pcm, SPOKEN_RATE, HEARD_RATE)))
    return found


def probabilities(pcm: Pcm, vad: Vad) -> list[float]:
    """The VAD's probability of speech in each whole frame."""
    stream = vad.open()
    frames = range(0, len(pcm) - vad.frame + 1, vad.frame)
    return [stream.probability(pcm[at : at + vad.frame]) for at in frames]


def trimmed(pcm: Pcm, vad: Vad) -> Pcm:
    """`pcm` from just before the first frame with speech to just after the last."""
    voiced = np.flatnonzero(np.array(probabilities(pcm, vad)) >= SILENT)
    if not len(voiced):
        return pcm
    return pcm[max(0, voiced[0] - 2) * vad.frame : (voiced[-1] + 2) * vad.frame]


def monologue(
    sentences: Sequence[Sentence], seconds: float, vad: Vad, *, pauses: bool
) -> tuple[list[str], Pcm]:
    """Sentences of `seconds` in all, each round shuffled: their texts and their sound."""
    chance = np.random.default_rng(0)
    texts: list[str] = []
    parts: list[Pcm] = []
    length = 0
    while length < seconds * HEARD_RATE:
        for number in chance.permutation(len(sentences)):
            sentence = sentences[number]
            texts.append(sentence.text)
            parts.append(sentence.pcm)
            length += len(sentence.pcm)
            if pauses:
                pause = int(chance.uniform(SHORTEST, LONGEST) * HEARD_RATE)
                parts.append(room_tone(sentence.pcm, pause, chance))
                length += pause
            if length >= seconds * HEARD_RATE:
                break
    pcm = joined(*parts)
    return texts, pcm if pauses else without_pauses(without_pauses(pcm, vad), vad)


def without_pauses(pcm: Pcm, vad: Vad) -> Pcm:
    """`pcm` with one frame left of each stretch that the VAD takes for silence."""
    silent = np.array(probabilities(pcm, vad)) < SILENT
    edges = [0, *(np.flatnonzero(np.diff(silent)) + 1), len(silent)]
    kept = [
        pcm[start * vad.frame : (start + 1 if silent[start] else end) * vad.frame]
        for start, end in pairwise(edges)
    ]
    return joined(*kept)


async def speak(
    engines: Engines, stt: Counted, settings: Settings, pcm: Pcm, *, hands_free: bool
) -> Heard:
    """Say all of it to a session, and wait for the transcript."""
    heard = Heard()
    detection = {"type": "semantic_vad", "eagerness": "low", "create_response": False}
    audio = {"transcription": {}, "turn_detection": detection if hands_free else None}
    changes = {"type": "realtime", "audio": {"input": audio}}
    async with asyncio.TaskGroup() as group:
        session = Session(engines, settings, group, extended=False)
        reading = group.create_task(_read(session, heard))
        await take_text(session, json.dumps({"type": "session.update", "session": changes}))
        for number, at in enumerate(range(0, len(pcm), 60 * HEARD_RATE), 1):
            minute = await _feed(session, stt, pcm[at : at + 60 * HEARD_RATE])
            print(row(number, minute), flush=True)
        heard.before = heard.told
        began = time.perf_counter()
        if hands_free:
            await _feed(session, stt, np.zeros(6 * HEARD_RATE, dtype=np.float32))
        else:
            await take_text(session, json.dumps({"type": "input_audio_buffer.commit"}))
        await heard.complete.wait()
        heard.after = time.perf_counter() - began
        reading.cancel()
    return heard


async def _read(session: Session, heard: Heard) -> None:
    while True:
        out = await session.outbox.get()
        session.sent(out)
        match out.message:
            case wire.BufferCommitted():
                heard.turns += 1
                heard.complete.clear()
            case wire.TranscriptionDelta(delta=delta):
                heard.told += delta
            case wire.TranscriptionCompleted(transcript=transcript):
                heard.transcripts.append(transcript)
                if len(heard.transcripts) == heard.turns:
                    heard.complete.set()
            case wire.TranscriptionFailed() | wire.ErrorEvent():
                raise RuntimeError(f"the session complains: {out.message}")


async def _feed(session: Session, stt: Counted, pcm: Pcm) -> Minute:
    """A piece of the sound, frame by frame; returns what that took."""
    loop = asyncio.get_running_loop()
    stt.minute = Minute(seconds=len(pcm) / HEARD_RATE)
    data: Pcm = soxr.resample(pcm, HEARD_RATE, SPOKEN_RATE)
    cpu = time.process_time()
    for at in range(0, len(data), FRAME):
        due = loop.time() + FRAME / SPOKEN_RATE
        await session.hear(int16_from_pcm(data[at : at + FRAME]))
        await asyncio.sleep(0)  # what follows from the frame begins
        await asyncio.sleep(0)
        if stt.busy:
            await asyncio.sleep(due - loop.time())
    minute = stt.minute
    minute.cpu = time.process_time() - cpu
    minute.memory = _resident()
    minute.tape = (session.ears.tape.end - session.ears.tape.start) / HEARD_RATE
    return minute


def _resident() -> float:
    """Resident memory of this process, MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def row(number: int, minute: Minute) -> str:
    """One line of the table."""
    return (
        f"{number:6}  {minute.cpu / minute.seconds:7.3f}  {minute.partials:8}  "
        f"{minute.finals:6}  {minute.decoded / minute.seconds:11.2f}  {minute.longest:6.1f}s  "
        f"{minute.waited / minute.seconds:10.2f}  {minute.memory:4.0f} MB  {minute.tape:6.1f}s"
    )


def print_words(
    texts: Sequence[str], heard: Heard, sentences: Sequence[Sentence], alone: Sequence[str]
) -> None:
    """How right the whole transcript is, and how much of it was told before the end."""
    said = normalise(" ".join(texts))
    found = normalise(" ".join(heard.transcripts))
    errors = jiwer.process_words(said, found)
    single = jiwer.wer([normalise(s.text) for s in sentences], [normalise(a) for a in alone])
    early = len(normalise(heard.before).split()) / max(1, len(found.split()))
    print(
        f"{heard.turns} turn, its transcript {heard.after:.2f} s after its end; "
        f"word error rate {errors.wer:.2%} (substituted {errors.substitutions}, "
        f"missing {errors.deletions}, added {errors.insertions} of {len(said.split())}), "
        f"the sentences one by one {single:.2%}; told before the end: {early:.0%} of the words"
    )


if __name__ == "__main__":
    main()
