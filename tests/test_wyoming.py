"""Wyoming's own client against the real server: discovery, both services, limits, many at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
import soxr
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from bench.serving import free_port
from tests.conftest import Server, Speak, start_server, stop_server
from voice.audio import Pcm, int16_from_pcm

pytestmark = [pytest.mark.models, pytest.mark.timeout(300)]

QUESTION = "What is the capital of France?"
SENTENCE = "The weather is lovely today. Let us go for a walk in the park."
PLAIN = jiwer.Compose(
    [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()]
)
FEW = 12
"""Connections that the server takes at a time."""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server with Wyoming switched on; its port."""
    number = free_port()
    server: Server = start_server(
        tmp_path_factory.mktemp("wyoming") / "log",
        VIVAVOCE_WYOMING_PORT=str(number),
        VIVAVOCE_LIMITS_REQUESTS=str(FEW),
        VIVAVOCE_LIMITS_BUFFER_SECONDS="20",
        VIVAVOCE_LIMITS_TEXT_CHARS="500",
    )
    yield number
    stop_server(server)
    assert "Traceback" not in server.log.read_text()


def connected(port: int) -> AsyncTcpClient:
    return AsyncTcpClient("127.0.0.1", port, connect_timeout=10, read_timeout=120)


async def answer(client: AsyncTcpClient) -> Event:
    event = await client.read_event()
    assert event is not None, "the server closed"
    return event


def errors(reference: str, heard: str) -> float:
    return float(jiwer.wer(PLAIN(reference), PLAIN(heard)))


async def say(client: AsyncTcpClient, pcm: Pcm, rate: int, language: str | None = None) -> None:
    """Sound as a satellite sends it: pieces of 64 ms."""
    await client.write_event(Transcribe(language=language).event())
    await client.write_event(AudioStart(rate=rate, width=2, channels=1).event())
    data, step = int16_from_pcm(pcm), rate * 64 // 1000 * 2
    for at in range(0, len(data), step):
        chunk = AudioChunk(rate=rate, width=2, channels=1, audio=data[at : at + step])
        await client.write_event(chunk.event())
    await client.write_event(AudioStop().event())


async def transcribe(port: int, pcm: Pcm, rate: int, language: str | None = None) -> Transcript:
    async with connected(port) as client:
        await say(client, pcm, rate, language)
        event = await answer(client)
        assert Transcript.is_type(event.type), event
        return Transcript.from_event(event)


async def sound(client: AsyncTcpClient) -> tuple[Pcm, int]:
    """What is spoken up to the end of the sound, and its rate."""
    start = await answer(client)
    assert AudioStart.is_type(start.type), start
    form = AudioStart.from_event(start)
    assert (form.width, form.channels) == (2, 1)
    data = b""
    while not AudioStop.is_type((event := await answer(client)).type):
        data += AudioChunk.from_event(event).audio
    return (np.frombuffer(data, dtype="<i2") / 32768).astype(np.float32), form.rate


def recording(path: Path, rate: int) -> Pcm:
    pcm, made = soundfile.read(path, dtype="float32")
    resampled: Pcm = soxr.resample(pcm, made, rate).astype(np.float32)
    return resampled


async def test_what_there_is_can_be_discovered(port: int) -> None:
    async with connected(port) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await answer(client))
        await client.write_event(Ping(text="still there?").event())
        assert Pong.from_event(await answer(client)).text == "still there?"
    [asr], [tts] = info.asr, info.tts
    assert asr.installed and "en" in asr.models[0].languages
    assert tts.supports_synthesize_streaming
    voices = {voice.name: voice for voice in tts.voices}
    assert voices["af_heart"].languages == ["en-US"]
    assert info.satellite is None


@pytest.mark.parametrize(("rate", "language"), [(16_000, "en"), (48_000, "en-US"), (22_050, None)])
async def test_speech_becomes_text(
    port: int, speak: Speak, rate: int, language: str | None
) -> None:
    heard = await transcribe(port, recording(speak(QUESTION), rate), rate, language)
    assert errors(QUESTION, heard.text) <= 0.2
    assert heard.language == "en"


async def test_silence_is_an_empty_transcript(port: int) -> None:
    heard = await transcribe(port, np.zeros(0, dtype=np.float32), 16_000, "en")
    assert heard.text == ""


async def test_text_becomes_speech_that_is_understood_again(port: int) -> None:
    async with connected(port) as client:
        await client.write_event(Synthesize(SENTENCE, SynthesizeVoice("am_michael")).event())
        pcm, rate = await sound(client)
    assert errors(SENTENCE, (await transcribe(port, pcm, rate, "en")).text) <= 0.2


async def test_a_text_in_pieces_is_spoken_while_it_comes(port: int) -> None:
    async with connected(port) as client:
        await client.write_event(SynthesizeStart(SynthesizeVoice(language="en-GB")).event())
        first, rest = SENTENCE.split(". ")
        await client.write_event(SynthesizeChunk(f"{first}. {rest[:6]}").event())
        # The sound of the first sentence is there before the second is complete.
        start, chunk = await answer(client), await answer(client)
        assert AudioStart.is_type(start.type)
        assert AudioChunk.is_type(chunk.type)
        await client.write_event(SynthesizeChunk(rest[6:]).event())
        await client.write_event(Synthesize(SENTENCE).event())  # for servers that cannot wait
        await client.write_event(SynthesizeStop().event())
        data = AudioChunk.from_event(chunk).audio
        while not AudioStop.is_type((event := await answer(client)).type):
            data += AudioChunk.from_event(event).audio
        assert SynthesizeStopped.is_type((await answer(client)).type)
    pcm = (np.frombuffer(data, dtype="<i2") / 32768).astype(np.float32)
    assert errors(SENTENCE, (await transcribe(port, pcm, 24_000, "en")).text) <= 0.2


async def test_several_at_once_each_get_their_own(port: int, speak: Speak) -> None:
    said = [QUESTION, "How are you doing this morning?", "The train leaves at noon."]
    sounds = [recording(speak(text), 16_000) for text in said]

    async def discover() -> Info:
        async with connected(port) as client:
            await client.write_event(Describe().event())
            return Info.from_event(await answer(client))

    async def read(text: str) -> Pcm:
        async with connected(port) as client:
            await client.write_event(Synthesize(text).event())
            return (await sound(client))[0]

    heard, info, short, long = await asyncio.gather(
        asyncio.gather(*(transcribe(port, pcm, 16_000, "en") for pcm in sounds)),
        discover(),
        read("Yes."),
        read(SENTENCE),
    )
    for text, transcript in zip(said, heard, strict=True):
        assert errors(text, transcript.text) <= 0.2
    assert info.asr
    assert 0 < len(short) < len(long)


BAD: list[tuple[list[Event], str]] = [
    ([Transcribe(language="xx").event()], "unknown_language"),
    ([AudioStop().event()], "invalid_event"),
    ([AudioStart(rate=16_000, width=3, channels=1).event()], "unsupported_format"),
    ([AudioStart(rate=1, width=2, channels=1).event()], "unsupported_format"),
    ([Event("audio-start", {"rate": "fast"})], "invalid_event"),
    ([Event("synthesize", {})], "invalid_event"),
    ([Synthesize("Hello.", SynthesizeVoice("nobody")).event()], "unknown_voice"),
    ([Synthesize("Hello.", SynthesizeVoice(language="xx")).event()], "unknown_language"),
    ([Synthesize("<speak/>", text_format="ssml").event()], "unsupported_format"),
    ([Synthesize("word " * 101).event()], "too_long"),
    ([SynthesizeChunk("Hello.").event()], "invalid_event"),
    (
        [
            AudioStart(rate=16_000, width=2, channels=1).event(),
            AudioChunk(rate=16_000, width=2, channels=1, audio=b"\0").event(),
        ],
        "invalid_audio",
    ),
    (
        [
            AudioStart(rate=16_000, width=2, channels=1).event(),
            *[AudioChunk(rate=16_000, width=2, channels=1, audio=bytes(640_000)).event()] * 2,
        ],
        "audio_too_large",
    ),
    ([Event("audio-chunk", {}, bytes(2**21))], "too_long"),
]


@pytest.mark.parametrize(("events", "code"), BAD, ids=[f"{n}-{b[1]}" for n, b in enumerate(BAD)])
async def test_a_mistake_is_named_and_ends_the_connection(
    port: int, events: list[Event], code: str
) -> None:
    async with connected(port) as client:
        for event in events:
            await client.write_event(event)
        event = await answer(client)
        assert Error.is_type(event.type), event
        assert Error.from_event(event).code == code
        assert await client.read_event() is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "invalid_json"),
        (b"[]\n", "invalid_json"),
        (b"\xff\xfe\n", "invalid_json"),
        (b'{"type": 3}\n', "invalid_event"),
        (b'{"type": "ping", "data": 3}\n', "invalid_event"),
        (b'{"type": "ping", "data_length": -1}\n', "invalid_event"),
        (b'{"type": "ping", "data_length": 99999999999}\n', "too_long"),
        (b'{"type": "' + b"x" * 200_000 + b'"}\n', "too_long"),
    ],
)
async def test_what_is_no_event_is_refused(port: int, raw: bytes, code: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    await writer.drain()
    head = json.loads(await reader.readline())
    assert head["type"] == "error"
    assert json.loads(await reader.readexactly(head["data_length"]))["code"] == code
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_unknown_events_are_passed_over_as_the_protocol_asks(port: int) -> None:
    async with connected(port) as client:
        await client.write_event(Event("select-program", {"name": "vivavoce"}))
        await client.write_event(Event("from-the-future"))
        await client.write_event(Describe().event())
        assert Info.is_type((await answer(client)).type)


async def test_only_so_many_connections_are_taken_and_the_others_are_told(port: int) -> None:
    clients = [connected(port) for _ in range(FEW)]
    for client in clients:
        await client.connect()
        await client.write_event(Ping().event())
        await answer(client)
    async with connected(port) as late:
        assert Error.from_event(await answer(late)).code == "too_many_requests"
    for client in clients:
        await client.disconnect()
    while True:  # there is room again as soon as the server has seen them leave
        async with connected(port) as client:
            await client.write_event(Ping().event())
            if Pong.is_type((await answer(client)).type):
                break


async def test_one_who_leaves_in_the_middle_is_forgotten(port: int) -> None:
    for events in (
        [AudioStart(rate=16_000, width=2, channels=1).event()],
        [Synthesize(SENTENCE).event()],
    ):
        async with connected(port) as client:
            for event in events:
                await client.write_event(event)
    async with connected(port) as client:
        await client.write_event(Describe().event())
        assert Info.is_type((await answer(client)).type)


def test_nothing_listens_unless_a_port_is_set(server: Server) -> None:
    assert "Wyoming" not in server.log.read_text()


def test_a_port_that_is_taken_stops_the_start_with_a_reason(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="VIVAVOCE_WYOMING_PORT: cannot listen"):
        start_server(tmp_path / "log", VIVAVOCE_WYOMING_PORT=str(server.port))
