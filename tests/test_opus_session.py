"""Sessions whose sound is Opus: frames, replies, refusals, lines that break."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.scripted.script import Script
from tests.test_gateway import ask_in_text, error_code, receive, running
from tests.test_line import WORDS, Guest
from tests.test_realtime import HELLO, asked
from voice import opus
from voice.audio import SPOKEN_RATE
from voice.protocol import frames
from voice.protocol import server as wire

OPUS = {"type": "audio/opus", "rate": 24_000}
BOTH = {"audio": {"input": {"format": OPUS}, "output": {"format": OPUS}}}


def test_a_reply_is_as_long_as_it_would_be_without() -> None:
    script = (
        Script()
        .configured({"audio": {"output": {"format": OPUS}}})
        .sends(0.2, type="conversation.item.create", item=HELLO)
        .sends(0.3, type="response.create")
        .answers("One two three. Four five six.")
    )
    log = script.play()
    [done] = log.of(wire.ResponseDone)
    assert done.response.audio["output"]["format"] == OPUS
    pieces = [delta.delta for delta in log.of(wire.OpusDelta)]
    assert [opus.unpack(piece).begins for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    samples = sum(opus.unpack(piece).samples for piece in pieces)
    assert log.session is not None
    reply = log.session.memory.reply(log.of(wire.OpusDelta)[0].item_id)
    assert reply is not None
    assert samples == round(reply.seconds * SPOKEN_RATE) > 0
    assert reply.sent == pytest.approx(reply.seconds)
    decoder = opus.Decoder()
    assert sum(len(decoder.decode(piece)) for piece in pieces) == samples * 2


@pytest.mark.parametrize("wish", [{}, {"audio": {"output": {"format": OPUS}}}])
def test_other_clients_have_no_opus(wish: dict[str, Any]) -> None:
    log = asked({} if wish else BOTH, **wish).play()
    [error] = log.of(wire.ErrorEvent)
    assert error.error.code == "unsupported_format"
    assert not log.of(wire.OpusDelta)


def test_no_other_rate_is_agreed_upon() -> None:
    log = Script().configured({"audio": {"input": {"format": {**OPUS, "rate": 16_000}}}}).play()
    [error] = log.of(wire.ErrorEvent)
    assert (error.error.code, error.error.param) == (
        "invalid_value",
        "session.audio.input.format.rate",
    )


async def test_what_is_no_opus_is_answered_by_a_code_and_the_session_goes_on() -> None:
    broken = opus.pack(opus.Piece(False, 480, (bytes([0x7A, 250, 1]),)))
    long = opus.pack(opus.Piece(False, 480, (bytes([0x78, 1]),))) * 20_000
    async with running() as server, server.connect(subprotocols=[frames.SUBPROTOCOL]) as client:
        await client.send(json.dumps({"type": "session.update", "session": BOTH}))
        updated = await receive(client, "session.updated")
        assert updated["session"]["audio"]["input"]["format"] == OPUS
        for data in (b"\x01", broken, long):
            await client.send(frames.encode(frames.MICROPHONE_OPUS, 0, data))
            assert await error_code(client) == "invalid_audio"
            append = {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}
            await client.send(json.dumps(append))
            assert await error_code(client) == "invalid_audio"
        await client.send(frames.encode(frames.MICROPHONE_OPUS, 0, bytes(2**21)))
        assert await error_code(client) == "audio_too_large"
        await client.send(frames.encode(frames.REPLY_OPUS, 1, b"\x00\x00"))
        assert await error_code(client) == "invalid_frame"
        await ask_in_text(client)
        assert (await receive(client, "response.done"))["response"]["status"] == "completed"


async def test_both_kinds_of_frames_are_heard_in_turn() -> None:
    encoder = opus.Encoder()
    second = bytes(2 * SPOKEN_RATE)
    async with running() as server, server.connect(subprotocols=[frames.SUBPROTOCOL]) as client:
        [session] = server.service.gateway.sessions
        session.ears.segmenter.threshold = 1.1
        for _ in range(2):
            await client.send(frames.encode(frames.MICROPHONE, 0, second))
            await client.send(frames.encode(frames.MICROPHONE_OPUS, 0, encoder.encode(second)))
            await client.send(frames.encode(frames.MICROPHONE_OPUS, 0, encoder.flush()))
        await client.send(json.dumps({"type": "input_audio_buffer.clear"}))
        await receive(client, "input_audio_buffer.cleared")
        assert session.ears.tape.end / 16_000 == pytest.approx(4, abs=0.1)


async def test_a_reply_arrives_whole_over_a_line_that_breaks() -> None:
    answer = " ".join(WORDS.split()[:40])
    async with running(Script().answers(answer), tts={"lead_seconds": 3600}) as server:
        guest = Guest(server)
        await guest.connect()
        await guest.socket.send(json.dumps({"type": "session.update", "session": BOTH}))
        await ask_in_text(guest.socket)
        for count in (12, 0, 7):
            await guest.read(count)
            guest.drop()
            assert (await guest.connect())["type"] == "session.resumed"
        await guest.read_until("response.done")
        pieces = [frames.decode(each) for each in guest.got if isinstance(each, bytes)]
        assert {frame.kind for frame in pieces} == {frames.REPLY_OPUS}
        heard = [opus.unpack(frame.payload) for frame in pieces]
        assert [piece.begins for piece in heard] == [True] + [False] * (len(heard) - 1)
        [session] = server.service.gateway.sessions
        item = next(e for e in guest.events if e["type"] == "response.output_audio.done")["item_id"]
        reply = session.memory.reply(item)
        assert reply is not None
        assert sum(piece.samples for piece in heard) == round(reply.seconds * SPOKEN_RATE)
