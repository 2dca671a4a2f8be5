"""The HTTP API over real sockets with scripted engines: shapes, limits, tools, who leaves."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import numpy as np
import openai
import pytest
import soundfile
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from chat.errors import ChatError
from tests.scripted.script import Script
from tests.test_gateway import Running, running
from voice.guard import KEY_SUBPROTOCOL
from voice.keys import Keys
from voice.rest.completions import CompletionRequest, read_options
from voice.rest.service import Rest

ASK: list[Any] = [{"role": "user", "content": "Hello?"}]


def base(server: Running) -> str:
    return server.url.replace("ws:", "http:").removesuffix("/realtime")


def client(server: Running, key: str = "unused") -> AsyncOpenAI:
    return AsyncOpenAI(base_url=base(server), api_key=key, max_retries=0)


def sound(seconds: float = 1.0, level: float = 0.01) -> io.BytesIO:
    file = io.BytesIO()
    file.name = "speech.wav"
    samples = np.full(int(16_000 * seconds), level, np.float32)
    soundfile.write(file, samples, 16_000, format="WAV", subtype="FLOAT")
    file.seek(0)
    return file


async def post(server: Running, path: str, **body: Any) -> httpx2.Response:
    async with httpx2.AsyncClient() as http:
        return await http.post(f"{base(server)}{path}", **body)


def code(answer: httpx2.Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status_code, error["code"], error["param"]


# --- chat completions


async def test_a_completion_whole_and_streamed() -> None:
    async with running() as server, client(server) as ai:
        whole = await ai.chat.completions.create(model="any", messages=ASK)
        assert whole.choices[0].message.content == "Hello to you, my friend."
        assert whole.choices[0].finish_reason == "stop"
        assert whole.usage is not None
        assert (whole.usage.prompt_tokens, whole.usage.total_tokens) == (10, 15)
        assert whole.model == "any"
        text, ends, usages, ids = "", [], [], set()
        async for chunk in await ai.chat.completions.create(
            model="any", messages=ASK, stream=True, stream_options={"include_usage": True}
        ):
            ids.add(chunk.id)
            usages.append(chunk.usage)
            for choice in chunk.choices:
                text += choice.delta.content or ""
                ends.append(choice.finish_reason)
        assert text == "Hello to you, my friend."
        assert ends[-1] == "stop"
        assert len(ids) == 1
        assert usages[-1] is not None
        assert usages[-1].total_tokens == 15


async def test_a_conversation_reaches_the_model_as_it_is() -> None:
    messages: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "7"},
    ]
    async with running() as server:
        async with client(server) as ai:
            await ai.chat.completions.create(model="x", messages=messages)
        prompt = server.log.prompts[0]
        assert [m.role for m in prompt] == ["system", "user", "assistant", "tool"]
        assert [m.text for m in prompt] == ["Be brief.", "ab", "", "7"]
        assert prompt[2].tool_calls[0].name == "f"
        assert prompt[3].tool_call_id == "c1"


async def test_sampling_reaches_the_model_as_it_is() -> None:
    async with running() as server:
        rest = Rest(server.service.settings, lambda: None, server.service.door)
    body = {
        "messages": ASK,
        "temperature": 0.1,
        "top_p": 0.2,
        "frequency_penalty": 0.3,
        "presence_penalty": -0.4,
        "seed": 0,
        "stop": "END",
    }
    options = read_options(msgspec.convert(body, CompletionRequest), rest)
    given = [
        (body[name], getattr(options, name)) for name in body if name not in ("messages", "stop")
    ]
    assert all(asked == told for asked, told in given)
    assert options.stop == ("END",)
    body["stop"] = ["END", "."]
    assert read_options(msgspec.convert(body, CompletionRequest), rest).stop == ("END", ".")
    plain = read_options(msgspec.convert({"messages": ASK}, CompletionRequest), rest)
    assert (plain.top_p, plain.seed, plain.stop) == (None, None, ())


TOOL: Any = {
    "type": "function",
    "function": {"name": "light", "parameters": {"type": "object", "properties": {}}},
}


async def test_tool_calls_come_back_whole_and_streamed() -> None:
    async with running(Script().calls("light", '{"on": true}')) as server, client(server) as ai:
        whole = await ai.chat.completions.create(model="x", messages=ASK, tools=[TOOL])
        choice = whole.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        assert choice.message.tool_calls is not None
        call: Any = choice.message.tool_calls[0]
        assert (call.function.name, call.function.arguments) == ("light", '{"on": true}')
        called: list[Any] = []
        async for chunk in await ai.chat.completions.create(
            model="x", messages=ASK, tools=[TOOL], stream=True
        ):
            called += chunk.choices[0].delta.tool_calls or []
        assert [(c.index, c.id, c.function.name) for c in called] == [(0, "call_1", "light")]


BAD_CHATS: list[tuple[Any, str, str | None]] = [
    ({"messages": []}, "invalid_value", "messages"),
    ({}, "invalid_value", None),
    ([], "invalid_value", None),
    ({"messages": [{"role": "king", "content": "x"}]}, "invalid_value", "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "invalid_value", "messages[0].content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "invalid_value", "messages[0].tool_call_id"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "unsupported_content",
        "messages[0].content",
    ),
    ({"messages": ASK, "n": 2}, "unsupported_parameter", "n"),
    (
        {"messages": ASK, "response_format": {"type": "json_object"}},
        "unsupported_parameter",
        "response_format",
    ),
    ({"messages": ASK, "logprobs": True}, "unsupported_parameter", "logprobs"),
    ({"messages": ASK, "logit_bias": {"7": 1}}, "unsupported_parameter", "logit_bias"),
    ({"messages": ASK, "modalities": ["audio"]}, "unsupported_parameter", "modalities"),
    ({"messages": ASK, "functions": [{}]}, "unsupported_parameter", "functions"),
    ({"messages": ASK, "top_p": 2}, "invalid_value", "top_p"),
    ({"messages": ASK, "seed": 0.5}, "invalid_value", "seed"),
    ({"messages": ASK, "frequency_penalty": 3}, "invalid_value", "frequency_penalty"),
    ({"messages": ASK, "presence_penalty": -3}, "invalid_value", "presence_penalty"),
    ({"messages": ASK, "stop": ["a"] * 5}, "invalid_value", "stop"),
    ({"messages": ASK, "stop": ""}, "invalid_value", "stop"),
    ({"messages": ASK, "max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"messages": ASK, "temperature": 3}, "invalid_value", "temperature"),
    ({"messages": ASK, "tool_choice": "required"}, "invalid_value", "tool_choice"),
    ({"messages": ASK, "tools": [TOOL] * 129}, "too_long", "tools"),
]


async def test_bad_chats_are_refused_with_the_field_that_is_wrong() -> None:
    async with running() as server:
        for body, wrong, param in BAD_CHATS:
            answer = await post(server, "/chat/completions", json=body)
            assert code(answer) == (400, wrong, param), body
        for raw in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
            answer = await post(server, "/chat/completions", content=raw)
            assert code(answer)[:2] in ((400, "invalid_json"), (400, "invalid_value"))
        big = json.dumps({"messages": [{"role": "user", "content": "x" * 5_000_000}]}).encode()
        assert code(await post(server, "/chat/completions", content=big))[:2] == (
            413,
            "body_too_large",
        )

        async def endless() -> Any:
            for _ in range(200):
                yield b" " * 65_536

        undeclared = await post(server, "/chat/completions", content=endless())
        assert code(undeclared)[:2] == (413, "body_too_large")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ChatError("llm_unreachable", "no one there"), 502),
        (ChatError("llm_refused", "too long"), 400),
        (ChatError("llm_overloaded", "busy"), 503),
        (ChatError("llm_timeout", "slow"), 504),
    ],
)
async def test_a_models_failure_has_a_status(error: ChatError, status: int) -> None:
    async with running(Script().breaks(error)) as server:
        for stream in (False, True):
            body = {"messages": ASK, "stream": stream}
            answer = await post(server, "/chat/completions", json=body)
            assert code(answer) == (status, error.code, None)


async def test_a_failure_in_mid_stream_is_told_in_the_stream() -> None:
    script = Script().breaks(ChatError("llm_dropped", "it broke off"), after="Once upon")
    async with running(script) as server, client(server) as ai:
        text = ""
        with pytest.raises(openai.APIError, match="it broke off"):
            async for chunk in await ai.chat.completions.create(
                model="x", messages=ASK, stream=True
            ):
                text += chunk.choices[0].delta.content or ""
        assert text == "Once upon"


async def test_a_model_with_nothing_to_say_gives_an_empty_answer() -> None:
    script = Script().breaks(ChatError("llm_empty", "nothing"))
    async with running(script) as server, client(server) as ai:
        whole = await ai.chat.completions.create(model="x", messages=ASK)
        assert whole.choices[0].message.content == ""


async def test_a_client_that_leaves_stops_the_generation() -> None:
    async with running(Script().answers("word " * 5000, per_word=0.02)) as server:
        async with client(server) as ai:
            stream = await ai.chat.completions.create(model="x", messages=ASK, stream=True)
            async for _ in stream:
                break
            await stream.close()
        async with asyncio.timeout(10):
            while not server.log.llm_closed:
                await asyncio.sleep(0.01)
        assert server.service.rest.running == 0


async def test_only_so_many_requests_are_served_at_a_time() -> None:
    script = Script().answers("word " * 500, per_word=0.02)
    async with running(script, limits={"requests": 1}) as server, client(server) as ai:
        stream = await ai.chat.completions.create(model="x", messages=ASK, stream=True)
        with pytest.raises(openai.InternalServerError) as refused:
            await ai.models.list()
        assert refused.value.code == "too_many_requests"
        assert refused.value.response.headers["retry-after"]
        await stream.close()
        async with asyncio.timeout(10):
            while server.service.rest.running:
                await asyncio.sleep(0.01)
        await ai.models.list()


# --- audio


async def test_speech_is_sent_while_it_is_synthesised() -> None:
    script = Script().synthesizes(seconds=0.1)
    text = "This is the first sentence of many. " * 6
    async with running(script) as server, client(server) as ai:
        seen: list[int] = []
        async with ai.audio.speech.with_streaming_response.create(
            model="tts-1", voice="af_heart", input=text, response_format="pcm"
        ) as answer:
            assert answer.headers["content-type"].startswith("audio/pcm")
            seen += [len(server.log.synthesized) async for piece in answer.iter_bytes() if piece]
        assert 0 < seen[0] < seen[-1], "the first bytes came before the last clause was made"
        heard = " ".join(server.log.synthesized)
        assert heard.count("sentence") == 6


async def test_speech_as_events() -> None:
    import base64

    async with running() as server:
        body = {
            "input": "Hello there.",
            "voice": {"id": "af_heart"},
            "response_format": "pcm",
            "stream_format": "sse",
        }
        answer = await post(server, "/audio/speech", json=body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line]
        assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
        assert events[-1]["type"] == "speech.audio.done"
        audio = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
        assert len(audio) == events[-1]["usage"]["output_tokens"]
        assert len(audio) == 2 * int(2 * 0.3 * 24_000)


BAD_SPEECH = [
    ({"input": "x" * 4097, "voice": "af_heart"}, "too_long", "input"),
    ({"input": "", "voice": "af_heart"}, "invalid_value", "input"),
    ({"input": "***", "voice": "af_heart"}, "nothing_to_say", "input"),
    ({"input": "x", "voice": "nobody"}, "unknown_voice", "voice"),
    ({"input": "x", "voice": "af_heart+nobody"}, "unknown_voice", "voice"),
    ({"input": "x", "voice": "+".join(["af_heart"] * 9)}, "unknown_voice", "voice"),
    ({"input": "x", "voice": 3}, "invalid_value", "voice"),
    ({"input": "x", "voice": "af_heart", "speed": 4.1}, "invalid_value", "speed"),
    ({"input": "x", "voice": "af_heart", "speed": 0.2}, "invalid_value", "speed"),
    (
        {"input": "x", "voice": "af_heart", "response_format": "ra"},
        "invalid_value",
        "response_format",
    ),
]


async def test_bad_speech_requests_are_refused() -> None:
    async with running() as server:
        for body, wrong, param in BAD_SPEECH:
            answer = await post(server, "/audio/speech", json=body)
            assert code(answer) == (400, wrong, param), body


async def test_a_recording_is_transcribed_by_a_recogniser_without_times() -> None:
    script = Script().answers("x")
    script._texts[1] = "Hello there."
    async with running(script) as server, client(server) as ai:
        heard = await ai.audio.transcriptions.create(model="whisper-1", file=sound())
        assert heard.text == "Hello there."
        text = await ai.audio.transcriptions.create(
            model="whisper-1", file=sound(), response_format="text"
        )
        assert text == "Hello there.\n"
        with pytest.raises(openai.BadRequestError) as refused:
            await ai.audio.transcriptions.create(
                model="whisper-1", file=sound(), response_format="srt"
            )
        assert refused.value.code == "unsupported_format"


async def test_bad_uploads_are_refused() -> None:
    limits = {"upload_bytes": 100_000, "upload_seconds": 2}
    path = "/audio/transcriptions"
    wav = sound().getvalue()
    async with running(limits=limits) as server:
        for files, data, wrong, param in [
            ({"file": b"no sound"}, {}, "invalid_audio", "file"),
            ({"file": sound(0).getvalue()}, {}, "invalid_audio", "file"),
            ({"other": wav}, {}, "missing_file", "file"),
            ({"file": wav}, {"language": "xx"}, "unknown_language", "language"),
            ({"file": wav}, {"response_format": "pdf"}, "invalid_value", "response_format"),
            ({"file": wav}, {"stream": "perhaps"}, "invalid_value", "stream"),
            ({"file": wav}, {"temperature": "hot"}, "invalid_value", "temperature"),
        ]:
            answer = await post(server, path, files=files, data=data)
            assert code(answer) == (400, wrong, param), (data, wrong)
        long = io.BytesIO()
        soundfile.write(long, np.zeros(3 * 16_000, np.int16), 16_000, format="WAV")
        answer = await post(server, path, files={"file": long.getvalue()})
        assert code(answer) == (400, "audio_too_long", "file")
        answer = await post(server, path, files={"file": bytes(400_000)})
        assert code(answer) == (413, "body_too_large", None)
        assert code(await post(server, path, json={}))[:2] == (400, "invalid_form")
        for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
            answer = await post(server, path, content=b"junk", headers={"content-type": kind})
            assert answer.status_code == 400, kind


# --- models, and what is not there


async def test_models_are_listed_and_found() -> None:
    async with running() as server, client(server) as ai:
        names = [model.id async for model in ai.models.list()]
        assert "scripted" in names
        assert (await ai.models.retrieve("vivavoce")).id == "vivavoce"
        with pytest.raises(openai.NotFoundError) as refused:
            await ai.models.retrieve("gpt/5")
        assert refused.value.code == "model_not_found"


async def test_what_is_not_there_is_refused_in_the_same_shape() -> None:
    async with running() as server, httpx2.AsyncClient() as http:
        for method in ("GET", "POST", "DELETE"):
            answer = await http.request(method, f"{base(server)}/nothing")
            assert code(answer)[:2] == (404, "not_found")
        wrong = await http.get(f"{base(server)}/audio/speech")
        assert code(wrong)[:2] == (405, "method_not_allowed")
        assert "POST" in wrong.headers["allow"]


async def test_nothing_is_answered_before_the_models_are_there() -> None:
    async with running() as server:
        server.service.engines = None
        answer = await post(server, "/chat/completions", json={"messages": ASK})
        assert code(answer)[:2] == (503, "not_ready")


# --- keys and client secrets, over the whole server


async def test_a_browsers_secret_opens_the_session_it_was_made_for(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    key, text = keys.create("web", ["realtime"])
    async with running(data_dir=tmp_path) as server:
        async with client(server, text) as ai:
            secret = await ai.realtime.client_secrets.create(
                expires_after={"anchor": "created_at", "seconds": 60},
                session={"type": "realtime", "instructions": "Speak like a pirate."},
            )
            assert secret.value.startswith("ek_")
            assert getattr(secret.session, "instructions") == "Speak like a pirate."  # noqa: B009
        offered: Any = ["realtime", KEY_SUBPROTOCOL + secret.value]
        headers = {"Authorization": f"Bearer {secret.value}"}
        for options in ({"subprotocols": offered}, {"additional_headers": headers}):
            async with connect(server.url, **options) as socket:
                created = json.loads(await socket.recv())
                assert created["type"] == "session.created"
                assert created["session"]["instructions"] == "Speak like a pirate."
                assert secret.value not in json.dumps(created)
        async with client(server, secret.value) as ai:
            with pytest.raises(openai.PermissionDeniedError) as refused:
                await ai.realtime.client_secrets.create()
            assert refused.value.code == "missing_scope"
            with pytest.raises(openai.PermissionDeniedError):
                await ai.models.list()
        keys.revoke(key.id)
        with pytest.raises(InvalidStatus) as denied:
            await connect(server.url, subprotocols=offered)
        assert denied.value.response.status_code == 401


async def test_bad_wishes_for_a_secret_are_refused() -> None:
    async with running() as server:
        for body, param in [
            ({"expires_after": {"seconds": 9}}, "expires_after.seconds"),
            ({"expires_after": {"seconds": 7201}}, "expires_after.seconds"),
            ({"expires_after": {"anchor": "now"}}, "expires_after.anchor"),
            ({"session": {"audio": {"output": {"speed": 9}}}}, "session.audio.output.speed"),
            ({"session": {"type": "other"}}, "session.type"),
        ]:
            answer = await post(server, "/realtime/client_secrets", json=body)
            assert code(answer) == (400, "invalid_value", param)


async def test_no_key_is_ever_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, text = Keys(tmp_path / "keys.json").create("web", ["realtime", "models"])
    for chatty in ("uvicorn.error", "httpx2", "httpcore2", "openai", "websockets"):
        # As `vivavoce serve` has them; the rest is the clients of this test.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    async with running(data_dir=tmp_path) as server:
        async with client(server, text) as ai:
            secret = (await ai.realtime.client_secrets.create()).value
        offered: Any = ["realtime", KEY_SUBPROTOCOL + secret]
        async with connect(server.url, subprotocols=offered) as socket:
            await socket.recv()
        async with client(server, text + "x") as ai:
            with pytest.raises(openai.AuthenticationError) as refused:
                await ai.models.list()
            assert refused.value.code == "invalid_api_key"
            assert text not in str(refused.value)
    assert text not in caplog.text
    assert secret not in caplog.text
