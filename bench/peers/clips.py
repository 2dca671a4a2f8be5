"""What is asked: recorded sentences, or where there is no recording, synthesised questions."""

from __future__ import annotations

import asyncio
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from bench.latency import last_speech, questions
from bench.speech import corpus_folder
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm
from voice.engines import EngineOptions, Tts, Vad, load_engine

SYNTHESISED = (
    ("af_bella", "What should I cook for two children tonight?"),
    ("am_michael", "Can you tell me how to keep bread fresh for longer?"),
    ("bf_emma", "Which planet is the closest one to the sun?"),
    ("bm_george", "How many minutes do I need to boil an egg?"),
    ("af_nicole", "Is it a good idea to run in the rain?"),
    ("am_fenrir", "What can I do with my friends on Sunday?"),
    ("bf_isabella", "Why do leaves turn red in the autumn?"),
    ("am_puck", "Where would you go for a walk by the sea?"),
)
"""Voices of Kokoro and what they ask, for those who have no recordings."""


@dataclass(frozen=True, slots=True)
class Question:
    """One clip, which ends with its last voiced sample: a mono 16-bit WAV file at 16 kHz."""

    name: str
    text: str
    path: Path
    seconds: float


def prepare_questions(weights: Path, count: int, folder: Path) -> tuple[str, list[Question]]:
    """Write up to `count` clips into `folder`; returns what they are, and the clips.

    They come from the corpus that `VIVAVOCE_SPEECH_DIR` names; without one they are synthesised.
    """
    options = EngineOptions(weights, device="cpu")
    vad: Vad = load_engine("vad", "silero", options)
    corpus = corpus_folder()
    if corpus is not None:
        kind = "recorded sentences"
        sounds = [(clip.name, clip.text or "", clip.read()) for clip in questions(corpus, count)]
    else:
        kind = "synthesised questions"
        tts: Tts = load_engine("tts", "kokoro", options)
        sounds = [(voice, text, _spoken(tts, voice, text)) for voice, text in SYNTHESISED[:count]]
    return kind, [
        _write(folder, name, text, pcm[: last_speech(pcm, vad)]) for name, text, pcm in sounds
    ]


def _spoken(tts: Tts, voice: str, text: str) -> Pcm:
    speech = asyncio.run(tts.synthesize(text, voice=voice))
    # The VAD judges whole frames: without silence after it, the last word's end could be lost.
    sound = np.pad(speech.pcm, (SPOKEN_RATE // 4, SPOKEN_RATE // 4))
    return np.asarray(soxr.resample(sound, SPOKEN_RATE, HEARD_RATE), np.float32)


def _write(folder: Path, name: str, text: str, pcm: Pcm) -> Question:
    path = folder / f"{name}.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(HEARD_RATE)
        out.writeframes(bytes(int16_from_pcm(pcm)))
    return Question(name, text, path, len(pcm) / HEARD_RATE)
