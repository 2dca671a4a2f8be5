"""The corpus of recorded speech that benchmarks measure with, and how its words are compared.

The corpus is a folder named by `VIVAVOCE_SPEECH_DIR`: mono FLAC at 16 kHz and `manifest.jsonl`
with one object a line: `file`, `seconds`, `kind`, `lang`, `text` (null where no transcript is
known), and for spoken orders `slots`: phrases that must occur in the transcript.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import soundfile

from voice.audio import HEARD_RATE, Pcm


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording; `text` is its transcript, `slots` are phrases that occur in it."""

    path: Path
    kind: str
    language: str | None
    text: str | None
    slots: Mapping[str, str]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    def read(self) -> Pcm:
        """The samples, 16 kHz mono; `ValueError` if the file has another shape."""
        pcm, rate = soundfile.read(self.path, dtype="float32")
        if rate != HEARD_RATE or pcm.ndim != 1:
            raise ValueError(f"{self.path.name} is not 16 kHz mono")
        samples: Pcm = pcm
        return samples


def corpus_folder() -> Path | None:
    """The folder `VIVAVOCE_SPEECH_DIR` names, or None if it names none."""
    named = os.environ.get("VIVAVOCE_SPEECH_DIR", "")
    return Path(named) if named else None


def read_manifest(folder: Path) -> list[Clip]:
    """All clips of the corpus in `folder`, in the order of its manifest."""
    with (folder / "manifest.jsonl").open(encoding="utf-8") as lines:
        return [_clip(folder, json.loads(line)) for line in lines if line.strip()]


def _clip(folder: Path, entry: Mapping[str, object]) -> Clip:
    slots = entry.get("slots") or {}
    assert isinstance(slots, Mapping)
    language, text = entry["lang"], entry["text"]
    return Clip(
        path=folder / str(entry["file"]),
        kind=str(entry["kind"]),
        language=None if language is None else str(language),
        text=None if text is None else str(text),
        slots={str(name): str(phrase) for name, phrase in slots.items()},
    )


_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_FILLERS = frozenset("hmm mm mhm uh um er ah".split())
_SAME = {"oz": "ounce", "ounces": "ounce", "okay": "ok", "o'clock": "oclock"}


def normalise(text: str) -> str:
    """`text` as words that may be compared: lower case, no punctuation, no fillers, numbers up to
    99 spelt out; in the manner of Whisper's `EnglishTextNormalizer`, much shorter.
    """
    text = text.lower().replace("\u2019", "'")
    text = re.sub(r"(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)", " ", text)
    text = re.sub(r"\d+", lambda match: _spelt(int(match[0])), text)
    words = re.sub(r"[^\w' ]+", " ", text).split()
    return " ".join(_SAME.get(word, word.strip("'")) for word in words if word not in _FILLERS)


def _spelt(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] if ones == 0 else f"{_TENS[tens]} {_ONES[ones]}"
    return str(number)


def slots_found(clip: Clip, transcript: str) -> int:
    """How many of the clip's phrases occur in `transcript`, after `normalise`."""
    heard = f" {normalise(transcript)} "
    return sum(f" {normalise(phrase)} " in heard for phrase in clip.slots.values())
