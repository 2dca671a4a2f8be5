"""When to take the floor: false cut-offs in pauses against the wait after real ends.

    VIVAVOCE_SPEECH_DIR=... python -m bench.turns [--half report] [--cache FILE] [--json FILE]
                                                  [--plot docs/images/turns.svg]

Each policy hears the same pauses (`bench.pauses`): inside recorded utterances, where it must not
take the floor, and after them, where it should soon. A pause is cut if the turn is committed in
it; the delay is from the last voiced sample to the commit. Ours runs `voice.dialog` itself on the
sample clock, given what the models said, as late as they would have said it. The clips are split
in two by a hash of their names: figures come from the half `report`, constants from `tune`.

What the models say is kept in the `--cache`; delete it when a model or the corpus has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from bench.pauses import AFTER, FRAME, Pause, observed
from bench.plot import Line, plot
from bench.report import machine
from bench.speech import corpus_folder, normalise, read_manifest
from voice import events as ev
from voice.audio import HEARD_RATE
from voice.dialog import Dialog
from voice.endpointing import CURVES, Curve, Eagerness
from voice.sections import VadSettings
from voice.turn import Policy

SCORED = HEARD_RATE * 32 // 1000
"""Samples from the question to the turn detector's answer: it takes 14 to 24 ms, a frame passes."""

TRANSCRIBED = HEARD_RATE // 5
"""... and to the transcript, which takes 0.15 to 0.2 s for a few seconds of speech on two cores."""

Commit = Callable[[Pause], float]
"""When a policy would take the floor if a pause went on: seconds from the last voiced sample."""


# --- policies


def plain(silence: float) -> Commit:
    """A fixed silence."""
    return lambda pause: silence


def smart_turn(sure: float = 0.2, unsure: float = 3.2) -> Commit:
    """Smart Turn asked once, 0.2 s into the pause; above 0.5 the turn ends after `sure` seconds.

    The defaults are pipecat's 1.14: `VAD_STOP_SECS` 0.2, then the analyzer's `STOP_SECS` 3 of
    further silence. That it then waits for a transcript too is left aside, in its favour.
    """
    asked = 6 * FRAME / HEARD_RATE

    def commit(pause: Pause) -> float:
        return sure if pause.score(asked) > 0.5 else unsure

    return commit


def ours(eagerness: Eagerness, curve: Curve | None = None) -> Commit:
    """`voice.dialog` with `semantic_vad`, `curve` in the place of the eagerness's own."""

    def commit(pause: Pause) -> float:
        with patch.dict(CURVES, {eagerness: curve or CURVES[eagerness]}):
            return _converse(pause, eagerness)

    return commit


def _converse(pause: Pause, eagerness: Eagerness) -> float:
    """Play one pause to a dialog; seconds until it commits the turn."""
    dialog = Dialog(Policy(eagerness=eagerness, speculation="stt"))
    edge = int(pause.at * HEARD_RATE)
    noticed = edge + VadSettings().pause_ms * HEARD_RATE // 1000
    dialog.feed(ev.SpeechStarted(0))
    dialog.feed(ev.Elapsed(noticed - FRAME))
    actions = dialog.feed(ev.SpeechPaused(edge))
    answers: list[tuple[int, ev.Event]] = []
    for now in range(noticed, edge + AFTER, FRAME):
        for event in [event for due, event in answers if due <= now]:
            actions += dialog.feed(event)
        answers = [(due, event) for due, event in answers if due > now]
        actions += dialog.feed(ev.Elapsed(now))
        for action in actions:
            match action:
                case ev.Commit():
                    return (now - edge) / HEARD_RATE
                case ev.Transcribe(rev):
                    answers.append((now + TRANSCRIBED, ev.Transcribed(rev, pause.transcript)))
                case ev.Score(rev, _, end):
                    heard = pause.score((end - edge) / HEARD_RATE)
                    answers.append((now + SCORED, ev.Scored(rev, heard)))
                case _:
                    pass
        actions = []
    return AFTER / HEARD_RATE


# --- measures


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy does: shares of pauses and utterances cut, seconds of delay after ends."""

    natural: float
    inserted: float
    utterances: float
    median: float
    mean: float
    p90: float


def measure(commit: Commit, pauses: Sequence[Pause]) -> Result:
    """Play all pauses to a policy.

    Utterances are the clips as they are and, once for each pause put in, with that pause.
    """
    cut = {
        kind: [commit(p) < p.lasted for p in of(pauses, kind)] for kind in ("natural", "inserted")
    }
    delays = [commit(pause) for pause in of(pauses, "end")]
    hurt = {p.clip for p, bad in zip(of(pauses, "natural"), cut["natural"], strict=True) if bad}
    whole = [pause.clip in hurt for pause in of(pauses, "end")]
    longer = [
        bad or pause.clip in hurt
        for pause, bad in zip(of(pauses, "inserted"), cut["inserted"], strict=True)
    ]
    return Result(
        float(np.mean(cut["natural"])),
        float(np.mean(cut["inserted"])),
        float(np.mean(whole + longer)),
        float(np.median(delays)),
        float(np.mean(delays)),
        float(np.quantile(delays, 0.9)),
    )


def of(pauses: Sequence[Pause], kind: str) -> list[Pause]:
    """Those of one kind."""
    return [pause for pause in pauses if pause.kind == kind]


def counted(pauses: Sequence[Pause]) -> list[Pause]:
    """The pauses that mean what their kind says.

    A clip in which no words or no end was found does not count. Nor does a pause after which no
    word came, only a noise: its transcript is that of the whole clip.
    """
    ends = {pause.clip: _bare(pause) for pause in of(pauses, "end")}
    return [
        pause
        for pause in pauses
        if ends.get(pause.clip) and (pause.kind == "end" or _bare(pause) != ends[pause.clip])
    ]


def _bare(pause: Pause) -> str:
    return normalise(pause.transcript)


def half_of(clip: str) -> str:
    """Which half a clip belongs to: by its name's hash, so that it never changes."""
    return "tune" if hashlib.sha256(clip.encode()).digest()[0] % 2 else "report"


# --- what is printed


SWEEP = (0.6, 0.8, 1.0, 1.25, 1.5, 2.0)


def rows(pauses: Sequence[Pause]) -> dict[str, Result]:
    """All policies, by name; sweeps are named `family value`."""
    named: dict[str, Commit] = {}
    for silence in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5):
        named[f"plain VAD {silence:.1f} s"] = plain(silence)
    named["Smart Turn, default"] = smart_turn()
    for sure in (0.3, 0.4, 0.5, 0.6, 0.8, 1.0):
        named[f"Smart Turn {sure:.1f} s"] = smart_turn(sure)
    for factor in SWEEP:
        curve = Curve(CURVES["auto"].sure * factor, CURVES["auto"].unsure * factor)
        named[f"ours x {factor:g}"] = ours("auto", curve)
    for eagerness in ("high", "medium", "low"):
        named[f"ours, {eagerness}"] = ours(eagerness)
    return {name: measure(commit, pauses) for name, commit in named.items()}


def show(results: Mapping[str, Result]) -> str:
    """One line a policy."""
    lines = [
        f"{'':22}{'pauses cut':>12}{'':>10}{'utterances':>12}{'delay':>9}",
        f"{'':22}{'natural':>12}{'put in':>10}{'cut':>12}{'median':>9}{'mean':>8}{'p90':>8}",
    ]
    lines += [
        f"{name:22}{r.natural:12.1%}{r.inserted:10.1%}{r.utterances:12.1%}"
        f"{r.median:8.2f}s{r.mean:7.2f}s{r.p90:7.2f}s"
        for name, r in results.items()
    ]
    return "\n".join(lines)


def compare(pauses: Sequence[Pause]) -> dict[str, dict[str, float]]:
    """Utterances cut by each eagerness, and by the others where they have its median delay."""
    found = {}
    for eagerness in ("high", "medium", "low"):
        mine = measure(ours(eagerness), pauses)
        found[eagerness] = {
            "median": mine.median,
            "ours": mine.utterances,
            "plain VAD": measure(plain(mine.median), pauses).utterances,
            "Smart Turn": measure(smart_turn(mine.median), pauses).utterances,
        }
    return found


def chart(results: Mapping[str, Result]) -> str:
    """Utterances cut against the median delay, as SVG."""

    def points(family: str) -> list[tuple[float, float]]:
        chosen = [result for name, result in results.items() if name.startswith(family)]
        return [(result.median, result.utterances * 100) for result in chosen]

    names = ("high", "medium", "low")
    eager = [(results[f"ours, {n}"].median, results[f"ours, {n}"].utterances * 100) for n in names]
    lines = [
        Line("plain VAD", "#888888", points("plain VAD")),
        Line("Smart Turn asked at 0.2 s", "#c2410c", points("Smart Turn")),
        Line("ours, scaled", "#1d4ed8", points("ours x")),
        Line("ours, by eagerness", "#1d4ed8", eager, names),
    ]
    delay = "median delay after real ends, seconds"
    return plot(lines, x=delay, y="utterances cut, %", right=1.5, top=100)


def main() -> None:
    """Listen if need be, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--half", choices=("report", "tune"), default="report")
    parser.add_argument("--cache", type=Path, default=Path("data/turns.jsonl"))
    parser.add_argument("--weights", type=Path, default=Path("data/models"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="write the curves here, as SVG")
    asked = parser.parse_args()
    folder = corpus_folder()
    if folder is None:
        sys.exit("set VIVAVOCE_SPEECH_DIR to the folder of the speech corpus")
    clips = [
        clip
        for clip in read_manifest(folder)
        if clip.kind in ("sentence", "command", "order") and half_of(clip.name) == asked.half
    ]
    pauses = counted(observed(clips, asked.cache, asked.weights, asked.threads))
    results = rows(pauses)
    kinds = ", ".join(f"{len(of(pauses, k))} {k}" for k in ("end", "natural", "inserted"))
    print(f"half {asked.half}: {len(clips)} clips; pauses: {kinds}")
    print(show(results))
    print("\nutterances cut at the same median delay")
    equal = compare(pauses)
    for name, found in equal.items():
        print(f"{name:8}" + "".join(f"  {k} {v:.3f}" for k, v in found.items()))
    if asked.json:
        figures = {name: asdict(result) for name, result in results.items()}
        data = {"machine": machine(), "half": asked.half, "policies": figures, "equal": equal}
        asked.json.write_text(json.dumps(data, indent=1) + "\n")
    if asked.plot:
        asked.plot.write_text(chart(results), encoding="utf-8")


if __name__ == "__main__":
    main()
