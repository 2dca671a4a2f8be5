"""What was measured, as figures, a table and a plot. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import jiwer
import numpy as np

from bench.peers.service import SPANS, Heard
from bench.speech import normalise

BEGIN, END = "<!-- voice-to-voice: begin -->", "<!-- voice-to-voice: end -->"
"""The markers between which `docs/benchmarks.md` holds the generated part."""

_STAGE_TITLES = {
    "vad": "pause noticed",
    "turn": "turn ended",
    "stt": "transcript",
    "llm_first_token": "first token",
    "llm": "first text to speak",
    "tts": "its speech",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question put to one side."""

    clip: str
    said: str
    """What the clip says."""
    heard: Heard


def figures(answers: Sequence[Asked]) -> dict[str, Any]:
    """Milliseconds and counts of one side.

    `early` are answers that began before the question had ended, `silent` those that never came;
    neither is in the percentiles, which are None where nothing is left. `wer` is the word error
    rate of the transcripts.
    """
    times = [asked.heard.audible for asked in answers]
    told = [time * 1000 for time in times if time is not None and time > 0]
    marks = np.percentile(told, [0, 50, 90, 100]).tolist() if told else [None] * 4
    stages = {
        stage: float(np.median(found))
        for stage in SPANS
        if (found := [a.heard.stages[stage] for a in answers if stage in a.heard.stages])
    }
    texts = [(normalise(a.said), normalise(a.heard.transcript)) for a in answers if a.said]
    return {
        "asked": len(answers),
        "answered": len(told),
        "early": sum(time is not None and time <= 0 for time in times),
        "silent": times.count(None),
        **dict(zip(("min", "p50", "p90", "max"), marks, strict=True)),
        "gap": 1000 * max((asked.heard.gap for asked in answers), default=0.0),
        "stages": stages,
        "wer": float(jiwer.wer(*map(list, zip(*texts, strict=True)))) if texts else None,
    }


def report(
    sides: Mapping[str, Sequence[Asked]],
    described: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything about a run, ready for JSON; the first side is what the others are compared to."""
    rows: list[dict[str, Any]] = []
    for name, answers in sides.items():
        measured = figures(answers)
        base = rows[0]["p50"] if rows else measured["p50"]
        rows.append(
            {
                "name": name,
                **described[name],
                **measured,
                "ratio": measured["p50"] / base if base and measured["p50"] else None,
                "answers": [asdict(asked) for asked in answers],
            }
        )
    return {"settings": dict(settings), "sides": rows}


def tables(run: Mapping[str, Any]) -> str:
    """The run in Markdown: settings, voice to voice, stages, versions."""
    settings, sides = run["settings"], run["sides"]
    lines = [
        f"{settings['machine']}; load average {settings['load_before']} before and "
        f"{settings['load_after']} after the run (the sides themselves are part of the latter). "
        f"{settings['clips']} {settings['kind']} of {settings['seconds']} s, "
        f"{settings['rounds']} rounds, every side in turn for each clip. Threads: "
        f"{settings['llm_threads']} for the language model, {settings['threads']} each for the "
        f"peers' recognition and synthesis. Replies of up to {settings['max_tokens']} tokens, "
        f"temperature {settings['temperature']:g}.",
        "",
        "| voice to voice | p50 ms | p90 ms | min ms | ratio | answered | early | longest gap ms "
        "| words wrong |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for side in sides:
        wrong = "" if side["wer"] is None else f"{side['wer']:.1%}"
        lines.append(
            f"| {side['name']} | {_shown(side['p50'])} | {_shown(side['p90'])} "
            f"| {_shown(side['min'])} | {_shown(side['ratio'], 2)} "
            f"| {side['answered']} of {side['asked']} | {side['early']} "
            f"| {_shown(side['gap'])} | {wrong} |"
        )
    titles = " | ".join(f"{title} ms" for title in _STAGE_TITLES.values())
    lines += ["", f"| stage, median | {titles} |", "|---|" + "--:|" * len(_STAGE_TITLES)]
    for side in sides:
        cells = [
            f"{side['stages'][stage]:.0f}" if stage in side["stages"] else ""
            for stage in _STAGE_TITLES
        ]
        lines.append(f"| {side['name']} | {' | '.join(cells)} |")
    lines += ["", "| side | pipeline | versions |", "|---|---|---|"]
    for side in sides:
        versions = ", ".join(f"{name} {number}" for name, number in side["versions"].items())
        lines.append(f"| {side['name']} | {side['pipeline']} | {versions} |")
    return "\n".join(lines)


def _shown(number: float | None, digits: int = 0) -> str:
    return "–" if number is None else f"{number:.{digits}f}"


def published(page: str, run: Mapping[str, Any]) -> str:
    """`page` with the part between the markers made anew from `run`.

    Raises `ValueError` if the page has not exactly one pair of markers.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs one line {BEGIN} and one line {END}")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables(run)}\n{END}{after}"


def plot(run: Mapping[str, Any]) -> str:
    """The run as an SVG: a bar to the median, a line from the minimum to the 90th percentile."""
    sides = [side for side in run["sides"] if side["answered"]]
    longest = max((side["p90"] for side in sides), default=1000.0)
    step = next((step for step in (100, 250, 500, 1000, 2000) if longest / step <= 8), 5000)
    ticks = range(0, int(longest) + step, step)
    left, right, row, top = 190, 70, 44, 46
    width, height = 760, top + row * len(sides) + 40
    scale = (width - left - right) / ticks[-1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-labelledby="title">',
        '<title id="title">Milliseconds from the last voiced sample to the first audible one: '
        + escape("; ".join(f"{side['name']} {side['p50']:.0f}" for side in sides))
        + "</title>",
        "<style>text{font:14px system-ui,sans-serif;fill:#333}.t{fill:#777;font-size:12px}"
        ".g{stroke:#ddd}.b{fill:#8a94a6}.o{fill:#2f6fde}.w{stroke:#111;stroke-width:2}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.t{fill:#999}.g{stroke:#444}"
        ".w{stroke:#fff}}</style>",
        f'<text x="{left}" y="18">Voice to voice, ms: median (bar), minimum to p90 (line)</text>',
    ]
    for tick in ticks:
        x = left + tick * scale
        parts.append(
            f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 12}" y2="{height - 30}"/>'
            f'<text class="t" x="{x:.1f}" y="{height - 12}" text-anchor="middle">{tick}</text>'
        )
    for number, side in enumerate(sides):
        y = top + row * number
        low, mid, high = (left + side[name] * scale for name in ("min", "p50", "p90"))
        kind = "o" if number == 0 else "b"
        parts.append(
            f'<text x="{left - 10}" y="{y + 17}" text-anchor="end">{escape(side["name"])}</text>'
            f'<rect class="{kind}" x="{left}" y="{y}" width="{mid - left:.1f}" height="24"/>'
            f'<line class="w" x1="{low:.1f}" x2="{high:.1f}" y1="{y + 12}" y2="{y + 12}"/>'
            f'<text x="{max(mid, high) + 8:.1f}" y="{y + 17}">{side["p50"]:.0f}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
