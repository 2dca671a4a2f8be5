"""How fast the synthesiser answers, and how well what it says is understood.

    python -m bench.tts                     latency by clause length and threads
    python -m bench.tts --compare-phonemes  word error rate of ways to make English phonemes
    python -m bench.tts --languages         error rates of all languages

Error rates are Whisper's on the synthesised speech, so they hold its own errors too: they tell
which way is better, not how good a voice is.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import faster_whisper
import jiwer
import soxr
from num2words import num2words

from bench.tts_sentences import CLAUSES, ENGLISH, OTHERS
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm
from voice.engines import EngineOptions, joined
from voice.engines.kokoro import KokoroTts, load
from voice.engines.phonemes import espeak, phonemize
from voice.engines.phonemes.mandarin import number_in_characters
from voice.engines.phonemes.vocabulary import known

VOICES = {
    "en-US": ("af_heart", "am_michael"),
    "en-GB": ("bf_emma",),
    "es": ("ef_dora",),
    "fr-FR": ("ff_siwis",),
    "hi": ("hf_alpha",),
    "it": ("if_sara",),
    "ja": ("jf_alpha",),
    "pt-BR": ("pf_dora",),
    "zh": ("zf_xiaobei",),
}
"""The voices each language is measured with."""

_HINDI_DIGITS = {
    ord(digit): word
    for digit, word in zip("123456789", "एक दो तीन चार पाँच छह सात आठ नौ".split(), strict=True)
}

_PROMPTS = {"hi": "नमस्ते, आप कैसे हैं?", "zh": "以下是普通话的句子。"}
"""Tell Whisper which script to write: Devanagari, simplified characters."""

Phonemizer = Callable[[str, str], Sequence[str]]


def comparable(text: str, language: str = "en-US") -> str:
    """`text` in lower case, numbers and amounts as words, without punctuation."""
    text = re.sub(r"(?<=\d),(?=\d)", "", unicodedata.normalize("NFKC", text).lower())
    if language.startswith("en"):
        text = re.sub(r"\$(\d+)", r"\1 dollars", text)
        text = re.sub(r"(\d+)(?:st|nd|rd|th)\b", lambda n: num2words(int(n[1]), to="ordinal"), text)
    text = re.sub(r"\d+", lambda n: _in_words(int(n[0]), language), text).replace("’", "'")
    kept = (sign if sign == "'" or unicodedata.category(sign)[0] in "LMN" else " " for sign in text)
    return ("" if language in ("ja", "zh") else " ").join("".join(kept).split())


def _in_words(number: int, language: str) -> str:
    if language == "zh":
        return number_in_characters(number)
    if language == "hi":
        return str(number).translate(_HINDI_DIGITS)
    return f" {num2words(number, lang=language.replace('-', '_'))} "


def plain_espeak(text: str, language: str) -> Sequence[str]:
    """espeak-ng's IPA as it comes, words run together: what kokoro-onnx gives the model."""
    said = espeak.ipa(text, language).replace("^", "")
    return [known(said)] + [""] * (len(text.split()) - 1)


def error_rate(
    tts: KokoroTts,
    whisper: faster_whisper.WhisperModel,
    sentences: Sequence[str],
    voice: str,
    phonemizer: Phonemizer,
    *,
    show: bool,
) -> tuple[float, float]:
    """Word and character error rate of `sentences` spoken by `voice` and heard by `whisper`."""
    language = tts.voices[voice].language
    said, heard = [], []
    for sentence in sentences:
        spoken = phonemizer(sentence, language)
        speech = joined(list(tts.render(sentence.split(), spoken, voice, 1.0)))
        pcm: Pcm = soxr.resample(speech.pcm, SPOKEN_RATE, HEARD_RATE)
        segments, _ = whisper.transcribe(
            pcm, language=language[:2], beam_size=5, initial_prompt=_PROMPTS.get(language)
        )
        said.append(comparable(sentence, language))
        heard.append(comparable(" ".join(segment.text for segment in segments), language))
        if show and said[-1] != heard[-1]:
            print(f"    {said[-1]}\n    {heard[-1]}\n")
    return jiwer.wer(said, heard), jiwer.cer(said, heard)


def measure_latency(weights: Path, repeats: int) -> None:
    """Print the time to speak clauses of several lengths on one and two threads."""
    print("threads words  audio s  median s   p90 s  x real time")
    for threads in (1, 2):
        tts = load(EngineOptions(weights, device="cpu", threads=threads))
        for clause in CLAUSES:
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                speech = joined(list(tts.speak(clause, "af_heart", 1.0)))
                times.append(time.perf_counter() - start)
            length = len(speech.pcm) / SPOKEN_RATE
            median = statistics.median(times)
            p90 = statistics.quantiles(times, n=10)[-1]
            print(
                f"{threads:7} {len(clause.split()):5} {length:8.2f} {median:9.3f} {p90:7.3f}"
                f" {median / length:11.2f}"
            )
    times = []
    for _ in range(200):
        start = time.perf_counter()
        phonemize(CLAUSES[-1], "en-US")
        times.append(time.perf_counter() - start)
    print(f"phonemes of {len(CLAUSES[-1].split())} words: {statistics.median(times) * 1e3:.2f} ms")


def main() -> None:
    """Run what the arguments ask for."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--weights", type=Path, default=Path("data/models"))
    arguments.add_argument("--repeats", type=int, default=9)
    arguments.add_argument("--compare-phonemes", action="store_true")
    arguments.add_argument("--languages", nargs="*", choices=sorted(OTHERS), help="all if none")
    arguments.add_argument("--show", action="store_true", help="print what was misheard")
    chosen = arguments.parse_args()
    if not chosen.compare_phonemes and chosen.languages is None:
        measure_latency(chosen.weights, chosen.repeats)
        return
    tts = load(EngineOptions(chosen.weights, device="cpu"))
    whisper = faster_whisper.WhisperModel(
        str(chosen.weights / "whisper-base"), device="cpu", compute_type="int8", cpu_threads=2
    )
    ways: dict[str, Phonemizer] = {"ours": phonemize}
    languages = {name: OTHERS[name] for name in chosen.languages or OTHERS}
    if chosen.compare_phonemes:
        ways["plain espeak-ng"] = plain_espeak
        languages = {"en-US": ENGLISH, "en-GB": ENGLISH}
    for language, sentences in languages.items():
        for voice in VOICES[language]:
            for name, way in ways.items():
                wer, cer = error_rate(tts, whisper, sentences, voice, way, show=chosen.show)
                print(
                    f"{language:6} {voice:12} {name:16} WER {wer:6.1%}  CER {cer:6.1%}", flush=True
                )


if __name__ == "__main__":
    main()
