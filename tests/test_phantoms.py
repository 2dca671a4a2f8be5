"""What is made of noise, and what people say."""

from __future__ import annotations

import pytest

from voice.engines import Transcript
from voice.engines.phantoms import PHRASES, bare, is_phantom
from voice.engines.whisper import Decode, clearer, makes_sense, once
from voice.plausible import believed


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for watching!",
        "Thank you for watching. Thank you for watching.",
        " you",
        "Untertitel von Stephanie Geiges",
        "Untertitel im Auftrag des ZDF für funk, 2017",
        "Sous-titres réalisés par la communauté d'Amara.org",
        "Merci d’avoir regardé cette vidéo !",
        "Субтитры сделал DimaTorzok",
        "ご視聴ありがとうございました。",
        "시청해주셔서 감사합니다!",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
        "字幕由Amara.org社区提供",
        "Abone olmayı unutmayın.",
        "♪♪",
        "...",
    ],
)
def test_phantoms_are_known(text: str) -> None:
    assert is_phantom(text)


@pytest.mark.parametrize(
    "text",
    [
        "Thank you, that was very helpful.",
        "Turn on the subtitles for the film.",
        "Yes.",
        "What is the capital of France?",
        "Merci, et demain ?",
        "Wie ist das Wetter heute?",
        "电灯",
        "Can you subscribe me to the newsletter?",
    ],
)
def test_what_people_say_is_none(text: str) -> None:
    assert not is_phantom(text)


def test_the_list_is_written_as_it_is_compared() -> None:
    assert [phrase for phrase in PHRASES if bare(phrase) != phrase] == []


def decode(text: str, no_speech: float, confidence: float, *, ended: bool = True) -> Decode:
    return Decode(text, "en", no_speech, confidence, ended)


@pytest.mark.parametrize(
    ("heard", "silent"),
    [
        (decode("Turn it off.", 0.02, -0.2), False),
        (decode("Thank you.", 0.02, -0.2), False),
        (decode("Thank you.", 0.5, -0.5), True),
        (decode("Thank you.", 0.27, -0.5), False),
        (decode("Turn it off.", 0.5, -0.5), False),
        (decode("Turn it off.", 0.6, -0.6), False),
        (decode("Turn it off.", 0.6, -1.1), True),
        (decode("Bee!", 0.18, -1.6), True),
        (decode("Bee!", 0.05, -1.6), False),
        (decode("so so so", 0.3, -0.1, ended=False), False),
        (decode("so so so", 0.5, -0.1, ended=False), True),
        (decode("", 0.0, 0.0), True),
    ],
)
def test_a_decode_of_nothing_is_silent(heard: Decode, *, silent: bool) -> None:
    assert heard.silent is silent


def test_one_sound_again_and_again_is_no_speech() -> None:
    assert decode("A" * 400, 0.1, -0.1).drawn_out
    assert not decode("No, no, no, no, no!", 0.1, -0.1).drawn_out


@pytest.mark.parametrize(
    ("heard", "seconds", "sense"),
    [
        (decode("Turn it off.", 0.02, -0.5), 1.0, True),
        (decode("Shall the swoon", 0.02, -0.9), 1.0, False),
        (decode("", 0.1, -0.1), 1.0, False),  # nothing in a second of sound that was voiced
        (decode("", 0.1, -0.1), 3.0, True),
    ],
)
def test_nonsense_may_be_another_language(heard: Decode, seconds: float, *, sense: bool) -> None:
    assert makes_sense(heard, seconds) is sense


@pytest.mark.parametrize(
    ("expected", "other", "text"),
    [
        (
            decode("Shall the swoon", 0.0, -1.0),
            decode("Schalte das ein", 0.0, -0.3),
            "Schalte das ein",
        ),
        (decode("Shall the swoon", 0.0, -1.0), decode("Schalt", 0.0, -0.8), "Shall the swoon"),
        (decode("Moe bien", 0.0, -0.6), decode("Muy bien", 0.0, -0.5), "Moe bien"),
        (decode("Shall the swoon", 0.0, -1.0), decode("", 0.0, -0.1), "Shall the swoon"),
        (decode("", 0.5, -0.3), decode("Enciende la luz", 0.0, -0.4), "Enciende la luz"),
        (decode("You see?", 0.5, -0.6), decode("so so so", 0.0, -0.1, ended=False), "You see?"),
    ],
)
def test_another_language_is_believed_where_it_is_clearer(
    expected: Decode, other: Decode, text: str
) -> None:
    assert clearer(expected, other).text == text


@pytest.mark.parametrize(
    ("loop", "text"),
    [
        ("Brown-eyes mocha " * 9, "Brown-eyes mocha "),
        ("I want a mocha, a mocha, a mocha, a mocha.", "I want a mocha."),
        ("No, no, no!", "No, no, no!"),
        ("They said that that is so.", "They said that that is so."),
    ],
)
def test_a_loop_is_said_once(loop: str, text: str) -> None:
    assert once(loop) == text


def transcript(text: str, no_speech: float, confidence: float, unsure: str = "") -> Transcript:
    return Transcript(text, "en", no_speech, confidence, 0.8, unsure=unsure)


@pytest.mark.parametrize(
    ("heard", "speech", "text"),
    [
        # Nobody knows better than the recogniser.
        (transcript("Hello.", 0.4, -1.2), None, "Hello."),
        (transcript("", 0.5, -0.6, "Stop."), None, ""),
        # The VAD heard nobody: only what is certain counts.
        (transcript("Hello.", 0.4, -0.2), 0.1, ""),
        (transcript("Hello.", 0.1, -1.2), 0.1, ""),
        (transcript("Hello.", 0.1, -0.2), 0.3, "Hello."),
        # It may have heard somebody.
        (transcript("Hello.", 0.4, -1.2), 0.7, "Hello."),
        (transcript("", 0.5, -0.6, "Stop."), 0.7, ""),
        # It certainly did: what was doubted was said, unless it is what noise says too.
        (transcript("", 0.5, -0.6, "Stop."), 0.95, "Stop."),
        (transcript("", 0.9, -0.6, "Stop."), 0.95, ""),
        (transcript("", 0.5, -1.6, "Stop."), 0.95, ""),
        (transcript("", 0.5, -0.6, "Thank you."), 0.95, "Thank you."),
        (transcript("", 0.7, -0.6, "Thank you."), 0.95, ""),
        (transcript("Thank you.", 0.1, -0.3), 0.95, "Thank you."),
    ],
)
def test_the_vad_has_a_say(heard: Transcript, speech: float | None, text: str) -> None:
    assert believed(heard, speech) == text
