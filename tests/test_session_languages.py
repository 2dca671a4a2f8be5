"""A session in several languages: what is expected, which voice answers, what clients are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.scripted.script import Log, Script
from voice.engines import Spoken, Transcript, Voice
from voice.engines.languages import Languages
from voice.protocol import server as wire
from voice.session import Engines

VOICES = {
    "af_heart": Voice("af_heart", "en-US", "Heart", "female"),
    "ff_siwis": Voice("ff_siwis", "fr-FR", "Siwis", "female"),
}


class Polyglot(Script):
    """Hears every utterance in the next of `languages`, and notes what it knew before."""

    def __init__(self, *languages: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.languages = languages
        self.known: list[Spoken] = []
        self.voices: list[str] = []

    def _engines(self, log: Log) -> Engines:
        engines = super()._engines(log)
        stt, tts = engines.stt, engines.tts
        transcribe, stream, heard = stt.transcribe, tts.stream, iter(self.languages)

        async def in_a_language(*given: Any, language: Spoken = None, **more: Any) -> Transcript:
            self.known.append(language)
            said = await transcribe(*given, **more)
            return replace(said, language=next(heard, self.languages[-1]))

        def noted(text: str, *, voice: str, **more: Any) -> Any:
            self.voices.append(voice)
            return stream(text, voice=voice, **more)

        stt.languages = frozenset({"en", "fr", "de"})
        stt.transcribe, tts.stream = in_a_language, noted  # type: ignore[method-assign]
        tts.voices = VOICES
        return engines


def speaking(script: Script, languages: list[str] | None = None, **session: Any) -> Script:
    heard: dict[str, Any] = {"languages": languages} if languages else {}
    audio = {"input": {"transcription": heard, "turn_detection": {"type": "semantic_vad"}}}
    return script.configured({"audio": audio, **session})


def test_the_reply_is_in_a_voice_of_the_language_that_was_spoken() -> None:
    script = Polyglot("fr", stt={"partial_ms": 0})
    speaking(script).says(0.5, 2.0, "Bonjour").answers("Bonjour à toi.")
    log = script.play()
    assert script.known[0] == Languages(frozenset(), frozenset({"en"}), "en")
    assert script.voices == ["ff_siwis"]
    assert log.prompts[-1][0].text.endswith("Answer in French.")
    assert log.count(wire.VoiceMissing) == 0


def test_the_browsers_languages_are_expected_and_the_last_spoken_stays() -> None:
    script = Polyglot("de", "fr", stt={"partial_ms": 0})
    speaking(script, ["fr-CA", "xx"]).says(0.5, 2.0, "Guten Tag").answers("Guten Tag!")
    script.says(8.0, 9.5, "Merci").answers("De rien.")
    script.play()
    expected = {"fr": frozenset({"en", "fr"}), "de": frozenset({"de", "en", "fr"})}
    present = [known.present for known in script.known if isinstance(known, Languages)]
    assert present == ["fr", "de"]
    assert all(
        known == Languages(frozenset(), expected[p], p)
        for known, p in zip(script.known, present, strict=True)
    )
    assert script.voices == ["af_heart", "ff_siwis"]


@pytest.mark.parametrize("extended", [True, False])
def test_a_missing_voice_is_told_to_those_who_understand_it(*, extended: bool) -> None:
    script = Polyglot("de", stt={"partial_ms": 0})
    speaking(script).says(0.5, 2.0, "Guten Tag").answers("Guten Tag!")
    script.extended = extended
    log = script.play()
    told = [(event.language, event.voice) for event in log.of(wire.VoiceMissing)]
    assert told == ([("de", "af_heart")] if extended else [])


def test_what_is_typed_is_answered_in_the_sessions_voice() -> None:
    script = Polyglot("fr", stt={"partial_ms": 0})
    speaking(script).says(0.5, 2.0, "Bonjour").answers("Bonjour.").answers("Hello.")
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    script.sends(8.0, type="conversation.item.create", item=item)
    script.sends(8.1, type="response.create").lasts(12.0)
    script.play()
    assert script.voices == ["ff_siwis", "af_heart"]


def test_only_our_own_clients_may_name_languages() -> None:
    script = Polyglot("en", stt={"partial_ms": 0})
    speaking(script, ["fr"]).says(0.5, 2.0, "Hello").answers("Hi.").plain()
    log = script.play()
    assert [event.error.param for event in log.of(wire.ErrorEvent)] == [
        "session.audio.input.transcription.languages"
    ]
