"""Pipecat as its own documentation puts a local pipeline together.

transport in -> WhisperSTTService -> user aggregator (Silero VAD, Smart Turn v3.2; the defaults) ->
OpenAILLMService -> KokoroTTSService -> transport out -> assistant aggregator. The transport is the
only part that is ours: Pipecat's base transports, fed and heard in this process.
"""

# mypy: allow-subclassing-any, disable-error-code="import-not-found, untyped-decorator"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    InterruptionWorkerFrame,
    LLMContextFrame,
    LLMMessagesUpdateFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    UserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.services.kokoro.tts import KokoroTTSService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.whisper.stt import WhisperSTTService
from pipecat.transcriptions.language import Language
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from bench.peers.ear import Ear
from bench.peers.microphone import Samples, floats, speak
from bench.peers.service import Heard, Moments, Options, listen, serve


class Microphone(BaseInputTransport):
    """Audio comes in by `hear`."""

    async def start(self, frame: StartFrame) -> None:
        """Begin to take audio."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def hear(self, pcm: bytes) -> None:
        """20 ms of 16 kHz mono."""
        await self.push_audio_frame(InputAudioRawFrame(pcm, self.sample_rate, 1))


class Loudspeaker(BaseOutputTransport):
    """Audio goes out to an `Ear`, as fast as it would be played."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self.ear = Ear()

    async def start(self, frame: StartFrame) -> None:
        """Begin to play audio."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Play a piece and wait as a loudspeaker would let its caller wait."""
        pcm = floats(frame.audio)
        self.ear.hear(pcm, frame.sample_rate, perf_counter())
        await asyncio.sleep(max(0.0, self.ear.ends - perf_counter()))
        return True


class Stopwatch(BaseObserver):
    """Notes when what happens in the pipeline, and what was said."""

    def __init__(self, ear: Ear) -> None:
        super().__init__(observe_every_push=False)
        self.ear = ear
        self.reset()

    def reset(self) -> None:
        """A new conversation begins."""
        self.moments = Moments()
        self.heard: list[str] = []
        self.said: list[str] = []
        self.ear.forget()

    async def on_push_frame(self, data: FramePushed) -> None:
        """Called when a frame is pushed for the first time."""
        moments, frame = self.moments, data.frame
        match frame:
            case InterruptionFrame():
                moments.forget("started", "first_token", "first_clause", "first_audio")
                self.said.clear()
                self.ear.forget()
            case VADUserStoppedSpeakingFrame():
                moments.note("paused", again=True)
                moments.note("transcribing", again=True)
            case TranscriptionFrame():
                moments.note("transcribed", again=True)
                self.heard.append(frame.text.strip())
            case UserStoppedSpeakingFrame():
                moments.note("committed", again=True)
            case LLMContextFrame():
                moments.note("started")
            case LLMTextFrame():
                moments.note("first_token")
                self.said.append(frame.text)
            case TTSStartedFrame():
                moments.note("first_clause")
            case TTSAudioRawFrame():
                moments.note("first_audio")


class PipecatAsker:
    """A running pipeline."""

    packages = ("pipecat-ai", "faster-whisper", "ctranslate2", "kokoro-onnx", "onnxruntime")
    pipeline = (
        "WhisperSTTService (segmented, 30 s window), SileroVADAnalyzer (0.2 s), "
        "LocalSmartTurnAnalyzerV3 (v3.2), OpenAILLMService, KokoroTTSService by sentence"
    )

    def __init__(self, worker: PipelineWorker, microphone: Microphone, stopwatch: Stopwatch):
        self._worker = worker
        self._microphone = microphone
        self._stopwatch = stopwatch

    async def ask(self, pcm: Samples, rate: int) -> Heard:
        """One question in a conversation of its own."""
        watch = self._stopwatch
        await self._worker.queue_frame(LLMMessagesUpdateFrame(messages=[], run_llm=False))
        await asyncio.sleep(0.2)
        watch.reset()
        ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        speaking = asyncio.create_task(speak(pcm, rate, self._microphone.hear, ended))
        try:
            audible = await listen(watch.ear, ended)
        finally:
            speaking.cancel()
        stages = watch.moments.stages(ended.result())
        heard = Heard(audible, " ".join(watch.heard), "".join(watch.said), stages, watch.ear.gap)
        await self._worker.queue_frame(InterruptionWorkerFrame())
        return heard


@asynccontextmanager
async def load(options: Options) -> AsyncIterator[PipecatAsker]:
    """Load the models and run the pipeline for as long as the block lasts."""
    params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    microphone, loudspeaker = Microphone(params), Loudspeaker(params)
    stt = WhisperSTTService(
        device="cpu",
        compute_type="int8",
        settings=WhisperSTTService.Settings(
            model=f"{options.weights}/whisper-base", language=Language(options.language)
        ),
    )
    llm = OpenAILLMService(
        api_key="none",
        base_url=options.endpoint,
        settings=OpenAILLMService.Settings(
            model="local",
            system_instruction=options.instructions,
            temperature=options.temperature,
            max_tokens=options.max_tokens,
        ),
    )
    tts = KokoroTTSService(
        model_path=f"{options.weights}/kokoro/kokoro-v1.0.int8.onnx",
        voices_path=options.voices,
        settings=KokoroTTSService.Settings(voice=options.voice),
        # After its 3 s a long first sentence on a slow CPU counts as "no audio", and after three of
        # those the service stops for good.
        stop_frame_timeout_s=20.0,
    )
    user, assistant = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()),
    )
    stopwatch = Stopwatch(loudspeaker.ear)
    worker = PipelineWorker(
        Pipeline([microphone, stt, user, llm, tts, loudspeaker, assistant]),
        params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000),
        observers=[stopwatch],
        idle_timeout_secs=None,
        enable_rtvi=False,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def _(_: PipelineWorker, __: Frame) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await started.wait()
        yield PipecatAsker(worker, microphone, stopwatch)
    finally:
        await worker.cancel()
        await running


if __name__ == "__main__":
    serve(load)
