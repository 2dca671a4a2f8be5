"""What is said and what sounds in the room: spoken by Kokoro, recorded, or made here.

Recordings come from the folder that `VIVAVOCE_SPEECH_DIR` names; without it there are fewer cues,
and an impulse response is made. Speech is put at -26 dB of full scale, noise 6 dB below it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from bench.conversing.noises import MADE, hum
from bench.conversing.sound import levelled, voiced
from bench.speech import Clip, corpus_folder, read_manifest
from voice.audio import HEARD_RATE, Pcm, quietest
from voice.audio import SPOKEN_RATE as RATE
from voice.engines import EngineOptions, joined, load_engine
from voice.saying import speak_text

SPEECH, NOISE = -26.0, -32.0
VOICES = ("am_michael", "bf_emma", "bm_george", "af_bella", "am_puck")
"""Of the user; replies are spoken by another one."""

BACKCHANNELS = (
    ("Mm-hm.", "am_puck", "mhˈm."),
    ("Right.", "bf_emma", None),
    ("Yeah.", "am_puck", None),
    ("Okay.", "af_bella", None),
    ("Uh-huh.", "am_michael", "ʌhˈʌ."),
    ("I see.", "bm_george", None),
    ("Right.", "af_bella", None),
    ("Yeah.", "af_bella", None),
    ("Okay.", "am_michael", None),
    ("I see.", "am_michael", None),
)
"""What is said, by which voice, and Kokoro's phonemes where its dictionary would spell the letters.

Kokoro has learnt no listener's sounds: of the voices tried for them these are the ones that
the recogniser alone takes for what they should be, or for nothing.
"""

HUMS = {"Mm-hm (hummed, low)": 115.0, "Mm-hm (hummed, high)": 210.0}
"""More of them, hummed at this pitch (Hz)."""

INTERRUPTIONS = (
    "Stop.",
    "Wait.",
    "No, I meant Tuesday.",
    "What about tomorrow?",
    "Hold on a second.",
    "Can you say that again?",
)
QUESTIONS = (
    "What should I cook for two children tonight?",
    "Can you tell me how to keep bread fresh?",
    "Which planet is closest to the sun?",
    "Is it a good idea to run in the rain?",
    "Why do leaves turn red in autumn?",
    "Where would you go for a walk by the river?",
)
NUMBER = ("My phone number is five five five,", "one two three four.")
RECORDED = ("lamp_en", "light_en", "light_de", "light_es", "light_zh", "name_fr")
"""Short commands, whole; the first words of some orders are added to them."""

ORDERS = ("barista_005", "barista_020", "barista_041", "barista_063")


@dataclass(frozen=True, slots=True)
class Cue:
    """A sound of the user or of the room, 24 kHz; `begin` and `end` are where it is loud.

    `text` is what is said, where that is known. `kind`: backchannel, noise, interruption (spoken
    by Kokoro), recorded (an interruption by a person), question.
    """

    name: str
    kind: str
    text: str | None
    pcm: Pcm
    begin: int
    end: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.pcm) / RATE


@dataclass(frozen=True)
class Cues:
    """Everything that is said; `recorded` says whether there are recordings among it."""

    recorded: bool
    backchannels: list[Cue]
    noises: list[Cue]
    interruptions: list[Cue]
    questions: list[Cue]
    number: list[Cue]
    """One sentence in two parts, between which the speaker looks up the rest."""
    responses: dict[str, Pcm]
    """Impulse responses of rooms, 24 kHz, from the direct sound on."""


def prepare_cues(weights: Path, kept: Path, *, quick: bool) -> Cues:
    """Speak, read and make all of them (blocking); `quick`: two of each.

    What Kokoro says is kept in the folder `kept`: to load and to say it takes longer than some
    scenarios.
    """
    folder = corpus_folder()
    clips = {clip.name: clip for clip in read_manifest(folder)} if folder is not None else {}
    some = 2 if quick else None
    speaker = Speaker(weights, kept)
    return Cues(
        recorded=bool(clips),
        backchannels=[
            *(speaker.say("backchannel", *said) for said in BACKCHANNELS[:some]),
            *(cue(name, "backchannel", None, hum(hz), SPEECH) for name, hz in HUMS.items()),
        ],
        noises=[*_made(some), *_noises(clips, some)],
        interruptions=[
            *(speaker.say("interruption", *said) for said in _voiced(INTERRUPTIONS[:some])),
            *_commands(clips, some),
        ],
        questions=[speaker.say("question", *said) for said in _voiced(QUESTIONS[:some])],
        number=[speaker.say("question", text, VOICES[0]) for text in NUMBER],
        responses=_responses(clips),
    )


def cue(name: str, kind: str, text: str | None, pcm: Pcm, decibels: float) -> Cue:
    """A cue of `pcm` (24 kHz), made as loud as is wanted and cut to what is loud in it."""
    begin, end = voiced(pcm)
    margin = RATE // 20
    pcm = levelled(pcm[max(0, begin - margin) : end + margin], decibels)
    return Cue(name, kind, text, pcm, *voiced(pcm))


def wire_rate(pcm: Pcm) -> Pcm:
    """A recording, 16 kHz, as the microphone delivers it: 24 kHz."""
    resampled: Pcm = soxr.resample(pcm, HEARD_RATE, RATE).astype(np.float32)
    return resampled


class Speaker:
    """Kokoro, loaded when something has to be said that was not said in an earlier run."""

    def __init__(self, weights: Path, kept: Path) -> None:
        self._weights = weights
        self._kept = kept
        self._tts: Any = None

    def say(self, kind: str, text: str, voice: str, phonemes: str | None = None) -> Cue:
        """A cue of `text`."""
        key = hashlib.sha256(f"{text} {voice} {phonemes}".encode()).hexdigest()[:16]
        kept = self._kept / f"{key}.wav"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(kept, self._speak(text, voice, phonemes), RATE, subtype="FLOAT")
        pcm = soundfile.read(kept, dtype="float32")[0]
        return cue(f"{text} ({voice})", kind, text, pcm, SPEECH)

    def _speak(self, text: str, voice: str, phonemes: str | None) -> Pcm:
        if self._tts is None:
            self._tts = load_engine("tts", "kokoro", EngineOptions(self._weights, "cpu"))
        if phonemes is None:
            return asyncio.run(speak_text(self._tts, text, voice=voice, speed=1.0))
        return joined(list(self._tts.render([text], [phonemes], voice, 1.0))).pcm


def _voiced(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(texts, cycle(VOICES), strict=False)


def _made(some: int | None) -> Iterator[Cue]:
    for name, make in list(MADE.items())[:some]:
        yield cue(f"{name} (made)", "noise", "", make(), NOISE)


def _noises(clips: dict[str, Clip], some: int | None) -> list[Cue]:
    pieces = (("noise_1", 2.0, 3.0), ("noise_2", 0.0, 3.0), ("noise_3", 1.0, 3.0))
    if not clips:
        return []
    return [
        cue(
            name,
            "noise",
            "",
            wire_rate(clips[name].read())[int(at * RATE) : int((at + lasts) * RATE)],
            NOISE,
        )
        for name, at, lasts in (*pieces, ("noise_kitchen", 10.0, 4.0))[:some]
    ]


def _commands(clips: dict[str, Clip], some: int | None) -> list[Cue]:
    if not clips:
        return []
    whole = [command(clips[name]) for name in RECORDED[:some]]
    return whole + [beginning(clips[name]) for name in ORDERS[:some]]


def command(clip: Clip) -> Cue:
    """A recording, whole."""
    return cue(clip.name, "recorded", clip.text, wire_rate(clip.read()), SPEECH)


def beginning(clip: Clip) -> Cue:
    """The first words of an order, cut where it is quietest."""
    pcm = wire_rate(clip.read())
    begin = voiced(pcm)[0]
    cut = quietest(pcm, begin + RATE * 3 // 2, begin + RATE * 5 // 2, width=RATE // 50)
    return cue(f"{clip.name} (start)", "recorded", None, pcm[:cut], SPEECH)


def _responses(clips: dict[str, Clip]) -> dict[str, Pcm]:
    if not clips:
        return {"made": _room()}
    found: dict[str, Pcm] = {}
    for name in ("rir_4", "rir_1"):
        pcm = wire_rate(clips[name].read())
        direct = int(np.argmax(np.abs(pcm)))
        found[name] = pcm[max(0, direct - 24) : direct + RATE // 2]
    return found


def _room() -> Pcm:
    """A room with a reverberation time of 0.4 s: noise that decays by 60 dB in it."""
    count = RATE // 2
    noise = np.random.default_rng(3).standard_normal(count)
    response: Pcm = (noise * 10 ** (-3 * np.arange(count) / (0.4 * RATE))).astype(np.float32)
    response[0] = 4.0
    return response
