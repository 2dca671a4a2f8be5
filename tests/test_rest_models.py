"""The HTTP API for real: the `openai` package, the starter models, sound in and out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import openai
import pytest
import soundfile
from openai import OpenAI

from tests.conftest import WEIGHTS, Server, Speak
from tests.test_loop import errors
from voice.audio import HEARD_RATE
from voice.engines import EngineOptions, Speech, joined, load_engine
from voice.rest.decoding import decode

pytestmark = [pytest.mark.models, pytest.mark.timeout(300)]

TEXT = "My sister bought seven apples and a small melon. They were not very good."


@pytest.fixture
def ai(server: Server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=2)


@pytest.mark.parametrize("format_", ["mp3", "opus", "aac", "flac", "wav"])
def test_what_is_spoken_is_heard_again_in_every_format(ai: OpenAI, format_: Any) -> None:
    spoken = ai.audio.speech.create(
        model="tts-1", voice="alloy", input=TEXT, response_format=format_
    )
    file = (f"x.{format_}", spoken.content)
    heard = ai.audio.transcriptions.create(model="whisper-1", file=file, language="en")
    assert errors(TEXT, heard.text) <= 0.2


@pytest.mark.long
def test_speed_and_pcm(ai: OpenAI) -> None:
    def seconds(speed: float) -> float:
        made = ai.audio.speech.create(
            model="tts-1", voice="af_heart", input=TEXT, response_format="pcm", speed=speed
        )
        return len(made.content) / 48_000

    assert seconds(0.5) > 1.5 * seconds(1.0) > 2 * seconds(2.0)


@pytest.mark.long
def test_a_blend_is_a_voice_of_its_own(ai: OpenAI) -> None:
    made = {
        voice: ai.audio.speech.create(
            model="tts-1", voice=voice, input=TEXT, response_format="wav"
        ).content
        for voice in ("af_heart", "am_adam", "af_heart+am_adam")
    }
    assert len(set(made.values())) == 3
    heard = ai.audio.transcriptions.create(
        model="whisper-1", file=("x.wav", made["af_heart+am_adam"]), language="en"
    )
    assert errors(TEXT, heard.text) <= 0.2


def test_a_transcript_in_every_shape(ai: OpenAI, speak: Speak) -> None:
    def heard(**wanted: Any) -> Any:
        return ai.audio.transcriptions.create(
            model="whisper-1", file=speak(TEXT), language="en", **wanted
        )

    plain = heard()
    assert errors(TEXT, plain.text) <= 0.2
    assert plain.usage.seconds > 3
    assert heard(response_format="text") == plain.text + "\n"
    srt = heard(response_format="srt")
    assert srt.startswith("1\n00:00:00,")
    assert "\n2\n" in srt
    assert "They were" in srt.split("\n\n")[1]
    vtt = heard(response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.")
    verbose = heard(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert verbose.text == plain.text
    assert verbose.language == "en"
    assert len(verbose.segments) == 2
    assert " ".join(word.word for word in verbose.words) == plain.text


def test_words_are_where_the_synthesiser_put_them(ai: OpenAI) -> None:
    tts = load_engine("tts", "kokoro", EngineOptions(WEIGHTS, "cpu"))
    made = tts.speak(TEXT, "am_michael", 1.0)
    speech = made if isinstance(made, Speech) else joined(list(made))
    silence = np.zeros(12_000, np.float32)
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([silence, speech.pcm, silence]), 24_000, format="WAV")
    verbose = ai.audio.transcriptions.create(
        model="whisper-1",
        file=("x.wav", file.getvalue()),
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert verbose.words is not None
    assert len(verbose.words) == len(speech.words)
    starts = [
        abs(heard.start - 0.5 - said.start)
        for heard, said in zip(verbose.words, speech.words, strict=True)
    ]
    assert np.mean(starts) < 0.2
    ends = [word.end for word in verbose.words]
    assert ends == sorted(ends)


STORY = [
    TEXT,
    "Could you tell me when the next train to London leaves from this station?",
    "The quick brown fox jumps over the lazy dog, and then it sleeps.",
    "On Monday morning the children walked to school through the park.",
    "Nobody knew where the old man had hidden his golden watch.",
    "She opened the window because the room was too warm.",
    "After dinner we listened to the radio and played some cards.",
    "The water in the lake was cold, but they swam across it.",
    "My brother works in a hospital and comes home late at night.",
    "Please bring me a cup of tea with milk and a little sugar.",
]


@pytest.mark.long
def test_a_long_recording_is_heard_part_by_part(ai: OpenAI, speak: Speak) -> None:
    """More than 30 s: at least two parts, their times from the start of the whole."""
    spoken = [soundfile.read(speak(text), dtype="float32")[0] for text in STORY]
    file = io.BytesIO()
    soundfile.write(file, np.concatenate(spoken), 24_000, format="FLAC")
    seconds = sum(map(len, spoken)) / 24_000
    assert seconds > 30

    def heard(**wanted: Any) -> Any:
        upload = ("x.flac", file.getvalue())
        return ai.audio.transcriptions.create(
            model="whisper-1", file=upload, language="en", **wanted
        )

    deltas, whole = [], ""
    for event in heard(stream=True):
        if event.type == "transcript.text.delta":
            deltas.append(event.delta)
        elif event.type == "transcript.text.done":
            whole = event.text
    assert len(deltas) >= 2
    assert "".join(deltas) == whole
    assert errors(" ".join(STORY), whole) <= 0.15
    verbose = heard(response_format="verbose_json", timestamp_granularities=["word"])
    assert verbose.words[-1].end == pytest.approx(seconds, abs=1.0)
    starts = [word.start for word in verbose.words]
    assert starts == sorted(starts)


def test_a_prompt_helps_with_names(ai: OpenAI, speak: Speak) -> None:
    text = "My friends Katharyn and Jonni went to the theatre."

    def heard(prompt: str) -> str:
        return ai.audio.transcriptions.create(
            model="whisper-1", file=speak(text), language="en", prompt=prompt
        ).text

    plain, helped = heard(""), heard("A story of Katharyn and Jonni.")
    assert "Katharyn" not in plain
    assert "Katharyn" in helped
    assert errors(text, helped) < errors(text, plain)
    assert errors(text, heard("Katharyn and Jonni. " * 400)) <= 0.7, "only its end counts"


def test_silence_is_transcribed_as_nothing(ai: OpenAI) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(3 * HEARD_RATE, np.int16), HEARD_RATE, format="WAV")
    for shape in ("json", "verbose_json"):
        heard = ai.audio.transcriptions.create(
            model="whisper-1", file=("x.wav", file.getvalue()), response_format=shape
        )
        assert heard.text == ""


def test_a_chat(ai: OpenAI) -> None:
    messages: Any = [
        {"role": "system", "content": "You are a helpful assistant. Answer in one sentence."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    whole = ai.chat.completions.create(model="x", messages=messages)
    assert (whole.choices[0].message.content or "").strip()
    assert whole.usage is not None
    assert whole.usage.completion_tokens > 0
    assert whole.usage.prompt_tokens > 20
    streamed = ai.chat.completions.create(model="x", messages=messages, stream=True, max_tokens=3)
    chunks = list(streamed)
    assert chunks[-1].choices[0].finish_reason == "length"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).strip()


def test_a_conversation_too_long_for_the_model_is_refused(ai: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "word " * 20_000}]
    with pytest.raises(openai.BadRequestError) as refused:
        ai.chat.completions.create(model="x", messages=messages)
    assert refused.value.code == "llm_refused"


def test_the_page_and_the_programs_hear_the_same(ai: OpenAI, speak: Speak) -> None:
    stt = load_engine("stt", "faster-whisper", EngineOptions(WEIGHTS, "cpu", 2, "whisper-base"))
    path: Path = speak("Could you tell me when the next train leaves?")
    with path.open("rb") as file:
        live = stt.listen(decode(file, seconds=60), language="en").text
    api = ai.audio.transcriptions.create(model="whisper-1", file=path, language="en").text
    assert jiwer.wer(live, api) == 0
