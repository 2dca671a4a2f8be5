"""What every listening engine must do, on real weights: VAD, turn detection, recognition."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
import soxr

from tests.conftest import WEIGHTS, Speak
from voice.audio import HEARD_RATE, Pcm
from voice.engines import EngineOptions, Stt, Transcript, TurnDetector, Vad, load_engine
from voice.errors import ConfigError, VoiceError

pytestmark = pytest.mark.models

PLAIN = jiwer.Compose(
    [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()]
)
SENTENCES = [
    "What is the capital of France?",
    "I would like to book a table for two people tonight.",
    "The train was late again this morning.",
]
NOISE = np.random.default_rng(7)


def hear(path: Path) -> Pcm:
    data, rate = soundfile.read(path, dtype="float32")
    return soxr.resample(data, rate, HEARD_RATE).astype(np.float32)


def silence(seconds: float) -> Pcm:
    return np.zeros(int(seconds * HEARD_RATE), dtype=np.float32)


def noise(seconds: float, level: float = 0.02) -> Pcm:
    return NOISE.normal(0, level, int(seconds * HEARD_RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def vad() -> Vad:
    return load_engine("vad", "silero", EngineOptions(WEIGHTS, "cpu", 1))


@pytest.fixture(scope="module")
def turn() -> TurnDetector:
    return load_engine("turn", "smart-turn", EngineOptions(WEIGHTS, "cpu", 1))


@pytest.fixture(scope="module")
def stt() -> Stt:
    return load_engine("stt", "faster-whisper", EngineOptions(WEIGHTS, "cpu", 2, "whisper-base"))


def probabilities(vad: Vad, pcm: Pcm) -> list[float]:
    stream = vad.open()
    starts = range(0, len(pcm) - vad.frame + 1, vad.frame)
    return [stream.probability(pcm[start : start + vad.frame]) for start in starts]


# --- VAD


def test_speech_is_speech_and_silence_and_noise_are_not(vad: Vad, speak: Speak) -> None:
    said = probabilities(vad, hear(speak(SENTENCES[0])))
    assert max(said) > 0.9
    assert np.mean(np.array(said) > 0.5) > 0.4
    assert max(probabilities(vad, silence(3))) < 0.3
    assert max(probabilities(vad, noise(3))) < 0.5


def test_streams_do_not_influence_each_other(vad: Vad, speak: Speak) -> None:
    pcm = hear(speak(SENTENCES[1]))
    alone = probabilities(vad, pcm)
    one, other = vad.open(), vad.open()
    together = []
    for start in range(0, len(pcm) - vad.frame + 1, vad.frame):
        together.append(one.probability(pcm[start : start + vad.frame]))
        other.probability(noise(0.032, 0.3))
    assert np.allclose(alone, together, atol=1e-5)


def test_samples_that_are_no_numbers_do_not_poison_a_stream(vad: Vad) -> None:
    stream = vad.open()
    bad = np.full(vad.frame, np.nan, dtype=np.float32)
    bad[::2] = np.inf
    assert 0 <= stream.probability(bad) <= 1
    assert 0 <= stream.probability(silence(0.032)) <= 1


# --- turn detection


async def test_a_finished_sentence_is_more_complete_than_a_cut_one(
    turn: TurnDetector, speak: Speak
) -> None:
    whole = hear(speak("Can I have a large coffee, please?", after=0.3))
    cut = hear(speak("Can I have a large,", after=0.0))[: -HEARD_RATE // 10]
    pause = silence(0.2)
    finished = await turn.completion(np.concatenate((whole, pause)))
    unfinished = await turn.completion(np.concatenate((cut, pause)))
    assert 0 <= unfinished < finished <= 1
    assert finished > 0.5


@pytest.mark.parametrize("seconds", [0.0, 0.01, 1.0, 30.0])
async def test_any_length_gets_a_probability(turn: TurnDetector, seconds: float) -> None:
    assert 0 <= await turn.completion(noise(seconds)) <= 1
    assert 0 <= await turn.completion(np.full(1000, np.nan, dtype=np.float32)) <= 1


# --- recognition


@pytest.mark.parametrize("sentence", SENTENCES)
async def test_what_was_said_is_understood(stt: Stt, speak: Speak, sentence: str) -> None:
    heard = await stt.transcribe(hear(speak(sentence)), language="en")
    assert jiwer.wer(PLAIN(sentence), PLAIN(heard.text)) <= 0.15
    assert not heard.full_context
    detected = await stt.transcribe(hear(speak(sentence)))
    assert detected.language == "en"


async def test_a_prefix_is_kept_and_only_the_rest_is_decoded(stt: Stt, speak: Speak) -> None:
    heard = await stt.transcribe(
        hear(speak(SENTENCES[0])), language="en", prefix="What is the capital"
    )
    assert heard.text.startswith("What is the capital")
    assert jiwer.wer(PLAIN(SENTENCES[0]), PLAIN(heard.text)) <= 0.2


@pytest.mark.parametrize(
    "pcm",
    [silence(0), silence(0.05), silence(3), noise(3), noise(3, 0.2)],
    ids=["nothing", "a click", "silence", "noise", "loud noise"],
)
async def test_nothing_said_is_nothing_understood(stt: Stt, pcm: Pcm) -> None:
    assert (await stt.transcribe(pcm, language="en")).text == ""


@pytest.mark.long
async def test_more_than_a_window_is_heard_to_its_end(stt: Stt, speak: Speak) -> None:
    story = [
        "Once upon a time there was a king who lived in a castle on a hill.",
        "Every morning he looked out of the window and counted his sheep.",
        "One day there was a sheep too many, and nobody knew where it came from.",
        "The king asked the cook, but the cook was busy making soup.",
        "He asked the gardener, who only shook his head and went on digging.",
        "At last he asked the sheep itself, and the sheep began to laugh.",
        "It was the youngest princess, who had put on a woollen coat.",
        "From that day on the king counted his daughters every morning instead.",
        "And when the winter came they all sat by the fire and told this story.",
    ]
    pcm = np.concatenate([hear(speak(sentence, after=0.6)) for sentence in story])
    assert len(pcm) > 35 * HEARD_RATE
    heard = await stt.transcribe(pcm, language="en")
    assert jiwer.wer(PLAIN(" ".join(story)), PLAIN(heard.text)) <= 0.15


async def test_what_was_understood_at_first_is_told_where_there_is_another_try(
    stt: Stt, speak: Speak
) -> None:
    first: list[Transcript] = []
    clear = hear(speak(SENTENCES[0]))
    await stt.transcribe(clear, early=first.append)
    assert first == []
    heard = await stt.transcribe(clear + 6 * noise(len(clear) / HEARD_RATE), early=first.append)
    assert heard.full_context
    assert [told.full_context for told in first] == [False]


async def test_bad_samples_and_unknown_languages(stt: Stt) -> None:
    assert (
        await stt.transcribe(np.full(16_000, np.nan, dtype=np.float32), language="en")
    ).text == ""
    with pytest.raises(VoiceError) as error:
        await stt.transcribe(silence(1), language="xx")
    assert error.value.code == "unknown_language"


async def test_who_gives_up_waiting_costs_nothing(stt: Stt, speak: Speak) -> None:
    pcm = hear(speak(SENTENCES[0]))
    running = asyncio.create_task(stt.transcribe(pcm, language="en"))
    waiting = asyncio.create_task(stt.transcribe(pcm, language="en", urgent=False))
    await asyncio.sleep(0)
    waiting.cancel()
    assert (await running).text
    assert (await stt.transcribe(pcm, language="en")).text


async def test_recorded_speech_is_understood_as_well_as_with_thirty_seconds(stt: Stt) -> None:
    """On recordings where there are some; the synthesiser's sentences above stand in otherwise."""
    folder = os.environ.get("VIVAVOCE_SPEECH_DIR")
    if not folder:
        pytest.skip("VIVAVOCE_SPEECH_DIR names no folder of recorded speech")
    from bench.speech import read_manifest

    clips = [c for c in read_manifest(Path(folder)) if c.name.startswith("harvard") and c.text]
    wrong = {"short": 0.0, "full": 0.0}
    for clip in clips:
        reference = PLAIN(clip.text or "")
        short = await stt.transcribe(clip.read(), language="en")
        full = stt.listen(clip.read(), language="en", full=True)  # type: ignore[attr-defined]
        wrong["short"] += jiwer.wer(reference, PLAIN(short.text))
        wrong["full"] += jiwer.wer(reference, PLAIN(full.text))
    assert wrong["short"] <= wrong["full"] + 0.3


# --- what is missing or broken


@pytest.mark.parametrize(
    ("kind", "name"), [("vad", "silero"), ("turn", "smart-turn"), ("stt", "faster-whisper")]
)
def test_missing_weights_are_one_clear_error(kind: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_engine(kind, name, EngineOptions(tmp_path, "cpu", 1))


def test_an_unknown_engine_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="silero"):
        load_engine("vad", "nonsense", EngineOptions(WEIGHTS))


def test_a_gpu_that_is_there_but_unusable_falls_back_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import ctranslate2

    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    options = EngineOptions(WEIGHTS, "auto", 2, "whisper-base")
    loaded = load_engine("stt", "faster-whisper", options)
    assert loaded.device == "cpu"
    assert "falls back to the CPU" in caplog.text
