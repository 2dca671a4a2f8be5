"""Vivavoce as its own client meets it: over the WebSocket of `vivavoce serve`."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter
from typing import Any

import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect

from bench.peers.ear import Ear
from bench.peers.microphone import Samples, speak
from bench.peers.service import Heard, listen
from voice.audio import SPOKEN_RATE, pcm_from_int16
from voice.errors import BadEvent
from voice.protocol import frames

SESSION = {
    "type": "realtime",
    "audio": {"input": {"transcription": {}, "turn_detection": {"type": "semantic_vad"}}},
}


async def ask(url: str, pcm: Samples, rate: int) -> Heard:
    """One question in a conversation of its own.

    Raises `BadEvent` with the code the server answers with, if it does so with an error.
    """
    sound = soxr.resample(pcm, rate, SPOKEN_RATE)
    ear, heard = Ear(), Heard()
    ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    async with connect(url, subprotocols=[frames.SUBPROTOCOL], compression=None) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "session.update", "session": SESSION}))

        async def send(piece: bytes) -> None:
            await socket.send(frames.encode(frames.MICROPHONE, 0, piece))

        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(speak(sound, SPOKEN_RATE, send, ended)),
            asyncio.create_task(_follow(socket, ear, heard)),
        ]
        listening = asyncio.create_task(listen(ear, ended))
        try:
            await asyncio.wait({listening, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            heard.audible = await listening
            heard.gap = ear.gap
        finally:
            listening.cancel()
            for task in tasks:
                task.cancel()
    return heard


async def _follow(socket: ClientConnection, ear: Ear, heard: Heard) -> None:
    transcripts: dict[str, str] = {}
    async for message in socket:
        if isinstance(message, bytes):
            pcm = pcm_from_int16(frames.decode(message).payload)
            ear.hear(np.asarray(pcm, np.float32), SPOKEN_RATE, perf_counter())
        else:
            _note(json.loads(message), ear, heard, transcripts)
            heard.transcript = " ".join(transcripts.values())


def _note(event: dict[str, Any], ear: Ear, heard: Heard, transcripts: dict[str, str]) -> None:
    match event:
        case {"type": "error", "error": {"code": code, "message": message}}:
            raise BadEvent(message, code=code)
        case {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": item,
            "transcript": transcript,
        }:
            transcripts[item] = transcript
        case {"type": "conversation.item.deleted", "item_id": item}:
            transcripts.pop(item, None)  # the turn went on: what was said is part of another item
        case {"type": "response.output_audio_transcript.delta", "delta": delta}:
            heard.text += delta
        case {"type": "response.timings", "stages": stages}:
            heard.stages = dict(stages)
        case {"type": "response.done", "response": {"status": "cancelled"}}:
            ear.forget()
            heard.text = ""
