"""The whole thing, for real: speech in, transcript and spoken answer out, over the real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.request import urlopen

import jiwer
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.conftest import WEIGHTS, Server, Speak
from voice.ask import ask, read_sound
from voice.audio import SPOKEN_RATE, Pcm
from voice.cli import main
from voice.engines import EngineOptions, load_engine
from voice.errors import VoiceError

pytestmark = [pytest.mark.models, pytest.mark.timeout(300)]

PLAIN = jiwer.Compose(
    [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()]
)
PTT = {"audio": {"input": {"transcription": {}, "turn_detection": None}}}


def errors(reference: str, heard: str) -> float:
    return float(jiwer.wer(PLAIN(reference), PLAIN(heard)))


def transcribe_again(pcm: Pcm) -> str:
    """What our own ears make of what was spoken."""
    import soxr

    stt = load_engine("stt", "faster-whisper", EngineOptions(WEIGHTS, "cpu", 2, "whisper-base"))
    heard = soxr.resample(pcm, SPOKEN_RATE, 16_000).astype(np.float32)
    return str(asyncio.run(stt.transcribe(heard, language="en")).text)


QUESTIONS = ["What is the capital of France?", "Can you tell me something about the ocean?"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_spoken_question_is_understood_and_answered_aloud(
    server: Server, speak: Speak, question: str
) -> None:
    answer = asyncio.run(ask(server.realtime, read_sound(speak(question)), patience=120))
    assert errors(question, answer.transcript) <= 0.2
    assert answer.text.strip()
    assert np.abs(answer.pcm).max() > 0.05
    assert answer.times["committed"] <= answer.times["audible"]
    assert {"vad", "turn", "stt", "llm", "tts", "voice_to_voice"} <= set(answer.stages)


def test_the_answers_audio_says_the_answers_text(server: Server, speak: Speak) -> None:
    pcm = read_sound(speak("Say that the weather is nice today."))
    answer = asyncio.run(ask(server.realtime, pcm, patience=120))
    assert errors(answer.text, transcribe_again(answer.pcm)) <= 0.35


def test_the_command_line_asks_and_writes_the_answer(
    server: Server, speak: Speak, tmp_path: Path
) -> None:
    out = tmp_path / "answer.wav"
    question = str(speak("What is the capital of France?"))
    result = CliRunner().invoke(
        main, ["ask", question, "-o", str(out), "--url", server.realtime], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert "You said:" in result.output
    assert "audible" in result.output
    data, rate = soundfile.read(out)
    assert rate == SPOKEN_RATE
    assert np.abs(data).max() > 0.05


def test_say_writes_speech(tmp_path: Path) -> None:
    out = tmp_path / "hello.wav"
    text = "The bill is $3.50, and the train leaves at 10:30."
    result = CliRunner().invoke(main, ["say", text, "-o", str(out), "--data-dir", "data"])
    assert result.exit_code == 0, result.output
    heard = transcribe_again(read_sound(out))
    assert "10" in heard or "ten" in heard.lower()
    assert "3.50" in heard or "three" in heard.lower()


def test_what_is_no_speech_is_not_answered(server: Server) -> None:
    time = np.arange(5 * SPOKEN_RATE) / SPOKEN_RATE
    sounds = {
        "silence": np.zeros(len(time)),
        "white noise": np.random.default_rng(1).normal(0, 0.05, len(time)),
        "a chord": 0.1 * sum(np.sin(2 * np.pi * f * time) for f in (220, 277, 330)),
    }

    async def outcome(sound: Pcm) -> str:
        try:
            return (await ask(server.realtime, sound, patience=4)).text
        except VoiceError as error:
            return error.code

    async def outcomes() -> list[str]:
        asked = (outcome(sound.astype(np.float32)) for sound in sounds.values())
        return await asyncio.gather(*asked)

    assert dict(zip(sounds, asyncio.run(outcomes()), strict=True)) == dict.fromkeys(
        sounds, "no_answer"
    )


def test_a_minute_of_silence_costs_and_says_nothing(server: Server) -> None:
    async def listen() -> list[str]:
        from websockets.asyncio.client import connect

        from voice.protocol import frames

        seen = []
        async with connect(server.realtime, subprotocols=[frames.SUBPROTOCOL]) as client:  # type: ignore[list-item]
            second = frames.encode(frames.MICROPHONE, 0, bytes(2 * SPOKEN_RATE))
            for _ in range(60):
                await client.send(second)
            await client.send(json.dumps({"type": "session.update", "session": {}}))
            while not seen or seen[-1] != "session.updated":
                seen.append(json.loads(await client.recv())["type"])
        return seen

    assert asyncio.run(listen()) == ["session.created", "session.updated"]


def test_the_server_says_what_it_runs_on_and_counts(server: Server) -> None:
    with urlopen(f"{server.url}/ready") as answer:
        ready = json.load(answer)
    assert ready["ready"] is True
    assert {part["device"] for part in ready["parts"].values()} <= {"cpu", "cuda"}
    assert set(ready["parts"]) == {"vad", "turn", "stt", "tts", "llm"}
    with urlopen(f"{server.url}/metrics") as answer:
        metrics = answer.read().decode()
    assert 'vivavoce_stage_seconds_count{stage="voice_to_voice"}' in metrics
    with urlopen(f"{server.url}/v1/voices") as answer:
        assert len(json.load(answer)["voices"]) == 54
    with urlopen(f"{server.url}/v1/languages") as answer:
        assert "en" in json.load(answer)["languages"]
