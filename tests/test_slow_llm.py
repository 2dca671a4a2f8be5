"""With a language model that is slow to begin, the work starts while the turn is still open."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect

from bench.slow_llm import SlowLlm, slow_llm
from tests.conftest import Speak, start_server, stop_server
from voice.ask import read_sound
from voice.audio import SPOKEN_RATE, Pcm, int16_from_pcm
from voice.protocol import frames

pytestmark = [pytest.mark.models, pytest.mark.timeout(300)]

OPEN = 4000
"""Milliseconds of silence that end the turn here: recognition takes far less."""


async def converse(url: str, pcm: Pcm, llm: SlowLlm) -> list[str]:
    """Ask, and return what happened in order: the types of events, and `asked` for a request."""
    happened: list[str] = []
    known = len(llm.asked)
    subprotocol: Any = frames.SUBPROTOCOL
    async with connect(url, subprotocols=[subprotocol], compression=None) as socket:
        detection = {"type": "server_vad", "silence_duration_ms": OPEN}
        audio = {"input": {"transcription": {"language": "en"}, "turn_detection": detection}}
        session = {"type": "realtime", "audio": audio}
        await socket.send(json.dumps({"type": "session.update", "session": session}))
        speaking = asyncio.create_task(speak_on(socket, pcm))
        try:
            async for message in socket:
                while known < len(llm.asked):
                    known += 1
                    happened.append("asked")
                kind = "audio" if isinstance(message, bytes) else json.loads(message)["type"]
                assert kind != "error", message
                happened.append(kind)
                if kind == "response.done":
                    break
        finally:
            speaking.cancel()
    return happened


async def speak_on(socket: ClientConnection, pcm: Pcm) -> None:
    """The question, then silence for as long as the connection lasts, in real time."""
    frame = SPOKEN_RATE // 50
    silence = np.zeros(frame, dtype=np.float32)
    start = 0
    while True:
        piece = pcm[start : start + frame] if start < len(pcm) else silence
        start += frame
        await socket.send(frames.encode(frames.MICROPHONE, 0, int16_from_pcm(piece)))
        await asyncio.sleep(0.02)


@pytest.mark.long
@pytest.mark.parametrize(("speculation", "early"), [("tts", True), ("off", False)])
def test_the_request_leaves_before_the_turn_is_over_only_if_that_is_wanted(
    speculation: str, early: bool, speak: Speak, tmp_path: Path
) -> None:
    pcm = read_sound(speak("What is the capital of France?"))
    with slow_llm(delay=1.0) as llm:
        server = start_server(
            tmp_path / "log",
            VIVAVOCE_LLM_PROVIDER="openai-compatible",
            VIVAVOCE_LLM_BASE_URL=llm.url,
            VIVAVOCE_LLM_MODEL="slow",
            VIVAVOCE_TURN_SPECULATION=speculation,
        )
        try:
            warm = len(llm.asked)
            happened = asyncio.run(converse(server.realtime, pcm, llm))
        finally:
            stop_server(server)
    committed = happened.index("input_audio_buffer.committed")
    assert (happened.index("asked") < committed) is early
    # What was prepared is heard only once the turn is over.
    assert committed < happened.index("audio")
    assert "response.output_audio_transcript.delta" in happened
    requests = llm.asked[warm:]
    assert "France" in requests[-1].text
    # What was prepared in the last pause is what was said: it was not asked for again.
    assert len(requests) == happened.count("asked")
    assert llm.finished >= 1
