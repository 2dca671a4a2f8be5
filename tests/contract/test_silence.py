"""Nothing said is nothing heard, and the shortest word is: real weights, made noises, spoken words.

`python -m bench.phantoms` and `python -m bench.edges` do the same at length.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import soxr

from bench.edges import hear
from bench.noises import KINDS, make
from bench.phantoms import Listener
from bench.speech import normalise
from tests.conftest import WEIGHTS, Speak
from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm
from voice.engines import EngineOptions, load_engine
from voice.engines.languages import Languages
from voice.engines.timed import TimedStt
from voice.sections import VadSettings

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def listener() -> Listener:
    options = EngineOptions(WEIGHTS, "cpu", 1)
    vad = load_engine("vad", "silero", options)
    return Listener(load_engine("stt", "faster-whisper", options), vad)


def said(speak: Speak, text: str, voice: str = "am_michael") -> Pcm:
    pcm, _ = soundfile.read(speak(text, voice=voice), dtype="float32")
    heard: Pcm = soxr.resample(pcm, SPOKEN_RATE, HEARD_RATE).astype(np.float32)
    return heard


@pytest.mark.parametrize("kind", KINDS)
def test_no_words_come_out_of_noise(listener: Listener, kind: str) -> None:
    rng = np.random.default_rng(7)
    for seconds in (0.4, 1.5, 4.0):
        assert listener.hear(make(kind, seconds, rng)).judged == ""


@pytest.mark.parametrize(
    "text", ["Thank you.", "Thanks for watching!", "Yes.", "Stop.", "Okay.", "Bye bye."]
)
@pytest.mark.parametrize("voice", ["am_michael", "bf_emma"])
def test_what_noise_says_too_is_heard_when_it_is_said(
    listener: Listener, speak: Speak, text: str, voice: str
) -> None:
    outcome = listener.hear(said(speak, text, voice), Languages(present="en"))
    assert outcome.opened
    assert outcome.judged


@pytest.mark.parametrize(
    ("text", "voice", "language"),
    [
        ("Peux-tu allumer la lumière dans la cuisine, s'il te plaît ?", "ff_siwis", "fr"),
        ("¿Puedes encender la luz de la cocina, por favor?", "ef_dora", "es"),
        ("Please turn on the light in the kitchen.", "bf_emma", "en"),
    ],
)
def test_another_language_than_expected_is_heard_as_what_it_is(
    listener: Listener, speak: Speak, text: str, voice: str, language: str
) -> None:
    for present in ("en", "fr", "de"):
        known = Languages(expected=frozenset({"en", "de"}), present=present)
        heard = listener.stt.listen(said(speak, text, voice), language=known)
        assert heard.language == language


def test_nonsense_is_tried_in_other_languages_where_any_may_be_spoken(
    listener: Listener, speak: Speak
) -> None:
    known = Languages(expected=frozenset({"en"}), present="en")
    for text, voice, language in (
        ("Spegni la luce.", "if_sara", "it"),
        ("Éteins la lumière.", "ff_siwis", "fr"),
        ("Turn it off.", "am_michael", "en"),
    ):
        pcm = said(speak, text, voice)
        assert listener.stt.listen(pcm, language=known).language == "en"
        whatever = replace(known, open=True)
        assert listener.stt.listen(pcm, language=whatever).language == language


def test_a_short_word_is_in_the_language_of_the_conversation(
    listener: Listener, speak: Speak
) -> None:
    for text, voice, language in (("Oui.", "ff_siwis", "fr"), ("はい。", "jf_alpha", "ja")):
        pcm = said(speak, text, voice)
        known = Languages(expected=frozenset({"en"}), present=language)
        assert listener.stt.listen(pcm, language=known).language == language
    only = Languages(allowed=frozenset({"it", "fr"}))
    assert listener.stt.listen(said(speak, "Yes."), language=only).language in only.allowed


async def test_files_may_be_heard_in_some_languages_only(listener: Listener, speak: Speak) -> None:
    stt: TimedStt = listener.stt
    only = Languages(allowed=frozenset({"fr", "de"}))
    pcm = said(speak, "Please turn on the light in the kitchen.")
    parts = [part async for part in stt.hear(pcm, language=only)]
    assert parts[0].transcript.language in only.allowed


@pytest.mark.parametrize("text", ["Hello.", "Six o'clock.", "Turn it off.", "Half past seven."])
async def test_soft_beginnings_and_ends_are_not_clipped(
    listener: Listener, speak: Speak, text: str
) -> None:
    heard = await hear(listener.stt, listener.vad, said(speak, text), VadSettings())
    assert heard.live
    assert not heard.first_lost, (normalise(text), heard)
    assert not heard.last_lost, (normalise(text), heard)
