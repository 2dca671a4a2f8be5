"""The gateway over real sockets: admission, bad input, clients that vanish or never read.

The engines are scripted; the server, the WebSocket library and the client library are real.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.scripted.script import Log, Script
from voice.app import create_app
from voice.keys import Keys
from voice.protocol import frames
from voice.session import Engines
from voice.settings import Settings
from voice.sockets import Sockets


class Running:
    def __init__(self, app: Starlette, port: int, log: Log) -> None:
        self.service = app.state.service
        self.url = f"ws://127.0.0.1:{port}/v1/realtime"
        self.log = log

    def connect(self, **options: Any) -> Any:
        return connect(self.url, compression=None, **options)


@asynccontextmanager
async def running(script: Script | None = None, **given: Any) -> AsyncIterator[Running]:
    """A server on a free port, its engines scripted."""
    script = script or Script().answers("Hello to you, my friend.")
    if "data_dir" not in given:
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            async with running(script, data_dir=Path(folder), **given) as server:
                yield server
        return
    listener = socket.create_server(("127.0.0.1", 0))
    config = Settings(**given)
    app = create_app(config)
    log = Log()
    service = app.state.service

    async def load() -> None:
        service.engines = script._engines(log)

    service.load = load
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            ws=Sockets,
            ws_per_message_deflate=False,
            ws_max_size=config.limits.message_bytes,
            log_config=None,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not (server.started and service.settled.is_set()):
        await asyncio.sleep(0.01)
    try:
        yield Running(app, listener.getsockname()[1], log)
    finally:
        server.should_exit = True
        await serving


async def receive(client: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of this type; the ones before it are passed over."""
    async with asyncio.timeout(20):
        while True:
            message = await client.recv()
            if isinstance(message, str) and json.loads(message)["type"] == kind:
                return dict(json.loads(message))


async def error_code(client: ClientConnection) -> str:
    return str((await receive(client, "error"))["error"]["code"])


async def settled(server: Running) -> None:
    """Wait until no session is left."""
    async with asyncio.timeout(20):
        while server.service.gateway.sessions:
            await asyncio.sleep(0.01)


async def ask_in_text(client: ClientConnection, text: str = "Hi.") -> None:
    part = {"type": "input_text", "text": text}
    item = {"type": "message", "role": "user", "content": [part]}
    await client.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await client.send(json.dumps({"type": "response.create"}))


async def test_a_conversation_over_a_real_socket() -> None:
    async with running() as server, server.connect() as client:
        created = await receive(client, "session.created")
        assert created["session"]["type"] == "realtime"
        await ask_in_text(client)
        assert (await receive(client, "response.output_audio.delta"))["delta"]
        done = await receive(client, "response.done")
        assert done["response"]["status"] == "completed"


async def test_the_address_may_ask_for_a_session_that_only_transcribes() -> None:
    async with running() as server:
        server.url += "?intent=transcription"
        async with server.connect() as client:
            for kind in ("session.created", "session.updated"):
                session = (await receive(client, kind))["session"]
                assert session["type"] == "transcription"
                assert session["audio"]["input"]["transcription"] is not None
            change = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
            await client.send(json.dumps({"type": "session.update", "session": change}))
            session = (await receive(client, "session.updated"))["session"]
            assert session["audio"]["input"]["turn_detection"] is None
            await client.send(json.dumps({"type": "response.create"}))
            assert await error_code(client) == "invalid_session_type"


async def test_a_refused_handshake_is_no_error_of_the_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Keys(tmp_path / "keys.json").create("kiosk", ["realtime"])
    async with running(data_dir=tmp_path) as server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.url)
        assert refused.value.response.status_code == 401
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


BAD = [
    ("not JSON", "invalid_json"),
    ("", "invalid_json"),
    ("[]", "invalid_event"),
    ('{"type": "unheard.of"}', "unknown_event"),
    ('{"type": "conversation.item.retrieve", "item_id": 7}', "invalid_event"),
    (
        '{"type": "conversation.item.retrieve", "item_id": "nobody"}',
        "item_retrieve_invalid_item_id",
    ),
    (
        '{"type": "conversation.item.delete", "item_id": "nobody"}',
        "item_delete_invalid_item_id",
    ),
    (
        '{"type": "conversation.item.truncate", "item_id": "nobody", "audio_end_ms": 1}',
        "item_truncate_invalid_item_id",
    ),
    (
        '{"type": "conversation.item.create", "previous_item_id": "nobody", "item": '
        '{"type": "message", "role": "user", "content": []}}',
        "item_create_invalid_previous_item_id",
    ),
    (
        '{"type": "response.create", "response": {"input": '
        '[{"type": "item_reference", "id": "nobody"}]}}',
        "response_input_invalid_item_id",
    ),
    ('{"type": "input_audio_buffer.append", "audio": "%%%"}', "invalid_event"),
    ('{"type": "input_audio_buffer.append", "audio": "AAAA"}', "invalid_audio"),
    ('{"type": "input_audio_buffer.commit"}', "input_audio_buffer_commit_empty"),
    ('{"type": "response.cancel"}', "response_cancel_not_active"),
    ('{"type": "output_audio_buffer.played", "item_id": "a", "audio_end_ms": 1}', "unknown_event"),
    (
        '{"type": "session.update", "session": {"audio": {"output": {"voice": "nobody"}}}}',
        "unknown_voice",
    ),
    (
        '{"type": "session.update", "session": {"audio": {"output": {"speed": -3}}}}',
        "invalid_value",
    ),
    (
        '{"type": "session.update", "session": {"output_modalities": ["audio", "text"]}}',
        "invalid_value",
    ),
    (
        '{"type": "session.update", "session": {"audio": {"input": '
        '{"format": {"type": "audio/pcm", "rate": 16000}}}}}',
        "invalid_value",
    ),
]


async def test_bad_messages_are_answered_by_a_code_and_the_session_goes_on() -> None:
    async with running() as server, server.connect() as client:
        for message, code in BAD:
            await client.send(message)
            assert await error_code(client) == code, message
        await client.send(b"\x01")
        assert await error_code(client) == "invalid_frame"
        await ask_in_text(client)
        assert (await receive(client, "response.done"))["response"]["status"] == "completed"


async def test_bad_frames_are_answered_by_a_code_and_the_session_goes_on() -> None:
    async with running() as server, server.connect(subprotocols=[frames.SUBPROTOCOL]) as client:
        assert client.subprotocol == frames.SUBPROTOCOL
        odd = frames.encode(frames.MICROPHONE, 0, b"abc")
        for data in (b"", b"\x01", b"\x09" + bytes(7), odd, frames.encode(frames.REPLY, 1, b"ab")):
            await client.send(data)
            assert await error_code(client) == "invalid_frame"
        await client.send(frames.encode(frames.MICROPHONE, 0, bytes(2**21)))
        assert await error_code(client) == "audio_too_large"
        await ask_in_text(client)
        assert (await receive(client, "response.done"))["response"]["status"] == "completed"


async def test_audio_before_the_session_is_configured_is_heard() -> None:
    speech = np.full(24_000, 0.01 * 32_767, dtype="<i2").tobytes()
    script = Script().answers("Yes?")
    script._texts[1] = "Hello?"
    async with running(script) as server, server.connect() as client:
        for piece in (speech, bytes(48_000)):
            append = {"type": "input_audio_buffer.append", "audio": _base64(piece)}
            await client.send(json.dumps(append))
        assert (await receive(client, "input_audio_buffer.committed"))["item_id"]
        assert (await receive(client, "response.done"))["response"]["status"] == "completed"


async def test_a_message_beyond_the_limit_closes_with_1009() -> None:
    limits = {"message_bytes": 65_536}
    async with running(limits=limits) as server, server.connect() as client:
        await client.send("x" * 70_000)
        with pytest.raises(ConnectionClosed):
            while True:
                await client.recv()
        assert client.close_code == 1009
        await settled(server)


async def test_a_full_server_refuses_with_a_code_and_recovers() -> None:
    async with running(limits={"sessions": 1}) as server:
        async with server.connect() as first, server.connect() as second:
            await receive(first, "session.created")
            assert await error_code(second) == "too_many_sessions"
            with pytest.raises(ConnectionClosed):
                await second.recv()
            assert second.close_code == 1013
        await settled(server)
        async with server.connect() as third:
            await receive(third, "session.created")


async def test_a_client_that_vanishes_in_mid_reply_leaves_nothing_behind() -> None:
    script = Script().answers("word " * 2000, per_word=0.05)
    async with running(script) as server:
        before = len(asyncio.all_tasks())
        client = await server.connect()
        await ask_in_text(client)
        await receive(client, "response.output_audio.delta")
        assert len(asyncio.all_tasks()) > before
        client.transport.abort()
        async with asyncio.timeout(5):
            while server.service.gateway.sessions or len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.01)
        assert server.log.llm_closed, "the generation behind it was stopped"


async def test_a_client_that_never_reads_is_closed() -> None:
    script = Script().answers("word " * 5000, per_word=0.0).synthesizes(seconds=0.0)
    limits = {"send_timeout": 0.5, "outbound_seconds": 3600}
    tts = {"lead_seconds": 3600}
    async with running(script, limits=limits, tts=tts) as server:
        # A raw socket that completes the handshake and then reads nothing.
        host, port = "127.0.0.1", int(server.url.split(":")[2].split("/")[0])
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, (host, port))
        await loop.sock_sendall(raw, _handshake(port))
        await loop.sock_recv(raw, 512)
        part = {"type": "input_text", "text": "Hi."}
        item = {"type": "message", "role": "user", "content": [part]}
        await loop.sock_sendall(
            raw, _text_frame({"type": "conversation.item.create", "item": item})
        )
        await loop.sock_sendall(raw, _text_frame({"type": "response.create"}))
        async with asyncio.timeout(5):
            while not server.log.prompts:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(60):
            while server.service.gateway.sessions:
                await asyncio.sleep(0.05)
        raw.close()


async def test_origin_and_host_are_checked() -> None:
    async with running() as server:
        port = server.url.split(":")[2].split("/")[0]
        async with server.connect(origin=f"http://127.0.0.1:{port}") as client:
            await receive(client, "session.created")
        for options in (
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": f"https://127.0.0.1:{port}"},
            {"additional_headers": {"Host": "evil.example"}},  # a second one, beside the right one
        ):
            with pytest.raises(InvalidStatus) as refused:
                await server.connect(**options)
            assert refused.value.response.status_code == 403


async def test_a_session_does_not_outlast_its_time() -> None:
    limits = {"session_seconds": 1.5}
    async with running(limits=limits) as server, server.connect() as client:
        assert await error_code(client) == "session_expired"
        await settled(server)


async def test_a_bug_ends_the_session_without_a_traceback_for_the_client() -> None:
    async with running() as server, server.connect() as client:
        engines: Engines = server.service.engines

        def broken(*_: Any, **__: Any) -> Any:
            raise RuntimeError("secret internals")

        engines.llm.respond = broken  # type: ignore[method-assign]
        await ask_in_text(client)
        error = (await receive(client, "error"))["error"]
        assert error["code"] == "internal_error"
        assert "secret" not in json.dumps(error)
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1011


MESSAGES = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=64),
    st.sampled_from([text for text, _ in BAD]),
    st.binary(max_size=400).map(lambda half: frames.encode(frames.MICROPHONE, 0, half * 2)),
    st.sampled_from(
        [
            {"type": "response.create"},
            {"type": "response.cancel"},
            {"type": "input_audio_buffer.clear"},
            {"type": "input_audio_buffer.commit"},
            {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}},
            {"type": "response.create", "response": {"conversation": "none"}},
        ]
    ).map(json.dumps),
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(MESSAGES, max_size=30))
def test_no_sequence_of_messages_breaks_a_session(messages: list[str | bytes]) -> None:
    async def fuzz() -> None:
        async with (
            running() as server,
            server.connect(subprotocols=[frames.SUBPROTOCOL]) as client,
        ):
            for message in messages:
                await client.send(message)
            await client.send(json.dumps({"type": "session.update", "session": {}}))
            await receive(client, "session.updated")
            assert client.close_code is None

    asyncio.run(fuzz())


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def _handshake(port: int) -> bytes:
    return (
        f"GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def _text_frame(event: dict[str, Any]) -> bytes:
    """A masked text frame (RFC 6455, section 5.2); the mask is zero."""
    payload = json.dumps(event).encode()
    length = (
        bytes([0x80 | len(payload)])
        if len(payload) < 126
        else (bytes([0x80 | 126]) + len(payload).to_bytes(2, "big"))
    )
    return b"\x81" + length + bytes(4) + payload
