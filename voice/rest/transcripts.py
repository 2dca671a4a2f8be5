"""A transcript in the shapes programs ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from voice.engines import Word
from voice.engines.timed import HeardPart

SEGMENT_CHARS = 84
"""Two lines of 42, what subtitles are given at most (Netflix Timed Text Style Guide)."""

SEGMENT_SECONDS = 7.0
"""The longest a subtitle stays (the same)."""

PAUSE_SECONDS = 1.0
"""A pause this long ends a segment."""

ENDINGS = tuple(".!?…。！？।")


@dataclass(frozen=True, slots=True)
class Segment:
    """A line of subtitles: its words, and the part of the recording it is from."""

    words: tuple[Word, ...]
    part: HeardPart

    @property
    def start(self) -> float:
        return self.words[0].start

    @property
    def end(self) -> float:
        return self.words[-1].end

    @property
    def text(self) -> str:
        # The words of a language written without spaces are joined without them.
        gap = " " if " " in self.part.transcript.text else ""
        return gap.join(word.text for word in self.words)


def whole_text(parts: Iterable[HeardPart]) -> str:
    """What was said in all of them."""
    return " ".join(part.transcript.text for part in parts if part.transcript.text)


def segments(parts: Iterable[HeardPart]) -> list[Segment]:
    """Cut at the ends of sentences, at pauses, and where a line would become too long."""
    made: list[Segment] = []
    for part in parts:
        line: list[Word] = []
        for word in part.words:
            if line and _ends(line, word):
                made.append(Segment(tuple(line), part))
                line = []
            line.append(word)
        if line:
            made.append(Segment(tuple(line), part))
    return made


def _ends(line: Sequence[Word], following: Word) -> bool:
    length = sum(len(word.text) + 1 for word in line)
    return (
        line[-1].text.endswith(ENDINGS)
        or following.start - line[-1].end >= PAUSE_SECONDS
        or following.end - line[0].start > SEGMENT_SECONDS
        or length + len(following.text) > SEGMENT_CHARS
    )


def srt(lines: Iterable[Segment]) -> str:
    """SubRip."""
    return "".join(
        f"{number}\n{_clock(line.start, ',')} --> {_clock(line.end, ',')}\n{line.text}\n\n"
        for number, line in enumerate(lines, 1)
    )


def vtt(lines: Iterable[Segment]) -> str:
    """WebVTT (W3C), in which three characters have a meaning of their own."""
    cues = [
        f"{_clock(line.start, '.')} --> {_clock(line.end, '.')}\n{_escaped(line.text)}\n\n"
        for line in lines
    ]
    return "WEBVTT\n\n" + "".join(cues)


def verbose(
    parts: Sequence[HeardPart], *, duration: float, granularities: Iterable[str]
) -> dict[str, Any]:
    """`verbose_json`: OpenAI's `TranscriptionVerbose`."""
    shown: dict[str, Any] = {
        "task": "transcribe",
        "language": next((p.transcript.language for p in parts if p.transcript.language), ""),
        "duration": round(duration, 3),
        "text": whole_text(parts),
        "usage": usage(duration),
    }
    if "segment" in granularities:
        shown["segments"] = [_segment(n, line) for n, line in enumerate(segments(parts))]
    if "word" in granularities:
        shown["words"] = [
            {"word": word.text, "start": round(word.start, 2), "end": round(word.end, 2)}
            for part in parts
            for word in part.words
        ]
    return shown


def usage(duration: float) -> dict[str, Any]:
    """What was heard, in OpenAI's shape for audio that is counted by its length."""
    return {"type": "duration", "seconds": round(duration, 3)}


def _segment(number: int, line: Segment) -> dict[str, Any]:
    """`TranscriptionSegment`. The numbers are those of the part it was heard in; tokens are not
    told.
    """
    heard = line.part.transcript
    return {
        "id": number,
        "seek": round(line.part.start * 100),
        "start": round(line.start, 2),
        "end": round(line.end, 2),
        "text": line.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": heard.confidence,
        "compression_ratio": heard.compression,
        "no_speech_prob": heard.no_speech,
    }


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    minutes, milliseconds = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    second, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{second:02}{point}{milliseconds:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
