"""Which language is heard, and which voice answers."""

from __future__ import annotations

import msgspec
import pytest

from chat.conversation import MessageItem
from chat.prompts import INSTRUCTIONS
from voice.engines import Voice
from voice.engines.languages import Languages, alternative, choose, primary, those_known
from voice.errors import BadEvent
from voice.events import Rev
from voice.languages import may_be_heard, voice_for
from voice.planning import first_config, plan
from voice.protocol.client import ResponseParams, SessionUpdate, decode
from voice.protocol.config import SessionConfig, merge, show
from voice.response import Plan
from voice.settings import Settings

KNOWN = frozenset({"en", "fr", "de", "no", "zh", "ja"})
VOICES = {
    "af_heart": Voice("af_heart", "en-US", "Heart", "female"),
    "bf_emma": Voice("bf_emma", "en-GB", "Emma", "female"),
    "ff_siwis": Voice("ff_siwis", "fr-FR", "Siwis", "female"),
    "zm_yunxi": Voice("zm_yunxi", "zh", "Yunxi", "male"),
}
BRIEF, LONG = 1.0, 5.0


# --- what is heard


@pytest.mark.parametrize(
    ("heard", "known", "seconds", "chosen"),
    [
        ({"en": 0.4, "fr": 0.5}, Languages(), BRIEF, "fr"),
        # Only what is allowed, however sure the other is.
        ({"en": 0.01, "cy": 0.99}, Languages(allowed=frozenset({"en", "fr"})), LONG, "en"),
        # Nothing allowed is among what was heard: better that than nothing.
        ({"cy": 0.9}, Languages(allowed=frozenset({"en"})), LONG, "cy"),
        # A brief utterance does not leave the conversation's language unless that is sure.
        ({"en": 0.1, "ar": 0.7}, Languages(present="en"), BRIEF, "en"),
        ({"en": 0.01, "fr": 0.95}, Languages(present="en"), BRIEF, "fr"),
        # A longer one does so more easily.
        ({"en": 0.1, "fr": 0.7}, Languages(present="en"), LONG, "fr"),
        ({"en": 0.3, "fr": 0.6}, Languages(present="en"), LONG, "en"),
        # What is expected goes before what is not.
        ({"cy": 0.6, "fr": 0.2}, Languages(expected=frozenset({"fr"})), BRIEF, "fr"),
        ({"cy": 0.9, "fr": 0.02}, Languages(expected=frozenset({"fr"})), LONG, "cy"),
        # A brief one does not bring in a language that nobody expects, however sure it is.
        ({"en": 0.02, "cy": 0.95}, Languages(expected=frozenset({"en"})), BRIEF, "en"),
        ({"en": 0.1, "fr": 0.8}, Languages(frozenset(), frozenset({"en"}), "fr"), BRIEF, "fr"),
        # What is next to impossible stays so.
        ({"en": 0.0, "fr": 0.9}, Languages(present="en"), BRIEF, "fr"),
    ],
)
def test_what_is_known_before_weighs(
    heard: dict[str, float], known: Languages, seconds: float, chosen: str
) -> None:
    assert choose(heard, known, seconds) == chosen


@pytest.mark.parametrize(
    ("known", "seconds", "other"),
    [
        (Languages(expected=frozenset({"en"}), open=True), BRIEF, "cy"),
        (Languages(expected=frozenset({"en"})), BRIEF, ""),  # not open
        (Languages(frozenset({"en", "fr"}), frozenset({"en"}), open=True), BRIEF, "fr"),
        (Languages(frozenset({"en"}), frozenset({"en"}), open=True), BRIEF, ""),
        (Languages(expected=frozenset({"en"}), open=True), LONG, ""),  # it is the same
    ],
)
def test_what_makes_no_sense_may_be_in_another_language(
    known: Languages, seconds: float, other: str
) -> None:
    assert alternative({"en": 0.02, "fr": 0.3, "cy": 0.68}, known, seconds) == other


def test_tags_become_the_recognisers_codes() -> None:
    assert [primary(tag) for tag in ("fr-CA", "EN_us", "zh-Hant-TW", "nb-NO", "")] == [
        "fr",
        "en",
        "zh",
        "no",
        "",
    ]
    assert those_known(["nb", "fr-CA", "fr", "xx", "tlh-Qaak"], KNOWN) == ("no", "fr")


def configured(**heard: object) -> SessionConfig:
    event = decode(
        b'{"type":"session.update","session":{"audio":{"input":{"transcription":'
        + msgspec.json.encode(heard)
        + b"}}}}"
    )
    assert isinstance(event, SessionUpdate)
    return merge(
        first_config(Settings()),
        event.session,
        voices=frozenset(VOICES),
        languages=KNOWN,
        text_chars=10,
        max_tools=1,
    )


def test_whoever_names_nothing_may_speak_anything() -> None:
    known = may_be_heard(configured(), Settings(), VOICES, KNOWN)
    assert known == Languages(frozenset(), frozenset({"en"}), "en")


def test_the_browsers_languages_are_expected_the_first_most_of_all() -> None:
    config = configured(languages=["fr-CA", "de", "tlh"])
    known = may_be_heard(config, Settings(), VOICES, KNOWN)
    assert known == Languages(frozenset(), frozenset({"fr", "de", "en"}), "fr")


@pytest.mark.parametrize(
    ("named", "present"), [(["fr-CA", "en"], "en"), (["fr"], "de"), ([], "de")]
)
def test_the_setting_shuts_others_out(named: list[str], present: str) -> None:
    allowed = ["de", "zh"] if present == "de" else ["de", "en"]
    settings = Settings.model_validate({"stt": {"languages": allowed}})
    known = may_be_heard(configured(languages=named), settings, VOICES, KNOWN)
    assert known.allowed == frozenset(allowed)
    assert known.present == present
    assert known.expected <= known.allowed


def test_only_our_own_clients_name_languages() -> None:
    patch = decode(
        b'{"type":"session.update","session":{"audio":{"input":{"transcription":'
        b'{"languages":["fr"]}}}}}'
    )
    assert isinstance(patch, SessionUpdate)
    given = {"voices": frozenset(VOICES), "languages": KNOWN, "text_chars": 9, "max_tools": 1}
    config = first_config(Settings())
    with pytest.raises(BadEvent) as error:
        merge(config, patch.session, extended=False, **given)  # type: ignore[arg-type]
    assert error.value.param == "session.audio.input.transcription.languages"
    with pytest.raises(BadEvent):
        configured(languages=["fr"] * 33)
    heard = show(config, "sess_1")["audio"]["input"]
    assert "languages" not in str(heard)
    shown = show(configured(languages=["fr"]), "sess_1")["audio"]["input"]["transcription"]
    assert shown["languages"] == ["fr"]


# --- what answers


@pytest.mark.parametrize(
    ("language", "voice", "preferred", "chosen"),
    [
        ("", "af_heart", {"en": "af_heart"}, "af_heart"),
        ("en", "bf_emma", {"en": "af_heart"}, "bf_emma"),
        ("fr", "af_heart", {"fr": "ff_siwis"}, "ff_siwis"),
        ("fr", "af_heart", {"fr": "gone"}, "ff_siwis"),
        ("zh", "af_heart", {}, "zm_yunxi"),
        ("de", "af_heart", {}, "af_heart"),
        ("en", "ff_siwis", {"en": "bf_emma"}, "bf_emma"),
    ],
)
def test_the_voice_is_one_of_the_language(
    language: str, voice: str, preferred: dict[str, str], chosen: str
) -> None:
    assert voice_for(language, voice, VOICES, preferred) == chosen


def planned(spoken: str, wish: ResponseParams | None = None, **settings: object) -> Plan:
    given = Settings.model_validate(settings)
    return plan(
        Rev(1, 1),
        config=first_config(given),
        settings=given,
        wish=wish,
        items=[MessageItem("item_1", "user", "Bonjour")],
        previous_item_id=None,
        conversation_id="conv_1",
        voices=VOICES,
        spoken=spoken,
    )


def test_a_reply_follows_the_language_that_was_spoken() -> None:
    french = planned("fr")
    assert (french.voice, french.language) == ("ff_siwis", "fr-FR")
    assert french.messages[0].text == f"{INSTRUCTIONS} Answer in French."
    for spoken in ("", "en", "de"):
        other = planned(spoken)
        assert (other.voice, other.messages[0].text) == ("af_heart", INSTRUCTIONS)


def test_it_does_not_where_that_is_not_wanted() -> None:
    still = planned("fr", tts={"follow_language": False})
    assert (still.voice, still.messages[0].text) == ("af_heart", INSTRUCTIONS)
    own = planned("fr", llm={"instructions": "Translate into English."})
    assert own.messages[0].text == "Translate into English."
    event = decode(
        b'{"type":"response.create","response":{"audio":{"output":{"voice":"bf_emma"}}}}'
    )
    assert planned("fr", event.response).voice == "bf_emma"  # type: ignore[union-attr]
