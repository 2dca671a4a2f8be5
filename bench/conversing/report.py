"""What a run of `bench.conversation` prints. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.conversing.scoring import (
    INTERRUPTING,
    Found,
    Probe,
    clipped,
    precision_recall,
    prefix_errors,
    prefix_spoken,
    word_errors,
)

SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "hears itself": ("echo",),
    "mm-hm over a reply": ("backchannels",),
    "talked over": ("interruptions", "draining", "plain"),
    "cut off in mid-sentence": ("pauses",),
    "words nobody heard": ("interruptions", "draining", "plain", "typed"),
    "plays on after an interruption": ("interruptions", "draining", "plain", "typed"),
    "silence and noise": ("phantoms",),
    "first and last words": ("clipped",),
    "push-to-talk is sacred": ("push_to_talk",),
    "typed over speech": ("typed",),
    "read aloud as written": ("reading",),
    "silence while a tool runs": ("tools",),
}
"""What users of such systems complain of -> the groups that show it."""


def scenarios(found: Found) -> list[str]:
    """Whether each scenario that was played passed, and what did not."""
    lines = []
    for name, groups in SCENARIOS.items():
        if not set(groups) & set(found.metrics):
            continue
        failed = failures(found, name)
        told = f"FAILED: {', '.join(failed)}" if failed else "passed"
        lines.append(f"{name:<34}{told}")
    return lines


def failures(found: Found, scenario: str) -> list[str]:
    """What of a scenario is not as it must be."""
    groups = SCENARIOS[scenario]
    probes = [probe for probe in found.probes if probe.group in groups]
    meant = [probe for probe in probes if probe.kind in INTERRUPTING]
    match scenario:
        case "hears itself":
            failed = [f"{found.echo_ends} replies ended"] if found.echo_ends else []
            failed += [f"{probe.name} did not end it" for probe in meant if not probe.ended]
        case "mm-hm over a reply":
            failed = [p.name for p in probes if p.ended and not p.resumed]
        case "talked over":
            failed = [probe.name for probe in meant if not probe.ended]
        case "words nobody heard":
            failed = [f"{words} words" for words in prefix_errors(probes)[0] if words]
        case "plays on after an interruption":
            failed = [f"{probe.words_after} words later" for probe in probes if probe.words_after]
        case "silence and noise":
            failed = [f"{text!r} of {name}" for text, name in found.phantoms if text.strip()]
        case "first and last words":
            asked = [one for one in found.asked if one.group in groups]
            lost = clipped(asked)[1]
            failed = [f"{lost} clipped"] if lost else []
        case _:
            failed = []
    failed += [c.name for c in found.checks if c.group in groups and not c.passed]
    return [*failed, *(error for error in found.errors if error.startswith(groups))]


def tables(found: Found) -> str:
    """A table for each group that was played, and the summary."""
    groups = list(dict.fromkeys([*found.metrics, *(probe.group for probe in found.probes)]))
    parts = [part for group in groups if (part := _group(found, group))]
    told = "== scenarios\n" + "\n".join(scenarios(found))
    return "\n\n".join([*parts, told, "== summary\n" + "\n".join(summary(found))])


def summary(found: Found) -> list[str]:
    """The figures that matter, a line each; only those for which something was played."""
    lines: list[str] = []
    for name, probes in (
        ("our client", [p for p in found.probes if p.group not in ("plain", "typed", "echo")]),
        ("OpenAI's client", [p for p in found.probes if p.group == "plain"]),
        ("through echo", [p for p in found.probes if p.group == "echo"]),
    ):
        lines += _interrupting(name, probes)
    if found.echo_seconds:
        lines.append(
            f"self-interruptions by echo: {found.echo_ends} in {found.echo_seconds:.0f} s of reply"
        )
    if found.noise_seconds:
        told = "".join(f"; {text!r} of {name}" for text, name in found.phantoms)
        lines.append(
            f"phantom messages: {len(found.phantoms)} in {found.noise_seconds:.0f} s of noise{told}"
        )
    if found.asked:
        wrong, lost, total = clipped(found.asked)
        lines.append(
            f"first and last words: {wrong} of {total} wrong, {lost} of them right when heard alone"
        )
    position, recognised = prefix_errors(found.probes)
    lines += _words("heard prefix by the loudspeaker's position", position)
    lines += _words("heard prefix by recognition of what was played", recognised)
    after = [p.words_after for p in found.probes if p.words_after is not None]
    lines += _words("words generated after the end of playback", after)
    turns = sum(counts["turns"] for counts in found.metrics.values())
    if turns:
        chars = sum(counts["wasted_chars"] for counts in found.metrics.values())
        speech = sum(counts["wasted_seconds"] for counts in found.metrics.values())
        lines.append(
            f"prepared for nothing, a turn: {chars / turns:.0f} characters, "
            f"{speech / turns:.1f} s of speech ({turns:.0f} turns)"
        )
    failed = [f"{check.group}: {check.name}" for check in found.checks if not check.passed]
    if found.checks:
        lines.append(f"checks failed: {len(failed)} of {len(found.checks)}")
        lines += [f"  {name}" for name in failed]
    lines.append(
        f"the virtual room's clock was at most {found.late * 1000:.0f} ms late, "
        f"its loudspeaker ran dry {found.underruns} times"
    )
    lines += [f"error: {error}" for error in found.errors]
    return lines


def _interrupting(name: str, probes: Sequence[Probe]) -> list[str]:
    if not probes:
        return []
    precision, recall = precision_recall(probes)
    stops = [p.stop_ms for p in probes if p.kind in INTERRUPTING and p.stop_ms is not None]
    wrong = [p for p in probes if p.ended and p.kind not in INTERRUPTING]
    back = sum(p.resumed for p in probes if p.kind in INTERRUPTING)
    others = sum(p.kind not in INTERRUPTING for p in probes)
    took = ""
    if stops:
        median, late = np.percentile(stops, [50, 90])
        took = f"; playback stopped after {median:.0f} ms (median), {late:.0f} ms (p90)"
    line = (
        f"interruptions, {name}: precision {_share(precision)}, recall {_share(recall)} "
        f"({len(probes) - others} meant, {others} not){took}"
    )
    if back:
        line += f"\n  meant, and the reply was taken up again: {back}"
    if not wrong:
        return [line]
    silence = [p.silence_ms for p in wrong if p.silence_ms is not None]
    median = f", {np.median(silence):.0f} ms of silence (median)" if silence else ""
    taken_up = sum(p.resumed for p in wrong)
    dead = sum(p.silence_ms is None for p in wrong)
    told = f"{len(wrong)}, taken up again: {taken_up}{median}, still silent after 4 s: {dead}"
    return [line, f"  ended by mistake: {told}"]


def _words(name: str, errors: Sequence[int]) -> list[str]:
    if not errors:
        return []
    mean, worst = float(np.mean(errors)), max(errors)
    right = sum(not error for error in errors)
    return [f"{name}: {mean:.2f} words (mean), at most {worst}; none in {right} of {len(errors)}"]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _group(found: Found, group: str) -> str:
    lines = [f"== {group}"]
    probes = [probe for probe in found.probes if probe.group == group]
    if probes:
        lines.append(
            f"{'':<34}{'':<13}{'ended':>6}{'told ms':>9}{'stop ms':>9}{'soft ms':>9}{'silence':>9}"
            f"{'goes on':>8}{'pos':>5}{'stt':>5}  understood"
        )
    lines += [_row(probe) for probe in probes]
    for check in found.checks:
        if check.group == group:
            lines.append(f"{check.name:<60}{'ok' if check.passed else 'FAILED':<8}{check.value}")
    for asked in found.asked:
        if asked.group == group and not probes:  # they say what was understood
            lines.append(f"said       {' | '.join(asked.texts)}")
            lines.append(f"understood {' | '.join(asked.transcripts)}")
            lines.append(f"alone      {' | '.join(asked.alone)}")
    if group == "phantoms":
        lines += [f"{name}: {text!r}" for text, name in found.phantoms]
    counts = found.metrics.get(group)
    if counts:
        lines.append(
            f"{counts['turns']:.0f} turns; abandoned {counts['abandoned']:.0f}: "
            f"{counts['wasted_chars']:.0f} characters, {counts['wasted_seconds']:.1f} s of speech"
        )
    return "\n".join(lines)


def _row(probe: Probe) -> str:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.0f}"

    position = recognised = None
    if probe.kept is not None and probe.by_position is not None:
        position = word_errors(probe.kept, probe.by_position)
    if probe.kept is not None and probe.played is not None and probe.full is not None:
        recognised = word_errors(probe.kept, prefix_spoken(probe.played, probe.full))
    again = f"{probe.resumed_by:+d}" if probe.resumed else ("no" if probe.silence_ms else "")
    return (
        f"{probe.name[:33]:<34}{probe.kind:<13}{'yes' if probe.ended else 'no':>6}"
        f"{number(probe.noticed_ms):>9}{number(probe.stop_ms):>9}{number(probe.ducked_ms):>9}{number(probe.silence_ms):>9}"
        f"{again:>8}{number(position):>5}{number(recognised):>5}  {probe.transcript or ''}"
    )
