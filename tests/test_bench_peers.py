"""The pure parts of the comparison with other frameworks, and its locks."""

from __future__ import annotations

import asyncio
import json
import re
import wave
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.peers.clips import Question
from bench.peers.ear import AUDIBLE, Ear
from bench.peers.environments import ROOT, lock_of
from bench.peers.microphone import read_clip, speak
from bench.peers.report import BEGIN, END, Asked, figures, plot, published, report, tables
from bench.peers.service import Heard, Moments
from bench.peers.weights import write_voices
from bench.voice_to_voice import PAGE, SIDES, listened

RATE = 1000
QUIET = np.full(100, AUDIBLE, np.float32)
LOUD = np.full(100, -2 * AUDIBLE, np.float32)
PEERS = ("livekit", "pipecat")


def test_an_ear_hears_the_first_loud_sample_where_it_is_played() -> None:
    ear = Ear()
    ear.hear(QUIET, RATE, 5.0)
    assert ear.audible is None
    ear.hear(np.concatenate((QUIET, LOUD)), RATE, 5.05)  # plays when the first piece has ended
    assert ear.audible == pytest.approx(5.2)
    assert ear.ends == pytest.approx(5.3)


def test_a_late_piece_is_played_when_it_comes() -> None:
    ear = Ear()
    ear.hear(QUIET, RATE, 5.0)
    ear.hear(LOUD, RATE, 7.0)
    assert ear.audible == pytest.approx(7.0)


def test_only_the_first_sound_counts_until_it_is_taken_back() -> None:
    ear = Ear()
    ear.hear(LOUD, RATE, 1.0)
    ear.hear(LOUD, RATE, 2.0)
    assert ear.audible == 1.0
    ear.forget()
    ear.hear(QUIET, RATE, 1.05)
    ear.hear(LOUD, RATE, 1.05)
    assert ear.audible == pytest.approx(1.15)


def test_speech_that_stands_still_is_noticed() -> None:
    ear = Ear()
    ear.hear(QUIET, RATE, 1.0)
    ear.hear(LOUD, RATE, 2.0)
    assert ear.gap == 0  # nothing had been heard yet
    ear.hear(LOUD, RATE, 2.05)
    ear.hear(LOUD, RATE, 2.45)
    assert ear.gap == pytest.approx(0.25)
    ear.forget()
    assert ear.gap == 0


async def test_a_microphone_sends_the_clip_in_real_time_and_then_silence() -> None:
    pcm = np.arange(1, 51, dtype=np.int16)  # two and a half frames at 1 kHz
    sent: list[tuple[float, bytes]] = []

    async def send(piece: bytes) -> None:
        sent.append((perf_counter(), piece))

    ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    began = perf_counter()
    task = asyncio.create_task(speak(pcm, RATE, send, ended))
    while len(sent) < 5:
        await asyncio.sleep(0.005)
    task.cancel()
    heard = np.frombuffer(b"".join(piece for _, piece in sent[:5]), np.int16)
    assert heard.tolist() == [*range(1, 51), *[0] * 50]
    assert all(at >= began + number / 50 for number, (at, _) in enumerate(sent, start=1))
    assert sent[2][0] <= ended.result() <= sent[3][0]


def test_a_clip_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(np.array([1, -2, 3], np.int16).tobytes())
    pcm, rate = read_clip(path)
    assert pcm.tolist() == [1, -2, 3]
    assert rate == 16_000


def test_stages_are_spans_between_moments_that_were_noted() -> None:
    moments = Moments()
    moments.at = {"paused": 10.2, "committed": 10.9, "started": 10.8, "first_token": 10.95}
    assert moments.stages(10.0) == pytest.approx({"vad": 200, "turn": 900, "llm_first_token": 150})


def test_a_moment_is_its_first_time_or_its_last() -> None:
    moments = Moments()
    moments.at = {"started": 1.0, "paused": 1.0}
    moments.note("started")
    moments.note("paused", again=True)
    assert moments.at["started"] == 1.0
    assert moments.at["paused"] > 1.0
    moments.forget("paused", "never noted")
    assert moments.at == {"started": 1.0}


def asked(*seconds: float | None) -> list[Asked]:
    return [
        Asked("clip", "Turn on the lamp.", Heard(time, "turn on the lamp", "On.", {"vad": 100.0}))
        for time in seconds
    ]


def test_answers_that_came_early_or_never_are_counted_and_not_averaged() -> None:
    row = figures(asked(1.0, 2.0, -0.5, None))
    assert (row["asked"], row["answered"], row["early"], row["silent"]) == (4, 2, 1, 1)
    assert (row["min"], row["p50"], row["max"]) == pytest.approx((1000, 1500, 2000))
    assert row["stages"] == {"vad": 100}
    assert row["wer"] == 0


def test_a_side_that_breaks_has_not_answered() -> None:
    class Broken:
        name = "Broken"
        pipeline = ""

        def __init__(self) -> None:
            self.versions: dict[str, str] = {}

        def ask(self, clip: Path) -> Heard:
            raise RuntimeError(f"no more {clip.name}")

    clip = Question("a", "text", Path("a.wav"), 1.0)
    assert listened(Broken(), clip) == (Heard(), "failed: no more a.wav")


def test_wrong_words_are_counted() -> None:
    wrong = Asked("clip", "turn on the lamp", Heard(1.0, "turn off the lamp"))
    assert figures([wrong])["wer"] == pytest.approx(0.25)


@pytest.fixture
def run() -> dict[str, object]:
    names = ("Ours", "<Theirs>", "Mute")
    described = {name: {"pipeline": "parts", "versions": {"lib": "1.2"}} for name in names}
    settings = {
        "machine": "a machine",
        "load_before": "0.10",
        "load_after": "0.90",
        "clips": 1,
        "kind": "recorded sentences",
        "seconds": "2.0 to 3.0",
        "rounds": 2,
        "threads": 2,
        "llm_threads": 1,
        "max_tokens": 60,
        "temperature": 0.0,
    }
    answers = (asked(0.5, 0.7), asked(1.2, 1.8), asked(None, None))
    return report(dict(zip(names, answers, strict=True)), described, settings)


def test_sides_are_compared_to_the_first(run: dict[str, object]) -> None:
    text = tables(run)
    assert "| Ours | 600 | 680 | 500 | 1.00 | 2 of 2 | 0 | 0 | 0.0% |" in text
    assert "| <Theirs> | 1500 | 1740 | 1200 | 2.50 | 2 of 2 | 0 | 0 | 0.0% |" in text
    assert "| Mute | – | – | – | – | 0 of 2 | 0 | 0 | 0.0% |" in text
    assert json.loads(json.dumps(run, allow_nan=False)) == run


def test_a_page_is_renewed_between_its_markers_only(run: dict[str, object]) -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = published(page, run)
    assert once == f"before\n{BEGIN}\n{tables(run)}\n{END}\nafter\n"
    assert published(once, run) == once
    with pytest.raises(ValueError, match="needs one line"):
        published("no markers", run)


def test_the_plot_draws_those_who_answered(run: dict[str, object]) -> None:
    picture = plot(run)
    assert picture.count("<rect") == 2
    assert "&lt;Theirs&gt;" in picture
    assert "Mute" not in picture
    bars = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', picture)]
    assert bars[1] / bars[0] == pytest.approx(2.5, abs=0.01)


@pytest.mark.models
def test_voices_for_kokoro_onnx_are_the_same_numbers(tmp_path: Path) -> None:
    weights = ROOT / "data" / "models"
    write_voices(weights, tmp_path / "voices.npz")
    with np.load(tmp_path / "voices.npz") as voices:
        raw = (weights / "kokoro" / "voices" / "af_heart.bin").read_bytes()
        assert voices["af_heart"].tobytes() == raw
        assert voices["af_heart"].shape == (510, 1, 256)
        assert len(voices.files) == 54


def pins(lock: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, number in re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(number)
    return found


@pytest.mark.parametrize("peer", PEERS)
def test_a_peers_lock_is_hashed_and_holds_what_is_asked_for(peer: str) -> None:
    text = lock_of(peer).read_text()
    assert not re.search(r"index-url|find-links|://", text)
    blocks = re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n?", "", text, flags=re.MULTILINE).strip())
    assert all("--hash=sha256:" in block for block in blocks)
    have = pins(lock_of(peer))
    for line in lock_of(peer).with_suffix(".in").read_text().splitlines():
        wanted = line.split("#")[0].strip()
        if wanted and not wanted.startswith("-"):
            requirement = Requirement(wanted)
            (number,) = have[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(number), line
    assert not [name for name in have if name == "torch" or name.startswith("nvidia-")]


@pytest.mark.parametrize("peer", PEERS)
def test_every_side_computes_with_the_same_libraries(peer: str) -> None:
    ours, theirs = pins(ROOT / "requirements" / "cpu.txt"), pins(lock_of(peer))
    for name in ("ctranslate2", "faster-whisper", "onnxruntime", "kokoro-onnx"):
        if name in ours:
            assert theirs[name] == ours[name], f"{name}: run make lock"


def test_what_is_documented_is_what_was_measured() -> None:
    page = PAGE.read_text()
    measured = json.loads(PAGE.with_name("voice-to-voice.json").read_text())
    assert published(page, measured) == page
    assert (PAGE.parent / "images" / "voice-to-voice.svg").read_text() == plot(measured)
    assert "images/voice-to-voice.svg" in page
    for name in SIDES:
        assert f"`{name}`" in page
