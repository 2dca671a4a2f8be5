"""First and last syllables: words through ears and transcripts, against the clip heard as a whole.

    VIVAVOCE_SPEECH_DIR=... python -m bench.edges [--prefix-ms N] [--every N]

Each clip lies between two seconds of faint noise. The VAD says where speech begins and ends; what
is transcribed begins `vad.prefix_ms` before that. Words that the whole clip's transcript begins or
ends with, and this one does not, were clipped. The corpus's recordings are cut close: those whose
sound begins within the first 50 ms have lost their own onset before.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from bench.speech import corpus_folder, normalise, read_manifest
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm, int16_from_pcm
from voice.ears import Ears
from voice.engines import EngineOptions, Stt, Tts, Vad, joined, load_engine
from voice.events import Rev, SpeechPaused, SpeechStarted
from voice.memory import Memory
from voice.sections import VadSettings
from voice.transcripts import Transcripts

WORDS = (
    "Hello.",
    "The fourth of February.",
    "Six.",
    "Yes.",
    "Turn it off.",
    "Half past seven.",
    "For Philip, please.",
    "What is the cost of the fish?",
)
"""Words that begin or end softly."""

VOICES = ("af_heart", "am_michael", "bf_emma")
SILENCE = 2 * HEARD_RATE


@dataclass(frozen=True, slots=True)
class Heard:
    """A clip's transcript as a whole, and as the session hears it."""

    whole: list[str]
    live: list[str]

    @property
    def first_lost(self) -> bool:
        """Whether it begins otherwise."""
        return self.whole[:1] != self.live[:1]

    @property
    def last_lost(self) -> bool:
        """Whether it ends otherwise."""
        return self.whole[-1:] != self.live[-1:]


async def hear(stt: Stt, vad: Vad, pcm: Pcm, settings: VadSettings) -> Heard:
    """Hear one English clip both ways."""
    hiss = np.random.default_rng(0).normal(0, 3e-4, 2 * SILENCE + len(pcm)).astype(np.float32)
    hiss[SILENCE : SILENCE + len(pcm)] += pcm
    ears = Ears(vad, settings, capacity=len(hiss) + HEARD_RATE)
    wire = int16_from_pcm(soxr.resample(hiss, HEARD_RATE, SPOKEN_RATE).astype(np.float32))
    events = [*ears.hear(wire), *ears.flush()]
    starts = [event.at for event in events if isinstance(event, SpeechStarted)]
    ends = [event.at for event in events if isinstance(event, SpeechPaused)]
    live = ""
    if starts and ends:
        memory = Memory(items=10, text_chars=10_000)
        transcripts = Transcripts(stt, ears.tape, memory, lambda event: None)
        transcripts.language = "en"
        begin = max(0, starts[0] - settings.prefix_ms * HEARD_RATE // 1000)
        heard = await transcripts.transcribe(Rev(1, 1), begin, ends[-1], lambda: True)
        live = heard.text if heard else ""
    whole = (await stt.transcribe(hiss[SILENCE // 2 : -SILENCE // 2], language="en")).text
    return Heard(normalise(whole).split(), normalise(live).split())


async def speak(tts: Tts, text: str, voice: str) -> Pcm:
    """`text` said by the synthesiser, 16 kHz."""
    said = joined([piece async for piece in tts.stream(text, voice=voice)])
    pcm: Pcm = soxr.resample(said.pcm, SPOKEN_RATE, HEARD_RATE)
    return pcm


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", type=Path, default=Path("data/models"))
    parser.add_argument("--model", default="")
    parser.add_argument("--every", type=int, default=1, help="every Nth recorded clip only")
    parser.add_argument("--prefix-ms", type=int, default=VadSettings().prefix_ms)
    asked = parser.parse_args()
    options = EngineOptions(asked.weights, "cpu", 1, asked.model)
    stt, vad = (
        load_engine(*named, options) for named in (("stt", "faster-whisper"), ("vad", "silero"))
    )
    tts = load_engine("tts", "kokoro", EngineOptions(asked.weights, "cpu", 1))
    said = [
        (f"{voice}: {text}", await speak(tts, text, voice)) for text in WORDS for voice in VOICES
    ]
    folder = corpus_folder()
    recorded = [
        (clip.name, clip.read())
        for clip in (read_manifest(folder) if folder else [])
        if clip.language == "en" and clip.kind in ("sentence", "command", "order")
    ][:: asked.every]
    settings = VadSettings(prefix_ms=asked.prefix_ms)
    for kind, clips in (("synthesised", said), ("recorded", recorded)):
        found = [(name, await hear(stt, vad, pcm, settings)) for name, pcm in clips]
        first = sum(heard.first_lost for _, heard in found)
        last = sum(heard.last_lost for _, heard in found)
        print(f"{kind}: {len(found)} clips, first word differs in {first}, last in {last}")
        for name, heard in found:
            if heard.first_lost or heard.last_lost:
                print(f"  {name}: {' '.join(heard.whole)!r} live {' '.join(heard.live)!r}")


if __name__ == "__main__":
    asyncio.run(main())
