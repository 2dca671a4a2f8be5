"""What the Realtime protocol promises beyond the order of its events, under virtual time."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from tests.scripted.script import Log, Script
from voice import g711
from voice.audio import SPOKEN_RATE, Pcm
from voice.protocol import client
from voice.protocol import server as wire
from voice.protocol.config import show

HELLO = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hello."}],
    "id": "hello",
}


def asked(session: dict[str, Any], **response: Any) -> Script:
    """A script in which the client writes, and asks for a response of its own kind."""
    return (
        Script()
        .plain()
        .configured(session)
        .sends(0.2, type="conversation.item.create", item=HELLO)
        .sends(0.3, type="response.create", response=response)
        .answers("One two three.")
    )


def test_null_means_unset_where_clients_write_it_so() -> None:
    fields = ["instructions", "tools", "tool_choice", "max_output_tokens", "output_modalities"]
    nulls: dict[str, Any] = dict.fromkeys([*fields, "audio", "input", "metadata"])
    log = asked({**dict.fromkeys([*fields, "audio", "model", "type"])}, **nulls).play()
    assert not log.of(wire.ErrorEvent)
    [done] = log.of(wire.ResponseDone)
    assert done.response.status == "completed"


def test_usage_says_where_the_tokens_come_from() -> None:
    log = asked({}).play()
    [done] = log.of(wire.ResponseDone)
    usage = done.response.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (10, 3, 13)
    assert usage.input_token_details.text_tokens == 10
    assert usage.output_token_details.text_tokens == 3


def test_a_response_can_have_an_input_of_its_own() -> None:
    note = {**HELLO, "id": "note", "content": [{"type": "input_text", "text": "Only this."}]}
    reference = {"type": "item_reference", "id": "hello"}
    script = asked({}, input=[note], conversation="none").sends(
        3.0, type="response.create", response={"input": [reference, note]}
    )
    log = script.play()
    first, second = log.prompts
    assert [message.text for message in first[1:]] == ["Only this."]
    assert [message.text for message in second[1:]] == ["Hello.\nOnly this."]
    assert log.session is not None
    assert "note" not in log.session.memory.conversation


def test_a_response_can_have_a_format_of_its_own() -> None:
    log = asked({}, audio={"output": {"format": {"type": "audio/pcma"}}}).play()
    [done] = log.of(wire.ResponseDone)
    assert done.response.audio["output"]["format"] == {"type": "audio/pcma"}
    sound = b"".join(delta.delta for delta in log.of(wire.AudioDelta))
    assert len(sound) == round(0.9 * g711.RATE)


def spoken(encoding: str) -> dict[str, Any]:
    shape = {"type": encoding}
    return {
        "audio": {
            "input": {"format": shape, "transcription": {}},
            "output": {"format": shape},
        }
    }


class Telephone(Script):
    """Speaks and hears G.711 instead of PCM."""

    law: g711.Law

    async def _speak(self, session: Any, log: Log) -> None:
        hear = session.hear

        async def hear_g711(data: bytes) -> None:
            sound: Pcm = np.frombuffer(data, "<i2").astype(np.float32)[::3] / 32_768
            await hear(g711.encode(sound, self.law))

        session.hear = hear_g711
        await super()._speak(session, log)


@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
def test_a_telephone_is_understood_and_answered(law: g711.Law) -> None:
    script = Telephone()
    script.law = law
    script.plain().configured(spoken(law)).says(0.5, 1.5, "Hello?").answers("One two three.")
    log = script.play()
    [heard] = log.of(wire.TranscriptionCompleted)
    assert heard.transcript == "Hello?"
    [started] = log.of(wire.SpeechStarted)
    assert abs(started.audio_start_ms - 200) <= 64  # 300 ms of prefix
    sound = b"".join(delta.delta for delta in log.of(wire.AudioDelta))
    pcm = g711.decode(sound, law)
    assert len(pcm) == round(0.9 * g711.RATE)
    assert np.abs(pcm[200:-200] - 0.1).max() < 0.01
    assert log.session is not None
    shown = show(log.session.config, "s")
    assert shown["audio"]["output"]["format"] == {"type": law}


def test_frames_carry_no_telephone_audio() -> None:
    log = Script().configured(spoken("audio/pcmu")).lasts(0.5).play()
    [error] = log.of(wire.ErrorEvent)
    assert error.error.code == "unsupported_format"


def test_a_transcription_session_transcribes_and_never_answers() -> None:
    log = (
        Script()
        .plain()
        .configured({"type": "transcription", "audio": {"input": {}}})
        .says(0.5, 1.5, "Hello?")
        .says(3.0, 4.0, "Goodbye.")
        .sends(6.0, type="response.create")
        .answers("-")
        .play()
    )
    told = [event.transcript for event in log.of(wire.TranscriptionCompleted)]
    assert told == ["Hello?", "Goodbye."]
    assert not log.of(wire.ResponseCreated)
    [error] = log.of(wire.ErrorEvent)
    assert error.error.code == "invalid_session_type"
    [updated] = log.of(wire.SessionUpdated)
    assert updated.session["object"] == "realtime.transcription_session"
    assert updated.session["audio"]["input"]["transcription"] is not None


def retrieved(log: Log, number: int) -> bytes:
    event = json.loads(wire.encode_json(log.of(wire.ItemRetrieved)[number]))
    return base64.b64decode(event["item"]["content"][0]["audio"])


def test_retrieved_items_have_their_sound() -> None:
    def ask(kind: type[Any], field: str) -> Any:
        return lambda log: {
            "type": "conversation.item.retrieve",
            "item_id": getattr(log.of(kind)[0], field),
        }

    log = (
        Script()
        .plain()
        .says(0.5, 1.5, "Hello?")
        .answers("One two three.")
        .does(5.0, ask(wire.BufferCommitted, "item_id"))
        .does(5.1, ask(wire.AudioDelta, "item_id"))
        .play()
    )
    said = np.frombuffer(retrieved(log, 0), "<i2") / 32_768
    assert 1.0 <= len(said) / SPOKEN_RATE <= 1.5
    assert abs(np.median(said) - 0.01) < 0.002
    replied = np.frombuffer(retrieved(log, 1), "<i2") / 32_768
    assert abs(len(replied) - round(0.9 * SPOKEN_RATE)) <= 1
    assert np.allclose(replied, 0.1, atol=0.001)


def test_a_truncated_item_keeps_what_the_client_says_was_heard() -> None:
    def truncate(log: Log) -> dict[str, Any]:
        item_id = log.of(wire.AudioDelta)[0].item_id
        return {"type": "conversation.item.truncate", "item_id": item_id, "audio_end_ms": 400}

    def retrieve(log: Log) -> dict[str, Any]:
        item_id = log.of(wire.AudioDelta)[0].item_id
        return {"type": "conversation.item.retrieve", "item_id": item_id}

    words = " ".join(["one two three four five six seven eight nine ten."] * 20)
    log = (
        Script()
        .plain()
        .says(0.5, 1.5, "Hello?")
        .answers(words, per_word=0.1)
        .does(4.0, truncate)
        .sends(4.1, type="response.cancel")
        .does(5.0, retrieve)
        .play()
    )
    [item] = [event.item for event in log.of(wire.ItemRetrieved)]
    assert item.content[0].transcript == "one"
    assert len(retrieved(log, 0)) == round(0.4 * SPOKEN_RATE) * 2


def test_item_references_are_read() -> None:
    wanted = {"input": [{"type": "item_reference", "id": "a"}]}
    event = client.decode(json.dumps({"type": "response.create", "response": wanted}))
    assert isinstance(event, client.ResponseCreate)
    assert isinstance(event.response, client.ResponseParams)
    assert event.response.input == [client.ItemReference(id="a")]
