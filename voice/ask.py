"""A client that speaks a sound file to a server in real time, as a microphone would."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import soundfile
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from voice.audio import SPOKEN_RATE, Pcm, int16_from_pcm, pcm_from_int16
from voice.errors import BadEvent, VoiceError
from voice.protocol import frames

FRAME = SPOKEN_RATE // 50
"""20 ms, what microphones usually deliver."""

PATH = "/v1/realtime"

AUDIBLE = 0.005
"""|sample| above which the answer counts as heard."""


@dataclass(slots=True)
class Answer:
    """What came back. `times` are seconds, measured here; `stages` milliseconds, by the server."""

    said: dict[str, str] = field(default_factory=dict)
    """item -> what was understood"""
    text: str = ""
    pcm: Pcm = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    times: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def transcript(self) -> str:
        """All that was understood."""
        return " ".join(text for text in self.said.values() if text)


def address_of(url: str) -> str:
    """Where a server that is known by `url` talks: what a browser shows of it will do, too.

    Raises `VoiceError` with code `unreachable` if there can be no such place.
    """
    try:
        scheme, host, path, query, _ = urlsplit(url)
    except ValueError as error:
        raise VoiceError(f"no server at {url}: {error}", code="unreachable") from None
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    return urlunsplit((scheme, host, PATH if path in {"", "/"} else path, query, ""))


def read_sound(path: Path) -> Pcm:
    """Read a sound file of any common format as mono at 24 kHz.

    Raises `VoiceError` with code `bad_sound_file` if it is none, is empty or is broken.
    """
    try:
        data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise VoiceError(f"{path} cannot be read: {error}", code="bad_sound_file") from None
    if not len(data):
        raise VoiceError(f"{path} holds no sound", code="bad_sound_file")
    pcm: Pcm = np.nan_to_num(data.mean(axis=1))
    if rate != SPOKEN_RATE:
        pcm = soxr.resample(pcm, rate, SPOKEN_RATE).astype(np.float32)
    return pcm


def last_voiced(pcm: Pcm) -> int:
    """Where the last sound of `pcm` (24 kHz) ends that is within 30 dB of its loudest 20 ms."""
    whole = len(pcm) - len(pcm) % FRAME
    if not whole:
        return len(pcm)
    power = np.square(pcm[:whole].reshape(-1, FRAME)).mean(axis=1)
    loud = np.flatnonzero(power > max(power.max() * 1e-3, 1e-9))
    return int(loud[-1] + 1) * FRAME if len(loud) else 0


async def ask(
    url: str,
    pcm: Pcm,
    *,
    session: dict[str, Any] | None = None,
    patience: float = 30.0,
    voiced: int | None = None,
    key: str = "",
) -> Answer:
    """Speak `pcm` (24 kHz) to the server at `url` and collect its spoken answer.

    `session` is merged into the `session.update` that is sent first; `voiced` is the number of
    samples up to the end of the speech, from which times are measured (by default judged by
    loudness); `key` is the API key of a server that wants one. Raises `VoiceError` with code
    `unreachable`, `no_answer` (nothing within `patience` seconds after the end of the file), or
    whatever code the server answers with.
    """
    offer: dict[str, Any] = {"subprotocols": [frames.SUBPROTOCOL], "compression": None}
    if key:
        offer["additional_headers"] = {"Authorization": f"Bearer {key}"}
    try:
        async with connect(url, **offer) as socket:
            # The first message is `session.created`, or why there is none.
            _follow(json.loads(await socket.recv()), Answer(), 0.0)
            await socket.send(json.dumps({"type": "session.update", "session": _session(session)}))
            return await _converse(socket, pcm, patience, voiced)
    except InvalidStatus as error:
        raise _refusal(url, error) from None
    except (OSError, InvalidHandshake, InvalidURI) as error:
        raise VoiceError(f"no server at {url}: {error}", code="unreachable") from None
    except ConnectionClosed as error:
        raise VoiceError(f"the server closed: {error}", code="unreachable") from None


def _refusal(url: str, error: InvalidStatus) -> VoiceError:
    """What the server said against it, if it was one of ours."""
    try:
        told = json.loads(error.response.body or b"")["error"]
        return VoiceError(str(told["message"]), code=str(told["code"]))
    except (ValueError, LookupError, TypeError):
        return VoiceError(f"no server at {url}: {error}", code="unreachable")


def _session(changes: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "type": "realtime",
        "audio": {
            "input": {"transcription": {}, "turn_detection": {"type": "semantic_vad"}},
        },
        **(changes or {}),
    }


async def _converse(
    socket: ClientConnection, pcm: Pcm, patience: float, voiced: int | None
) -> Answer:
    answer = Answer()
    heard: list[Pcm] = []
    spoken_at: list[float] = []
    end = last_voiced(pcm) if voiced is None else voiced
    microphone = asyncio.create_task(_speak(socket, pcm, end, spoken_at))
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(len(pcm) / SPOKEN_RATE + patience):
            async for message in socket:
                if isinstance(message, bytes):
                    chunk = pcm_from_int16(frames.decode(message).payload)
                    if "audible" not in answer.times and np.abs(chunk).max(initial=0) > AUDIBLE:
                        answer.times["audible"] = loop.time()
                    heard.append(chunk)
                elif _follow(json.loads(message), answer, loop.time()):
                    break
    except TimeoutError:
        raise VoiceError("no answer came in time", code="no_answer") from None
    finally:
        microphone.cancel()
    if heard:
        answer.pcm = np.concatenate(heard)
    if spoken_at:
        answer.times = {name: at - spoken_at[0] for name, at in answer.times.items()}
    return answer


async def _speak(socket: ClientConnection, pcm: Pcm, end: int, spoken_at: list[float]) -> None:
    """Send the file in real time, then silence for as long as the connection lasts."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    silence = np.zeros(FRAME, dtype=np.float32)
    number = 0
    while True:
        start = number * FRAME
        frame = pcm[start : start + FRAME] if start < len(pcm) else silence
        number += 1
        # A microphone's frame arrives when its last sample has been recorded.
        await asyncio.sleep(max(0.0, began + number * FRAME / SPOKEN_RATE - loop.time()))
        await socket.send(frames.encode(frames.MICROPHONE, 0, int16_from_pcm(frame)))
        if start < end <= start + FRAME:
            spoken_at.append(loop.time())


def _follow(event: dict[str, Any], answer: Answer, now: float) -> bool:
    """Note what an event says; true when the answer is complete."""
    match event:
        case {"type": "error", "error": {"code": code, "message": message}}:
            raise BadEvent(message, code=code)
        case {"type": "input_audio_buffer.committed"}:
            answer.times["committed"] = now
        case {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": item_id,
            "transcript": transcript,
        }:
            answer.said[item_id] = transcript
            answer.times["transcribed"] = now
        case {"type": "conversation.item.deleted", "item_id": item_id}:
            # The turn was taken for over too early and goes on as another item.
            answer.said.pop(item_id, None)
        case {"type": "response.output_audio_transcript.delta", "delta": delta}:
            answer.text += delta
        case {"type": "response.timings", "stages": stages}:
            answer.stages = stages
        case {"type": "response.done", "response": {"status": "failed", "status_details": details}}:
            raise VoiceError(details["error"]["message"], code=details["error"]["code"])
        case {"type": "response.done", "response": {"status": "completed" | "incomplete"}}:
            answer.times["done"] = now
            return True
        case {"type": "response.done"}:
            # Interrupted by the rest of the file: what counts is the answer to all of it.
            answer.text = ""
            answer.times.pop("audible", None)
    return False
