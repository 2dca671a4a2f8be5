"""Programs that people already have, against a real server: one test a client and scenario.

The clients run in processes and environments of their own; `programs/` holds what they do. What a
client saw is compared with what went over the wire, and all of that with OpenAI's own types.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import sleep
from typing import Any
from urllib.request import urlopen

import jiwer
import numpy as np
import pytest
import soxr
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from bench.serving import Server
from tests.clients.conftest import SAID
from tests.clients.environments import CLIENTS, SCENARIOS, Client, prepare
from tests.clients.tap import Tap, tapped
from tests.conftest import WEIGHTS
from voice.audio import HEARD_RATE, SPOKEN_RATE, pcm_from_int16
from voice.engines import EngineOptions, Stt, load_engine

pytestmark = [pytest.mark.clients, pytest.mark.models, pytest.mark.timeout(600)]

OPENAI: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
PLAIN = jiwer.Compose(
    [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()]
)
Report = dict[str, Any]
SAID_ITS_PART = ("completed", "incomplete")
"""How a reply may end: the small model sometimes talks until it reaches the token limit."""


def differs(reference: str, heard: str) -> float:
    """The word error rate between two texts."""
    return float(jiwer.wer(PLAIN(reference), PLAIN(heard)))


def transcript_of(pcm: bytes) -> str:
    """What our own ears make of a reply's audio."""
    heard = soxr.resample(pcm_from_int16(pcm), SPOKEN_RATE, HEARD_RATE).astype(np.float32)
    return str(asyncio.run(recogniser().transcribe(heard, language="en")).text)


@cache
def recogniser() -> Stt:
    """Loaded once for all tests."""
    options = EngineOptions(WEIGHTS, "cpu", 2, "whisper-base")
    stt: Stt = load_engine("stt", "faster-whisper", options)
    return stt


def check_connect(report: Report, tap: Tap, _: bytes) -> None:
    assert report["instructions"] == "You are a helpful guide. Be brief."
    assert report["voice"] == "bf_emma"
    assert tap.received()[0]["type"] == "session.created"
    assert tap.sent("session.update")


def check_spoken(report: Report, tap: Tap, audio: bytes) -> None:
    order = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.input_audio_transcription.completed",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.done",
    ]
    places = [tap.place("server", kind) for kind in order]
    assert places == sorted(places)
    assert not tap.sent("input_audio_buffer.commit")
    check_conversation(report, tap, audio)


def check_push_to_talk(report: Report, tap: Tap, audio: bytes) -> None:
    assert tap.sent("input_audio_buffer.commit")
    assert tap.sent("response.create")
    assert not tap.received("input_audio_buffer.speech_started")
    check_conversation(report, tap, audio)


def check_conversation(report: Report, tap: Tap, audio: bytes) -> None:
    """A spoken question was understood and answered aloud, and the client has all of it."""
    assert differs(SAID["question"], report["transcript"]) <= 0.2
    [done] = tap.received("response.output_audio_transcript.done")
    assert report["reply"].strip() == done["transcript"].strip() != ""
    assert differs(report["reply"], transcript_of(audio)) <= 0.35
    [response] = tap.received("response.done")
    assert response["response"]["status"] in SAID_ITS_PART
    assert response["response"]["usage"]["output_tokens"] > 0


def check_typed(report: Report, tap: Tap, audio: bytes) -> None:
    [done] = tap.received("response.output_text.done")
    assert report["text"].strip() == done["text"].strip() != ""
    assert not audio
    assert not tap.received("response.output_audio.delta")


def check_function(report: Report, tap: Tap, audio: bytes) -> None:
    [call] = tap.received("response.function_call_arguments.done")
    assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Paris"})
    outputs = [e["item"] for e in tap.sent("conversation.item.create")]
    [output] = [item for item in outputs if item["type"] == "function_call_output"]
    assert output["call_id"] == call["call_id"]
    assert report["name"] == "weather"
    assert "sunny and warm in Paris" in report["reply"]
    assert differs(report["reply"], transcript_of(audio)) <= 0.35


def check_interruption(report: Report, tap: Tap, _: bytes) -> None:
    [truncate, *_others] = tap.sent("conversation.item.truncate")
    [truncated, *_others] = tap.received("conversation.item.truncated")
    assert truncated["item_id"] == truncate["item_id"]
    assert truncated["audio_end_ms"] == truncate["audio_end_ms"] > 0
    cut = next(
        event["response"]
        for event in tap.received("response.done")
        if truncate["item_id"] in [item["id"] for item in event["response"]["output"]]
    )
    assert (cut["status"], cut["status_details"]["reason"]) == ("cancelled", "turn_detected")
    said = next(i for i in cut["output"] if i["id"] == truncate["item_id"])["content"][0]
    kept = tap.received("conversation.item.retrieved")
    for item in (event["item"] for event in kept):
        if item["id"] == truncate["item_id"]:
            heard = item["content"][0]["transcript"]
            assert said["transcript"].startswith(heard)
            assert len(heard) < len(said["transcript"])
    assert report["interrupted"]


def check_cancel(report: Report, tap: Tap, _: bytes) -> None:
    assert tap.sent("response.cancel")
    [done] = tap.received("response.done")
    details = done["response"]["status_details"]
    assert (done["response"]["status"], details["reason"]) == ("cancelled", "client_cancelled")
    assert report["cancelled"]


def check_error(report: Report, tap: Tap, _: bytes) -> None:
    [error, *_others] = tap.received("error")
    assert report["code"] == error["error"]["code"]
    [done] = tap.received("response.done")
    assert done["response"]["status"] in SAID_ITS_PART
    assert report["text"].strip()


def check_close(_: Report, tap: Tap, __: bytes) -> None:
    assert tap.close_codes() in ({"client": 1000, "server": 1000}, {"client": 1005, "server": 1005})


CHECKS: dict[str, Callable[[Report, Tap, bytes], None]] = {
    "connect": check_connect,
    "spoken": check_spoken,
    "push_to_talk": check_push_to_talk,
    "typed": check_typed,
    "function": check_function,
    "interruption": check_interruption,
    "cancel": check_cancel,
    "error": check_error,
    "close": check_close,
}


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_client(
    client: Client,
    scenario: str,
    folder: Path,
    authority: tuple[ssl.SSLContext, Path],
    request: pytest.FixtureRequest,
) -> None:
    server: Server = request.getfixturevalue("calling" if scenario == "function" else "talking")
    command = prepare(client)
    context, certificate = authority

    async def run() -> tuple[Report, Tap]:
        async with tapped(server.port, context if client.tls else None) as tap:
            trust = {"NODE_EXTRA_CA_CERTS": str(certificate)} if client.tls else {}
            report = await perform([*command, scenario, tap.url, str(folder)], trust)
            return report, tap

    report, tap = asyncio.run(run())
    (folder / "wire.json").write_text(json.dumps([vars(m) for m in tap.messages], indent=1))
    for event in tap.received():
        parsed = OPENAI.validate_python(event)
        assert parsed.type == event["type"]
    if scenario != "error":
        assert not tap.received("error")
    CHECKS[scenario](report, tap, (folder / "reply.pcm").read_bytes())
    assert gone(server), "the server still has a session"


async def perform(command: list[str], environment: dict[str, str]) -> Report:
    """Run a client's program to its end; its last line is its report."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), 300)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{errors.decode()[-6000:]}\n{out.decode()[-2000:]}"
    report: Report = json.loads(out.decode().splitlines()[-1])
    return report


def gone(server: Server) -> bool:
    """No session is left on the server, or none a moment later."""
    for _ in range(100):
        with urlopen(f"{server.url}/metrics") as answer:
            if "vivavoce_sessions 0.0" in answer.read().decode():
                return True
        sleep(0.1)
    return False
