"""Speech recognition on recorded speech: word errors and time, our short window against 30 s.

    VIVAVOCE_SPEECH_DIR=... python -m bench.stt [--clips N] [--threads N] [--skip-library]

Each clip goes through all ways in turn, so that whatever else the machine does hits all of them.
`short` is what the engine does; `30 s` the same decoder over Whisper's own window; `library` is
`faster_whisper.WhisperModel.transcribe` with its defaults (beam 5) and with beam 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jiwer
import numpy as np
from faster_whisper import WhisperModel

from bench.speech import Clip, corpus_folder, normalise, read_manifest, slots_found
from voice.audio import HEARD_RATE, Pcm
from voice.engines import EngineOptions
from voice.engines.faster_whisper import FasterWhisper, load

Way = Callable[[Pcm, str | None], tuple[str, bool]]
"""Audio and its language to the text, and whether the 30 s fallback made it."""


@dataclass
class Score:
    """What one way of transcribing made of the corpus."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    slots: int = 0
    fallbacks: int = 0
    closed: int = 0

    def add(self, clip: Clip, pcm: Pcm, way: Way) -> None:
        """Transcribe one clip and count."""
        cpu, wall = time.process_time(), time.perf_counter()
        text, fallback = way(pcm, clip.language)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        self.slots += slots_found(clip, text)
        self.fallbacks += fallback
        self.closed += text.rstrip().endswith((".", "?", "!"))
        if clip.text is not None:
            self.said.append(normalise(clip.text))
            self.heard.append(normalise(text))


def ways(options: EngineOptions, *, library: bool) -> dict[str, Way]:
    """The ways to compare, by name."""
    engine = load(options)

    def ours(full: bool) -> Way:
        def transcribe(pcm: Pcm, language: str | None) -> tuple[str, bool]:
            transcript = engine.listen(pcm, language=language, full=full)
            return transcript.text, transcript.full_context

        return transcribe

    found = {"short": ours(False), "30 s": ours(True)}
    if library:
        kind = {"cpu": "int8", "cuda": "float16"}[engine.device]
        model = WhisperModel(
            str(options.weights / (options.model or "whisper-base")),
            device=engine.device,
            compute_type=kind,
            cpu_threads=options.threads,
        )

        def theirs(beam: int) -> Way:
            def transcribe(pcm: Pcm, language: str | None) -> tuple[str, bool]:
                segments, _ = model.transcribe(pcm, language=language, beam_size=beam)
                return "".join(segment.text for segment in segments), False

            return transcribe

        found |= {"library, beam 1": theirs(1), "library, beam 5": theirs(5)}
    return found


def print_scores(scores: dict[str, Score], slots: int) -> None:
    """One row a way; the last column is the mean of the clips' time ratios to `30 s`."""
    print(
        f"{'':16} {'WER':>6} {'slots':>9} {'ends .?!':>8} {'again':>5} "
        f"{'median':>7} {'p90':>6} {'max':>6} {'CPU med':>7} {'x 30 s':>6} {'CPU x':>6}"
    )
    base = scores["30 s"]
    for name, score in scores.items():
        errors = jiwer.wer(score.said, score.heard) if score.said else float("nan")
        wall, cpu = np.array(score.wall), np.array(score.cpu)
        print(
            f"{name:16} {errors:6.2%} {score.slots:4}/{slots:4} {score.closed:8} "
            f"{score.fallbacks if name == 'short' else '':>5} "
            f"{np.median(wall):6.2f}s {np.quantile(wall, 0.9):5.2f}s {wall.max():5.2f}s "
            f"{np.median(cpu):6.2f}s {np.median(wall / base.wall):6.2f} "
            f"{np.median(cpu / base.cpu):6.2f}"
        )


def print_noise(engine: FasterWhisper, clips: list[Clip]) -> None:
    """What is heard in recordings without speech, cut into pieces of 3 s."""
    print("\nnoise in pieces of 3 s, language not given: pieces in which words were heard")
    for clip in clips:
        pcm = clip.read()
        pieces = [pcm[at : at + 3 * HEARD_RATE] for at in range(0, len(pcm), 3 * HEARD_RATE)][:10]
        heard = [engine.listen(piece) for piece in pieces]
        words = [transcript.text for transcript in heard if transcript.text]
        again = sum(transcript.full_context for transcript in heard)
        print(f"{clip.name:16} {len(words)} of {len(pieces)} ({again} asked again at 30 s) {words}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", type=Path, default=Path("data/models"))
    parser.add_argument("--model", default="")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clips", type=int, default=0, help="only the first N clips of each kind")
    parser.add_argument("--skip-library", action="store_true")
    asked = parser.parse_args()
    folder = corpus_folder()
    if folder is None:
        sys.exit("set VIVAVOCE_SPEECH_DIR to the folder of the speech corpus")
    options = EngineOptions(asked.weights, asked.device, asked.threads, asked.model)
    manifest = read_manifest(folder)
    kinds = {kind: [clip for clip in manifest if clip.kind == kind] for kind in _SPOKEN}
    clips = [clip for some in kinds.values() for clip in some[: asked.clips or None]]

    compared = ways(options, library=not asked.skip_library)
    scores = {name: Score() for name in compared}
    for clip in clips:
        pcm = clip.read()
        for name, way in compared.items():
            scores[name].add(clip, pcm, way)
    print(f"{len(clips)} clips, {asked.threads} threads, {options.model or 'whisper-base'}")
    print_scores(scores, sum(len(clip.slots) for clip in clips))
    print_noise(load(options), [clip for clip in manifest if clip.kind == "noise"])


_SPOKEN = ("sentence", "command", "order")

if __name__ == "__main__":
    main()
