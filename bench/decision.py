"""How soon after speech is worth a decision does it interrupt, and what interrupts by mistake?

    VIVAVOCE_SPEECH_DIR=... python -m bench.decision [--every N] [--only NAME]

The interruptions of `bench.conversation` and more, in eleven languages, recorded and spoken by
Kokoro, are said over an English reply to the real session in sample time (`bench.weighed`). Speech
is *decision-worthy* at the end of the shortest beginning of the clip, in steps of 50 ms, that the
recogniser, not knowing the language, understands with certainty enough to interrupt: a command to
stop, or two words, by the rules of `voice.overlap`. It must still do so 50 ms later: of a tenth of
a second the recogniser makes a word by chance. Prints for each when that is, when the reply
was ended, and for each language the share that was ended within 300 ms of it; one that never ended
a reply is late. Then backchannels, hums and noises are heard in the same way: those that end the
reply do so by mistake, and for good if nothing more of it is said.

The session's clock stands still while the recogniser works: its time comes on top.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soxr

from bench.conversing.cues import Cue, Speaker, prepare_cues
from bench.conversing.languages import language_of, recorded, spoken
from bench.echo import BEGINS, REPLIES, load_models
from bench.rooms import mixed, noise
from bench.serving import ROOT
from bench.speech import corpus_folder, read_manifest
from bench.weighed import Models, Outcome, listen
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm
from voice.engines import EngineOptions, Vad, load_engine
from voice.engines.languages import Languages
from voice.overlap import Overlap, weigh
from voice.settings import Settings, read_settings

STEP = HEARD_RATE // 20
IN_TIME = 0.3
AT = 2 * HEARD_RATE
"""The sample of the reply at which the words begin."""
LONG = 6 * HEARD_RATE
"""So much later it is known whether a reply that was ended by mistake goes on."""


@dataclass(slots=True)
class Delays:
    """Seconds from where speech was worth a decision to the reply's end; None: it never ended."""

    late: list[float | None] = field(default_factory=list)

    def row(self, name: str) -> str:
        """One line of the table."""
        known = [value for value in self.late if value is not None]
        within = sum(value <= IN_TIME for value in known)
        median = f"{np.median(known):6.2f} s" if known else ""
        share = f"{within / len(self.late):.0%}" if self.late else ""
        never = len(self.late) - len(known)
        return f"{name:12}{len(self.late):5}{within:7}{share:>7}{never:7}{median:>9}"


HEAD = f"{'':12}{'said':>5}{'within':>7}{'':7}{'never':>7}{'median':>9}"


def decision_worthy(models: Models, pcm: Pcm, begin: int) -> float | None:
    """Seconds from sample `begin`, where the words of `pcm` (16 kHz) begin, until they are."""
    anything, since = Languages(), 0
    for end in range(begin + 2 * STEP, len(pcm) + STEP, STEP):
        heard = models.stt.listen(pcm[:end], language=anything, again=False)  # type: ignore[attr-defined]
        over = end >= len(pcm)
        overlap = Overlap(end - begin, over, heard.text, heard.confidence)
        if weigh(overlap, "medium") != "interrupt":
            since = 0
        elif since or over:
            return (min(since or end, len(pcm)) - begin) / HEARD_RATE
        else:
            since = end
    return None


def heard_of(cue: Cue) -> tuple[Pcm, int]:
    """The cue at 16 kHz, and the sample at which it becomes loud."""
    pcm = soxr.resample(cue.pcm, SPOKEN_RATE, HEARD_RATE).astype(np.float32)
    return pcm, cue.begin * HEARD_RATE // SPOKEN_RATE


def say(models: Models, cue: Cue, *, after: int = 2 * HEARD_RATE, whole: bool = False) -> Outcome:
    """What becomes of an English reply over which the cue is said, `after` which it is quiet."""
    voice, text = next(iter(REPLIES.items()))
    pcm, begin = heard_of(cue)
    length = AT + len(pcm) + after
    heard = mixed(length, (AT - begin, pcm)) + noise(length, seed=BEGINS)
    return listen(models, Settings(), text, voice, heard, whole=whole)


def ended_after(outcome: Outcome) -> float | None:
    """Seconds from the beginning of the words to the reply's end."""
    return None if outcome.interrupted is None else (outcome.interrupted - AT) / HEARD_RATE


def interrupt(models: Models, cues: Sequence[tuple[str, Cue]]) -> None:
    """Say the interruptions, each with its language, and print what became of the replies."""
    everything = Delays()
    by_language: dict[str, Delays] = {}
    for language, cue in cues:
        worthy = decision_worthy(models, *heard_of(cue))
        took = ended_after(say(models, cue))
        if worthy is not None or took is not None:
            late = None if took is None else took - worthy if worthy is not None else 0.0
            for delays in (everything, by_language.setdefault(language, Delays())):
                delays.late.append(late)
        shown = [f"{value:.2f} s" if value is not None else "never" for value in (worthy, took)]
        print(
            f"{language:4}{cue.name:44}worth a decision after {shown[0]:8}ended after {shown[1]}",
            flush=True,
        )
    print(HEAD)
    for name, delays in (*sorted(by_language.items()), ("all", everything)):
        print(delays.row(name))


def let_pass(models: Models, cues: Sequence[Cue]) -> None:
    """Make the sounds that are no interruptions, and print which of them ended the reply."""
    mistakes = lost = 0
    for cue in cues:
        outcome = say(models, cue, after=LONG, whole=True)
        took = ended_after(outcome)
        if took is None:
            continue
        goes_on = outcome.resumed is not None and not outcome.messages
        mistakes += 1
        lost += not goes_on
        then = "then it went on" if goes_on else f"for good ({'; '.join(outcome.messages)})"
        understood = "; ".join(text for _, text in outcome.looks)
        print(f"{cue.name:48}ended the reply after {took:.2f} s, {then}: {understood}", flush=True)
    told = f"{mistakes} of {len(cues)} ended the reply, {lost} for good"
    print(f"backchannels, hums and noises: {told}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--every", type=int, default=1, help="every Nth sound only")
    parser.add_argument("--only", default="", help="sounds whose name contains this only")
    chosen = parser.parse_args()
    folder = corpus_folder()
    if folder is None:
        parser.error("VIVAVOCE_SPEECH_DIR is not set")
    weights = read_settings().weights.resolve()
    vad: Vad = load_engine("vad", "silero", EngineOptions(weights, "cpu", threads=1))
    said, sounds = all_cues(weights, folder)
    said = [one for one in said if chosen.only in one[1].name][:: chosen.every]
    sounds = [one for one in sounds if chosen.only in one.name][:: chosen.every]
    models = load_models(weights, vad)
    interrupt(models, said)
    let_pass(models, sounds)


def all_cues(weights: Path, folder: Path) -> tuple[list[tuple[str, Cue]], list[Cue]]:
    """The interruptions, each with its language, and what is none."""
    kept = ROOT / "data" / "bench" / "cues"
    clips = {clip.name: clip for clip in read_manifest(folder)}
    cues = prepare_cues(weights, kept, quick=False)
    speaker = Speaker(weights, kept)
    said = [(language_of(cue, clips), cue) for cue in cues.interruptions]
    said += [*recorded(clips), *spoken(speaker, "interruption")]
    others = [cue for _, cue in spoken(speaker, "backchannel")]
    return said, [*cues.backchannels, *cues.noises, *others]


if __name__ == "__main__":
    main()
