"""Speech that came as Opus is heard and understood like any other, on real weights."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest
import soundfile

from tests.conftest import WEIGHTS, Speak
from tests.contract.test_listening import PLAIN, SENTENCES
from voice import opus
from voice.audio import SPOKEN_RATE, int16_from_pcm
from voice.ears import Ears
from voice.engines import EngineOptions, load_engine
from voice.events import SpeechPaused, SpeechStarted
from voice.sections import VadSettings

pytestmark = pytest.mark.models


async def test_what_was_said_in_opus_is_understood(speak: Speak) -> None:
    vad = load_engine("vad", "silero", EngineOptions(WEIGHTS, "cpu", 1))
    stt = load_engine("stt", "faster-whisper", EngineOptions(WEIGHTS, "cpu", 2, "whisper-base"))
    for sentence in SENTENCES[:2]:
        said, rate = soundfile.read(speak(sentence, after=0.6), dtype="float32")
        assert rate == SPOKEN_RATE
        encoder = opus.Encoder()
        ears = Ears(vad, VadSettings(), capacity=20 * 16_000)
        ears.tune("audio/opus")
        pcm16 = int16_from_pcm(said)
        pieces = [encoder.encode(pcm16[at : at + 960]) for at in range(0, len(pcm16), 960)]
        pieces.append(encoder.flush())
        happened = [happening for piece in pieces for happening in ears.hear(piece)]
        happened += ears.flush()
        assert any(isinstance(each, SpeechStarted) for each in happened)
        assert any(isinstance(each, SpeechPaused) for each in happened)
        length = len(said) * 2 / 3
        assert length <= ears.tape.end < length + 512
        heard = await stt.transcribe(ears.tape.read(0, ears.tape.end), language="en")
        assert jiwer.wer(PLAIN(sentence), PLAIN(heard.text)) <= 0.15
        packets = [packet for piece in pieces for packet in opus.unpack(piece).packets]
        assert np.sum([len(packet) for packet in packets]) * 8 / (len(said) / rate) < 40_000
