"""LiveKit Agents with its own defaults: an `AgentSession` without a room.

Whisper and Kokoro have no LiveKit plugin, so they are the custom `stt.STT` and `tts.TTS` that
LiveKit documents; not streaming, so the session wraps them in its own `StreamAdapter`s: Whisper
hears what its VAD cuts out, Kokoro speaks sentence by sentence. VAD (Silero), turn detector
(turn-detector-v1-mini), endpointing and preemptive generation are the session's defaults, which
come with the package and run offline.
"""

# mypy: allow-subclassing-any, disable-error-code="import-not-found"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter, time  # noqa: TID251 - LiveKit asks for the time of day
from typing import Any

import numpy as np
import onnxruntime
from faster_whisper import WhisperModel
from kokoro_onnx import Kokoro
from livekit import rtc
from livekit.agents import Agent, AgentSession, io, llm, stt, tts, utils
from livekit.plugins import openai

from bench.peers.ear import Ear
from bench.peers.microphone import Samples, floats, speak
from bench.peers.service import Heard, Moments, Options, listen, serve


class Whisper(stt.STT):
    """faster-whisper on what the VAD cut out."""

    def __init__(self, options: Options) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._language = options.language
        self._model = WhisperModel(
            str(Path(options.weights) / "whisper-base"),
            device="cpu",
            compute_type="int8",
            cpu_threads=options.threads,
        )
        self.moments = Moments()

    async def _recognize_impl(
        self, buffer: utils.AudioBuffer, *, language: Any = None, conn_options: Any = None
    ) -> stt.SpeechEvent:
        pcm = floats(rtc.combine_audio_frames(buffer).data)
        self.moments.note("paused", again=True)
        self.moments.note("transcribing", again=True)
        text = await asyncio.to_thread(self._transcribe, pcm)
        self.moments.note("transcribed", again=True)
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[stt.SpeechData(language=self._language, text=text)],
        )

    def _transcribe(self, pcm: Any) -> str:
        segments, _ = self._model.transcribe(pcm, language=self._language, beam_size=1)
        return " ".join(segment.text.strip() for segment in segments)


class Speaker(tts.TTS):
    """kokoro-onnx, one sentence at a time."""

    def __init__(self, options: Options) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=24_000, num_channels=1
        )
        session_options = onnxruntime.SessionOptions()
        session_options.intra_op_num_threads = options.threads
        model = Path(options.weights) / "kokoro" / "kokoro-v1.0.int8.onnx"
        session = onnxruntime.InferenceSession(
            str(model), session_options, providers=["CPUExecutionProvider"]
        )
        self.kokoro = Kokoro.from_session(session, options.voices)
        self.voice = options.voice
        self.moments = Moments()

    def synthesize(self, text: str, *, conn_options: Any = None) -> tts.ChunkedStream:
        """Begin to speak `text`."""
        return _Sentence(tts=self, input_text=text, conn_options=conn_options)


class _Sentence(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        speaker: Speaker = self._tts
        speaker.moments.note("first_clause")
        pcm, rate = await asyncio.to_thread(speaker.kokoro.create, self._input_text, speaker.voice)
        speaker.moments.note("first_audio")
        output_emitter.initialize(
            request_id=utils.shortuuid(), sample_rate=rate, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push((pcm * 32767).astype(np.int16).tobytes())


class Microphone(io.AudioInput):
    """Audio comes in by `hear`."""

    def __init__(self, rate: int) -> None:
        super().__init__(label="microphone")
        self._rate = rate
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def hear(self, pcm: bytes) -> None:
        """20 ms of mono."""
        self._frames.put_nowait(rtc.AudioFrame(pcm, self._rate, 1, len(pcm) // 2))

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


class Loudspeaker(io.AudioOutput):
    """Audio goes out to an `Ear`."""

    def __init__(self, moments: Moments) -> None:
        super().__init__(
            label="loudspeaker",
            sample_rate=24_000,
            capabilities=io.AudioOutputCapabilities(pause=False),
        )
        self.ear = Ear()
        self._moments = moments
        self._pushed = 0.0
        self._finishing: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Play a piece after those before it."""
        await super().capture_frame(frame)
        pcm = floats(frame.data)
        if not self._pushed:
            self.on_playback_started(created_at=time())
        self.ear.hear(pcm, frame.sample_rate, perf_counter())
        self._pushed += frame.duration

    def flush(self) -> None:
        """The reply is complete; tell when it has been played."""
        super().flush()
        if self._pushed:
            left = max(0.0, self.ear.ends - perf_counter())
            self._finishing = asyncio.get_running_loop().call_later(left, self._finish, False)

    def clear_buffer(self) -> None:
        """The user interrupted."""
        if self._finishing:
            self._finishing.cancel()
        self.ear.forget()
        self._moments.forget("started", "first_token", "first_clause", "first_audio")
        if self._pushed:
            self._finish(True)

    def _finish(self, interrupted: bool) -> None:
        played, self._pushed, self._finishing = self._pushed, 0.0, None
        self.on_playback_finished(playback_position=played, interrupted=interrupted)


class Assistant(Agent):
    """The agent, with notes of when what happens."""

    def __init__(self, instructions: str, moments: Moments) -> None:
        super().__init__(instructions=instructions)
        self.moments = moments
        self.heard: list[str] = []
        self.said: list[str] = []

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        """The session has decided that the user's turn is over."""
        self.moments.note("committed", again=True)
        self.heard.append(new_message.text_content or "")

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: Any
    ) -> AsyncIterator[Any]:
        """The language model is asked; again if the turn went on."""
        self.moments.forget("started", "first_token", "first_clause", "first_audio")
        self.said.clear()
        self.moments.note("started")
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            if isinstance(chunk, llm.ChatChunk) and chunk.delta and chunk.delta.content:
                self.moments.note("first_token")
                self.said.append(chunk.delta.content)
            yield chunk


class LivekitAsker:
    """The loaded models; each question gets a session of its own."""

    packages = ("livekit-agents", "faster-whisper", "ctranslate2", "kokoro-onnx", "onnxruntime")
    pipeline = (
        "AgentSession defaults (bundled Silero VAD 0.25 s, turn-detector-v1-mini, endpointing "
        "0.3 to 2.5 s, preemptive LLM), faster-whisper as STT (30 s window, beam 1), openai.LLM, "
        "kokoro-onnx as TTS by sentence"
    )

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stt = Whisper(options)
        self._tts = Speaker(options)
        self._llm = openai.LLM(
            model="local",
            api_key="none",
            base_url=options.endpoint,
            temperature=options.temperature,
            max_completion_tokens=options.max_tokens,
        )

    async def ask(self, pcm: Samples, rate: int) -> Heard:
        """One question in a conversation of its own."""
        moments = self._stt.moments = self._tts.moments = Moments()
        agent = Assistant(self._options.instructions, moments)
        session: AgentSession[None] = AgentSession(stt=self._stt, llm=self._llm, tts=self._tts)
        microphone, loudspeaker = Microphone(rate), Loudspeaker(moments)
        session.input.audio = microphone
        session.output.audio = loudspeaker
        await session.start(agent, record=False)
        ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        speaking = asyncio.create_task(speak(pcm, rate, microphone.hear, ended))
        try:
            audible = await listen(loudspeaker.ear, ended)
        finally:
            speaking.cancel()
        heard, said = " ".join(agent.heard), "".join(agent.said)
        stages = moments.stages(ended.result())
        result = Heard(audible, heard, said, stages, loudspeaker.ear.gap)
        await session.interrupt(force=True)
        await session.aclose()
        return result


@asynccontextmanager
async def load(options: Options) -> AsyncIterator[LivekitAsker]:
    """Load the models."""
    yield LivekitAsker(options)


if __name__ == "__main__":
    serve(load)
