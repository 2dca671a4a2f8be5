"""The wire: client events in, server events out, and the binary frames."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from tests.scripted.script import LLM_DROPPED, Log, Script
from voice.errors import BadEvent
from voice.protocol import client, frames
from voice.protocol import server as wire

FIXTURES = Path(__file__).parent / "fixtures" / "wire"
OPENAI: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
EXTENSIONS = {cls.__struct_config__.tag for cls in wire.EXTENSIONS}


def cases(name: str) -> list[Any]:
    loaded = json.loads((FIXTURES / f"{name}.json").read_text())
    return [pytest.param(case, id=case["name"]) for case in loaded]


# --- what clients send


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        ("[]", "invalid_event", None),
        ("null", "invalid_event", None),
        ("{}", "invalid_event", None),
        ('{"type": 3}', "invalid_event", "type"),
        ('{"type": "session.destroy"}', "unknown_event", "type"),
        ('{"type": "input_audio_buffer.append"}', "invalid_event", None),
        ('{"type": "input_audio_buffer.append", "audio": 5}', "invalid_event", "audio"),
        ('{"type": "input_audio_buffer.append", "audio": "@@@"}', "invalid_event", "audio"),
        (
            '{"type": "conversation.item.truncate", "item_id": "a", "audio_end_ms": "1"}',
            "invalid_event",
            "audio_end_ms",
        ),
        (
            '{"type": "conversation.item.truncate", "item_id": "a", "audio_end_ms": NaN}',
            "invalid_json",
            None,
        ),
        (
            '{"type": "conversation.item.truncate", "item_id": "a", "audio_end_ms": 1e999}',
            "invalid_event",
            "audio_end_ms",
        ),
        (
            '{"type": "session.update", "session": {"audio": {"output": {"speed": Infinity}}}}',
            "invalid_json",
            None,
        ),
        (
            '{"type": "session.update", "session": {"audio": {"input": '
            '{"turn_detection": {"type": "psychic"}}}}}',
            "invalid_event",
            "session.audio.input.turn_detection.type",
        ),
    ],
)
def test_malformed_events_are_refused_with_a_code(text: str, code: str, param: str | None) -> None:
    with pytest.raises(BadEvent) as error:
        client.decode(text)
    assert (error.value.code, error.value.param) == (code, param)


@given(st.text())
def test_any_text_is_an_event_or_refused(text: str) -> None:
    try:
        client.decode(text)
    except BadEvent as error:
        assert error.message
    client.peek_event_id(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
TYPES = [cls.__struct_config__.tag for cls in client.ClientEvent.__subclasses__()]


@given(
    st.sampled_from(TYPES),
    st.dictionaries(
        st.sampled_from(["session", "audio", "item", "item_id", "response", "event_id"]), JSON
    ),
)
def test_any_object_of_a_known_type_is_an_event_or_refused(
    kind: str, fields: dict[str, Any]
) -> None:
    try:
        client.decode(json.dumps({**fields, "type": kind}))
    except BadEvent as error:
        assert error.code in ("invalid_event", "invalid_json", "unknown_event")


def test_every_client_event_of_openai_is_known() -> None:
    assert set(TYPES) >= {
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "output_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.retrieve",
        "conversation.item.truncate",
        "conversation.item.delete",
        "response.create",
        "response.cancel",
    }


def test_an_error_can_name_the_event_it_is_about() -> None:
    assert client.peek_event_id('{"type": "nonsense", "event_id": "mine"}') == "mine"
    assert client.peek_event_id('{"event_id": 7}') is None
    assert client.peek_event_id("{") is None


# --- the two encodings, on the fixtures that the page's codec is tested on too


@pytest.mark.parametrize("case", cases("frames"))
def test_frames(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["binary"])
    if case["event"] is None:
        with pytest.raises(BadEvent) as error:
            frames.decode(data)
        assert error.value.code == "invalid_frame"
        return
    frame = frames.decode(data)
    event = case["event"]
    if case["direction"] == "client":
        assert frame.kind in (frames.MICROPHONE, frames.MICROPHONE_OPUS)
        assert base64.b64encode(frame.payload).decode() == event["audio"]
        decoded = client.decode(case["json"])
        assert isinstance(decoded, client.AudioAppend)
        assert decoded.audio == bytes(frame.payload)
        assert frames.encode(frame.kind, 0, decoded.audio) == data
    else:
        assert frame.turn == event["turn"]
        made = wire.OpusDelta if frame.kind == frames.REPLY_OPUS else wire.AudioDelta
        delta = made(
            response_id="r", item_id="i", output_index=0, delta=base64.b64decode(event["delta"])
        )
        assert wire.encode_vivavoce(delta, event["turn"]) == data


@pytest.mark.parametrize("case", cases("events"))
def test_events(case: dict[str, Any]) -> None:
    if case["direction"] == "client" and case["event"] is not None:
        decoded = client.decode(case["json"])
        shown = msgspec.to_builtins(decoded)
        assert {k: v for k, v in shown.items() if k != "event_id"} == case["event"]
    elif case["event"] is None:
        with pytest.raises(BadEvent):
            client.decode(case["json"])
    else:
        assert json.loads(case["json"]) == case["event"]
        assert case["event"]["type"] in wire.event_types()


@given(st.integers(0, 2**32 - 1), st.binary(max_size=64))
def test_frames_survive_the_way(turn: int, half: bytes) -> None:
    pcm = half * 2
    frame = frames.decode(frames.encode(frames.REPLY, turn, pcm))
    assert (frame.kind, frame.turn, bytes(frame.payload)) == (frames.REPLY, turn, pcm)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    try:
        frames.decode(data)
    except BadEvent as error:
        assert error.code == "invalid_frame"


# --- what the server sends has OpenAI's shapes


def scenario_logs() -> list[Log]:
    part = {"type": "input_text", "text": "Hi."}
    item = {"type": "message", "role": "user", "content": [part], "id": "hello"}
    tool = {"type": "function", "name": "clock", "parameters": {"type": "object"}}
    spoken = (
        Script()
        .plain()
        .configured(
            {
                "tools": [tool],
                "audio": {"input": {"transcription": {}, "turn_detection": {"type": "server_vad"}}},
            }
        )
        .says(0.5, 1.5, "Hello?")
        .answers("One two three four five six. Seven eight nine ten.")
        .calls("clock", '{"zone": "utc"}')
        .breaks(LLM_DROPPED, "Well")
        .says(3.5, 5.0, "Stop.")
        .says(8.0, 9.0, "What now?")
        .sends(12.0, type="nonsense")
    )
    written = (
        Script()
        .plain()
        .configured({"output_modalities": ["text"], "audio": {"input": {"turn_detection": None}}})
        .sends(0.2, type="conversation.item.create", item=item)
        .sends(0.2, type="response.create")
        .answers("Hello to you.")
        .sends(2.0, type="conversation.item.retrieve", item_id="hello")
        .sends(2.1, type="conversation.item.delete", item_id="hello")
        .sends(2.2, type="input_audio_buffer.clear")
        .lasts(3.0)
    )
    failing = (
        Script()
        .plain()
        .configured(
            {"audio": {"input": {"transcription": {}, "turn_detection": {"type": "server_vad"}}}}
        )
        .says(0.5, 1.5, "Hello?")
        .recognises(fails=True, seconds=1.0)
        .answers("-")
    )

    def truncate(log: Log) -> dict[str, Any]:
        item_id = log.of(wire.AudioDelta)[0].item_id
        return {"type": "conversation.item.truncate", "item_id": item_id, "audio_end_ms": 100}

    idle = {"type": "server_vad", "idle_timeout_ms": 5000}
    quiet = (
        Script()
        .plain()
        .configured({"audio": {"input": {"turn_detection": idle}}})
        .says(0.5, 1.5, "Hello?")
        .answers("Yes.")
        .lasts(15)
    )
    cut = Script().plain().says(0.5, 1.5, "Hello?").answers("One two.").does(5.0, truncate)
    return [script.play() for script in (spoken, written, failing, quiet, cut)]


def test_every_server_event_is_one_that_openai_documents() -> None:
    seen: set[str] = set()
    for log in scenario_logs():
        for _, event in log.events:
            text = wire.encode_json(event)
            OPENAI.validate_json(text, strict=False)
            # The union is lenient: make sure that it took the event for what it is.
            parsed = OPENAI.validate_json(text)
            assert parsed.type == json.loads(text)["type"]
            seen.add(parsed.type)
    unseen = wire.event_types() - seen - EXTENSIONS - {"rate_limits.updated"}
    assert not unseen, f"these events were never sent in the scenarios: {sorted(unseen)}"


def test_only_the_clients_of_vivavoce_get_a_turn() -> None:
    event = wire.AudioDone(response_id="r", item_id="i", output_index=0)
    assert "turn" not in json.loads(wire.encode_json(event))
    assert json.loads(wire.encode_vivavoce(event, 7))["turn"] == 7
