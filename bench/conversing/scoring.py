"""From what happened to figures. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jiwer

from bench.speech import normalise

INTERRUPTING = ("interruption", "recorded")
"""Kinds of cue that must end a reply; all others must not."""


@dataclass
class Probe:
    """A sound over a reply, and what became of the reply.

    `text` is what the cue says, None where that is unknown; `transcript` what the server
    understood, None where it made no message of it.
    """

    group: str
    name: str
    kind: str
    text: str | None = None
    noticed_ms: float | None = None
    """From the cue's first voiced sample to `speech_started`."""
    ended: bool = False
    """The reply was ended."""
    stop_ms: float | None = None
    """From the cue's first voiced sample to the end of playback."""
    ducked_ms: float = 0.0
    transcript: str | None = None
    words_after: int | None = None
    """Words the language model said more than 0.3 s after the end of playback."""
    resumed: bool = False
    """The reply was taken up again (as it should be where it was ended by mistake),"""
    resumed_by: int = 0
    """so many words after the last one heard (less than 0: some were said twice),"""
    silence_ms: float | None = None
    """after so much silence."""
    full: str | None = None
    """The whole text of the reply,"""
    kept: str | None = None
    """what the conversation kept of it,"""
    by_position: str | None = None
    """its words up to where the loudspeaker stood, None where their times are unknown,"""
    played: str | None = None
    """and what the recogniser understands of the sound that was played."""


@dataclass
class Check:
    """Something that must, or must not, happen; `value` is what did."""

    group: str
    name: str
    passed: bool
    value: str = ""


@dataclass
class Asked:
    """Questions in a row and what was understood; `alone` is each one's transcript on its own."""

    group: str
    name: str
    texts: list[str]
    transcripts: list[str] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)


@dataclass
class Found:
    """Everything that was found."""

    probes: list[Probe] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    phantoms: list[tuple[str, str]] = field(default_factory=list)
    """What was understood where nobody spoke, and the sound it was made of."""
    noise_seconds: float = 0.0
    echo_seconds: float = 0.0
    """Of replies with their echo in the microphone and no user."""
    echo_ends: int = 0
    """Replies that ended in them."""
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    """group -> what the server counted in it."""
    errors: list[str] = field(default_factory=list)
    logs: list[tuple[str, list[tuple[float, str]]]] = field(default_factory=list)
    """Of each conversation what the server sent, and in brackets what sounded; when (seconds)."""
    late: float = 0.0
    """How late the room's clock was at worst (seconds)."""
    underruns: int = 0
    """How often the loudspeaker ran dry in the middle of a reply."""


_DIGITS = "zero one two three four five six seven eight nine".split()


def digits(text: str) -> str:
    """The digits in `text`, also those that are written as words."""
    words = re.findall(r"[a-z]+|\d", text.lower())
    shown = (str(_DIGITS.index(word)) if word in _DIGITS else word for word in words)
    return "".join(word for word in shown if word.isdigit())


def read_well(heard: str, wanted: Sequence[Sequence[str]], unwanted: Sequence[str]) -> bool:
    """Whether of each of `wanted` one form was heard, and no word of `unwanted`."""
    said = " ".join(re.findall(r"\w+", heard.lower()))
    every = all(any(form in said for form in forms) for forms in wanted)
    return every and not set(said.split()) & set(unwanted)


def words_played(words: Sequence[Mapping[str, Any]], played_ms: float) -> list[str]:
    """The words of which at least half was played after `played_ms` of the item's audio."""
    heard = [(word["start_ms"] + word["end_ms"]) / 2 <= played_ms for word in words]
    count = next((number for number, whole in enumerate(heard) if not whole), len(heard))
    return [str(word["text"]) for word in words[:count]] if played_ms > 0 else []


def word_errors(one: str, other: str) -> int:
    """How many words have to be changed, added or taken away to get from one to the other."""
    one, other = normalise(one), normalise(other)
    if not one or not other:
        return len((one or other).split())
    counted = jiwer.process_words(one, other)
    return int(counted.substitutions + counted.deletions + counted.insertions)


def prefix_spoken(transcript: str, text: str) -> str:
    """The beginning of `text` that is most like `transcript`, in whole words.

    So a recogniser's mistakes inside do not count, only how far it came.
    """
    words = text.split()
    costs = [word_errors(transcript, " ".join(words[:count])) for count in range(len(words) + 1)]
    return " ".join(words[: costs.index(min(costs))])


def continues(full: str, heard: str, rest: str) -> int | None:
    """By how many words `rest` begins after the end of `heard` in `full`; less than 0: before it.

    None if `rest` is no part of `full`. The place nearest to the end of what was heard counts.
    """
    words, begin = normalise(full).split(), normalise(rest).split()[:4]
    if not begin:
        return None
    end = len(normalise(heard).split())
    places = [at for at in range(len(words)) if words[at : at + len(begin)] == begin]
    return min((at - end for at in places), key=abs, default=None)


def edges_kept(texts: Sequence[str], transcript: str) -> list[tuple[bool, bool]]:
    """Whether each text's first and last word are in their place in `transcript`."""
    said = [normalise(text).split() for text in texts]
    joined = " ".join(word for words in said for word in words)
    found = normalise(transcript)
    if not found or not joined:
        return [(False, False) for _ in said]
    right: set[int] = set()
    for chunk in jiwer.process_words(joined, found).alignments[0]:
        if chunk.type == "equal":
            right.update(range(chunk.ref_start_idx, chunk.ref_end_idx))
    edges, at = [], 0
    for words in said:
        edges.append((at in right, at + len(words) - 1 in right))
        at += len(words)
    return edges


def clipped(asked: Sequence[Asked]) -> tuple[int, int, int]:
    """First or last words that are wrong, of them those that are right when heard alone, of all."""
    wrong = lost = total = 0
    for one in asked:
        together = edges_kept(one.texts, " ".join(one.transcripts))
        for kept, text, alone in zip(together, one.texts, one.alone, strict=True):
            for here, there in zip(kept, edges_kept([text], alone)[0], strict=True):
                total += 1
                wrong += not here
                lost += there and not here
    return wrong, lost, total


def precision_recall(probes: Sequence[Probe]) -> tuple[float | None, float | None]:
    """Of the replies that were ended, the share that should be; of those that should, that were."""
    ended = [probe for probe in probes if probe.ended]
    meant = [probe for probe in probes if probe.kind in INTERRUPTING]
    right = sum(probe.ended for probe in meant)
    return (right / len(ended) if ended else None, right / len(meant) if meant else None)


def prefix_errors(probes: Sequence[Probe]) -> tuple[list[int], list[int]]:
    """Words by which what the conversation kept differs from what was played: by the position of
    the loudspeaker, and by what the recogniser understands of the played sound.
    """
    stopped = [probe for probe in probes if probe.ended and probe.kept is not None]
    position = [
        word_errors(str(probe.kept), probe.by_position)
        for probe in stopped
        if probe.by_position is not None
    ]
    recognised = [
        word_errors(str(probe.kept), prefix_spoken(probe.played, probe.full))
        for probe in stopped
        if probe.played is not None and probe.full is not None
    ]
    return position, recognised


def counted(exposition: str) -> dict[str, float]:
    """What the server has counted, from the text of `/metrics`: the series that tell of waste."""
    names = {
        "vivavoce_turns_total": "turns",
        "vivavoce_revisions_abandoned_total": "abandoned",
        "vivavoce_wasted_reply_characters_total": "wasted_chars",
        "vivavoce_wasted_speech_seconds_total": "wasted_seconds",
    }
    found = dict.fromkeys(names.values(), 0.0)
    for line in exposition.splitlines():
        name, _, value = line.partition(" ")
        if name in names:
            found[names[name]] = float(value)
    return found
