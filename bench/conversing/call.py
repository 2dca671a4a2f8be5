"""A client in a virtual room: it holds a conversation as the page does, or as OpenAI's clients do.

One task is the sample clock: every 20 ms it plays a block, lets it echo, records a block and sends
it. All moments are samples on this clock (24 kHz), so a clock that runs late delays the sound, but
does not falsify what was played when. A loudspeaker and a microphone of their own would add their
latency to what is measured here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from bench.conversing.sound import JITTER, EchoPath, Loudspeaker, Microphone, Played
from voice.audio import SPOKEN_RATE as RATE
from voice.audio import Pcm, int16_from_pcm, pcm_from_int16
from voice.protocol import frames

BLOCK = RATE // 50
DUCKED = 0.25
HANDS_FREE = {"type": "semantic_vad"}

Event = dict[str, Any]


@dataclass
class Reply:
    """A reply as it arrives. Times are samples on the call's clock, `stopped_real` real time."""

    item: str
    response: str
    turn: int | None
    text: str = ""
    words: list[dict[str, Any]] = field(default_factory=list)
    begun: int | None = None
    """When its first sample arrived."""
    status: str | None = None
    stopped: int | None = None
    """When its playback was ended before its end."""
    stopped_real: float = 0.0
    stale: int = 0
    """Samples that arrived after that."""


@dataclass
class Said:
    """What the user said, as the server understood it; None: not told yet."""

    transcript: str | None = None
    deleted: bool = False


class Call:
    """One conversation; made by `calling`. `plain`: only what OpenAI's protocol has."""

    def __init__(
        self,
        socket: ClientConnection,
        room: Pcm,
        *,
        plain: bool = False,
        echo: EchoPath | None = None,
        jitter: int = JITTER,
    ) -> None:
        self.speaker = Loudspeaker(jitter)
        self.microphone = Microphone(room)
        self.plain = plain
        self.log: list[tuple[int, str]] = []
        """What the server sent, and when; no audio. In brackets: what sounded at the microphone."""
        self.replies: dict[str, Reply] = {}
        self.said: dict[str, Said] = {}
        self.tools: list[str] = []
        """Ids of the calls of tools that the model asked for."""
        self.errors: list[str] = []
        self.active: str | None = None
        """The response that is being made."""
        self.late = 0.0
        """How late the clock was at worst (seconds)."""
        self.ducked = 0
        """For how many samples the reply was played softly."""
        self._ducking = False
        self._socket = socket
        self._echo = echo
        self._dead: set[int] = set()
        self._responses: dict[str, int | None] = {}
        self._shown: dict[str, asyncio.Future[Event | None]] = {}

    @property
    def now(self) -> int:
        """The clock."""
        return self.microphone.clock

    @property
    def reply(self) -> Reply | None:
        """The reply that plays."""
        return self.replies.get(self.speaker.sounding or "")

    def hear(self, name: str, pcm: Pcm) -> int:
        """Let `pcm` sound at the microphone from now on; returns when that is."""
        self.log.append((self.now, f"[{name}]"))
        return self.microphone.place(pcm)

    def since(self, at: int, kind: str) -> int | None:
        """When the server first sent such an event after `at`; None if it has not."""
        return next((moment for moment, sent in self.log if sent == kind and moment > at), None)

    async def until(self, happened: Callable[[], object], seconds: float) -> bool:
        """Wait until it has happened, at most so long on the clock; whether it has."""
        limit = self.now + int(seconds * RATE)
        while not happened():
            if self.now >= limit:
                return False
            await asyncio.sleep(0.01)
        return True

    async def rest(self, seconds: float) -> None:
        """Let time pass."""
        await self.until(lambda: False, seconds)

    async def send(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def interrupt(self) -> None:
        """Stop the reply as the page's button does: silence first, then tell the server."""
        stopped = self._stop()
        if self.active is not None:
            await self.send("response.cancel")
        if stopped is not None:
            await self._truncate(stopped)

    async def type(self, text: str) -> None:
        """Typed words interrupt like spoken ones."""
        await self.interrupt()
        await self.until(lambda: self.active is None, 5)
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")

    async def show(self, item_id: str) -> str | None:
        """The text the conversation holds for an item; None if it holds no such item."""
        self._shown[item_id] = answer = asyncio.get_running_loop().create_future()
        await self.send("conversation.item.retrieve", item_id=item_id, event_id=f"show {item_id}")
        item = await asyncio.wait_for(answer, 10)
        if item is None:
            return None
        part = item["content"][0] if item["content"] else {}
        return str(part.get("transcript") or part.get("text") or "")

    # --- the clock

    async def run(self) -> None:
        """Play, record and send, a block every 20 ms."""
        began, number = time.perf_counter(), 0
        while True:
            number += 1
            ahead = began + number * BLOCK / RATE - time.perf_counter()
            self.late = max(self.late, -ahead)
            # Also when late: what has arrived must be taken before the next block is played.
            await asyncio.sleep(max(0.0, ahead))
            out, reports = self.speaker.render(BLOCK)
            self.ducked += BLOCK if self._ducking and self.speaker.audible else 0
            for played in reports:
                await self._report(played)
            recorded = self.microphone.take(BLOCK)
            if self._echo is not None:
                recorded = recorded + self._echo.pass_on(out)
            await self._send_audio(int16_from_pcm(recorded))

    async def _send_audio(self, pcm16: bytes) -> None:
        if self.plain:
            await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm16).decode())
        else:
            await self._socket.send(frames.encode(frames.MICROPHONE, 0, pcm16))

    async def _report(self, played: Played) -> None:
        if not self.plain:
            await self.send(
                "output_audio_buffer.played",
                item_id=played.key,
                audio_end_ms=played.samples * 1000 // RATE,
                done=played.done,
            )

    # --- what the server says

    async def follow(self) -> None:
        """Take what the server sends."""
        async for message in self._socket:
            if isinstance(message, bytes):
                frame = frames.decode(message)
                item = next((r.item for r in self.replies.values() if r.turn == frame.turn), None)
                self._play(item, pcm_from_int16(frame.payload))
            else:
                event = json.loads(message)
                if event["type"] != "response.output_audio.delta":
                    self.log.append((self.now, event["type"]))
                await self._take(event)

    def _play(self, item: str | None, pcm: Pcm) -> None:
        reply = self.replies[item or ""]
        if reply.stopped is not None or reply.turn in self._dead:
            reply.stale += len(pcm)
            return
        if reply.begun is None:
            reply.begun = self.now
        self.speaker.push(reply.item, pcm)

    async def _take(self, event: Event) -> None:
        match event:
            case {"type": "response.created", "response": {"id": response_id}}:
                self.active = response_id
                self._responses[response_id] = event.get("turn")
            case {
                "type": "response.output_item.added",
                "response_id": response_id,
                "item": {"id": item_id, "type": "message"},
            }:
                turn = self._responses.get(response_id)
                self.replies[item_id] = Reply(item_id, response_id, turn)
            case {"type": "response.output_audio.delta", "item_id": item_id, "delta": delta}:
                self._play(item_id, pcm_from_int16(base64.b64decode(delta)))
            case {
                "type": "response.output_audio_transcript.delta",
                "item_id": item_id,
                "delta": delta,
            }:
                self.replies[item_id].text += delta
            case {"type": "response.output_audio.words", "item_id": item_id, "words": words}:
                self.replies[item_id].words += words
            case {"type": "response.function_call_arguments.done", "call_id": call_id}:
                self.tools.append(call_id)
            case {"type": "response.output_audio.done", "item_id": item_id}:
                self.speaker.finish(item_id)
            case {"type": "response.done", "response": {"id": response_id, "status": status}}:
                self.active = None if self.active == response_id else self.active
                await self._done(response_id, status)
            case {"type": "output_audio_buffer.cleared", "response_id": response_id}:
                await self._silence(response_id)
            case {"type": "input_audio_buffer.speech_started"}:
                if self.plain:
                    stopped = self._stop()
                    if stopped is not None:
                        await self._truncate(stopped)
                elif self.speaker.sounding:
                    self._duck(True)
            case {"type": "input_audio_buffer.speech_stopped"}:
                self._duck(False)
            case {
                "type": "conversation.item.added",
                "item": {"id": item_id, "content": [{"type": "input_audio"}, *_]},
            }:
                self.said[item_id] = Said()
            case {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": item_id,
                "transcript": transcript,
            } if item_id in self.said:
                self.said[item_id].transcript = transcript
            case {"type": "conversation.item.deleted", "item_id": item_id}:
                if item_id in self.said:
                    self.said[item_id].deleted = True
            case {"type": "conversation.item.retrieved", "item": {"id": item_id} as item}:
                self._shown[item_id].set_result(item)
            case {"type": "error", "error": {"code": code, "message": message} as error}:
                asked = str(error.get("event_id") or "").removeprefix("show ")
                if asked in self._shown and not self._shown[asked].done():
                    self._shown[asked].set_result(None)
                elif code != "response_cancel_not_active":  # it ended while we asked
                    self.errors.append(f"{code}: {message}")

    async def _done(self, response_id: str, status: str) -> None:
        for reply in self.replies.values():
            if reply.response == response_id:
                reply.status = status
                if status != "cancelled":
                    self.speaker.finish(reply.item)
        if status == "cancelled":
            await self._silence(response_id)

    async def _silence(self, response_id: str) -> None:
        turn = self._responses.get(response_id)
        if turn is not None:
            self._dead.add(turn)
        reply = self.reply
        if reply is not None and reply.response == response_id:
            stopped = self._stop()
            if stopped is not None:
                await (self._truncate if self.plain else self._report)(stopped)
        for reply in self.replies.values():
            # One that had just run dry: it was ended all the same.
            if reply.response == response_id and reply.status == "cancelled" and not reply.stopped:
                self._mark(reply)

    def _stop(self) -> Played | None:
        reply = self.reply
        self._duck(False)
        stopped = self.speaker.stop()
        if reply is not None:
            self._mark(reply)
        return stopped

    def _mark(self, reply: Reply) -> None:
        reply.stopped, reply.stopped_real = self.now, time.perf_counter()

    def _duck(self, on: bool) -> None:
        self._ducking = on
        self.speaker.duck(DUCKED if on else 1.0)

    async def _truncate(self, stopped: Played) -> None:
        await self.send(
            "conversation.item.truncate",
            item_id=stopped.key,
            content_index=0,
            audio_end_ms=stopped.samples * 1000 // RATE,
        )


@asynccontextmanager
async def calling(
    url: str,
    room: Pcm,
    *,
    plain: bool = False,
    echo: EchoPath | None = None,
    jitter: int = JITTER,
    turn_detection: dict[str, Any] | None = HANDS_FREE,
    **session: Any,
) -> AsyncIterator[Call]:
    """A conversation for as long as the block lasts; what fails in it is raised at its end."""
    protocols: Any = None if plain else [frames.SUBPROTOCOL]
    settings = {"transcription": {}, "turn_detection": turn_detection}
    update = {"type": "realtime", "audio": {"input": settings}, **session}
    async with connect(url, subprotocols=protocols, compression=None, max_size=None) as socket:
        call = Call(socket, room, plain=plain, echo=echo, jitter=jitter)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call.follow()), group.create_task(call.run())]
            await call.send("session.update", session=update)
            await call.until(lambda: call.since(-1, "session.updated") is not None, 10)
            yield call
            for task in tasks:
                task.cancel()


def room_tone(seconds: float, decibels: float = -66.0) -> Pcm:
    """Noise of a quiet room, more of it in the bass: white noise through a first-order low pass."""
    white = np.random.default_rng(7).standard_normal(int(seconds * RATE)).astype(np.float32)
    tone = np.convolve(white, np.exp(-np.arange(96) / 16).astype(np.float32), "same")
    scaled: Pcm = tone * np.float32(10 ** (decibels / 20) / tone.std())
    return scaled
