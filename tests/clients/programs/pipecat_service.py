"""The `pipecat-ai` package: `OpenAIRealtimeLLMService` in a pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionWorkerFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner
from stage import INSTRUCTIONS, RATE, STORY, TYPED, VOICE, WEBSOCKET, perform, speak

called: list[str] = []


async def weather(params: FunctionCallParams, city: str) -> None:
    """What the weather is like in a city.

    Args:
        city: The city.
    """
    called.append("weather")
    await params.result_callback(f"It is sunny and warm in {city}.")


class Loudspeaker(BaseOutputTransport):
    """Plays in real time to nobody."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await asyncio.sleep(len(frame.audio) / 2 / frame.sample_rate)
        return True


class Ears(BaseObserver):
    """Follows the frames and keeps what a program would want of them."""

    def __init__(self) -> None:
        super().__init__(observe_every_push=False)
        self.transcript = ""
        self.text = ""
        self.audio = b""
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()

    async def on_push_frame(self, data: FramePushed) -> None:
        match data.frame:
            case TranscriptionFrame():
                self.transcript = data.frame.text
            case LLMTextFrame():
                self.text += data.frame.text
            case TTSAudioRawFrame() if isinstance(data.source, OpenAIRealtimeLLMService):
                self.audio += data.frame.audio
        self.frames.put_nowait(data.frame)

    async def until(self, *kinds: type[Frame]) -> Any:
        """Wait for a frame of one of these kinds."""
        while True:
            frame = await self.frames.get()
            if isinstance(frame, kinds):
                return frame

    async def hear_reply(self, last: type[Frame] = TTSStoppedFrame) -> dict[str, Any]:
        """Listen to a whole reply."""
        await self.until(last)
        return {
            "transcript": self.transcript,
            "reply": self.text,
            "text": self.text,
            "audio": self.audio,
        }


class Stage:
    """A running pipeline."""

    def __init__(
        self, service: OpenAIRealtimeLLMService, worker: PipelineWorker, ears: Ears
    ) -> None:
        self.service = service
        self.worker = worker
        self.ears = ears
        self.items: list[Any] = []

    async def hear(self, pcm: bytes) -> None:
        await self.worker.queue_frame(InputAudioRawFrame(pcm, RATE, 1))

    async def until(self, happened: Callable[[], Any]) -> None:
        """Wait for something that no frame tells."""
        while not happened():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def run(text: str = "", *, tools: Any = None, **properties: Any) -> AsyncIterator[Stage]:
    service = OpenAIRealtimeLLMService(
        base_url=f"{WEBSOCKET}/v1/realtime",
        api_key="none",
        settings=OpenAIRealtimeLLMService.Settings(
            model="vivavoce",
            system_instruction=INSTRUCTIONS,
            session_properties=events.SessionProperties(**properties),
        ),
    )
    messages: list[Any] = [{"role": "user", "content": text}] if text else []
    context = LLMContext(messages, **({"tools": tools} if tools else {}))
    user, assistant = LLMContextAggregatorPair(context)
    loudspeaker = Loudspeaker(TransportParams(audio_out_enabled=True))
    ears = Ears()
    worker = PipelineWorker(
        Pipeline([user, service, loudspeaker, assistant]),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
        observers=[ears],
        idle_timeout_secs=None,
        enable_rtvi=False,
    )
    stage = Stage(service, worker, ears)

    @service.event_handler("on_conversation_item_updated")
    async def _(_: Any, item_id: str, item: Any) -> None:
        stage.items.append(item)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await stage.until(lambda: service._api_session_ready)
        if text:
            await worker.queue_frame(LLMRunFrame())
        yield stage
    finally:
        await worker.stop_when_done()
        await running


def spoken_with(**audio: Any) -> dict[str, Any]:
    heard = {"transcription": events.InputAudioTranscription(), **audio}
    return {
        "audio": events.AudioConfiguration(
            input=events.AudioInput(**heard), output=events.AudioOutput(voice=VOICE)
        )
    }


async def connect() -> dict[str, Any]:
    updated: list[Any] = []
    handle = OpenAIRealtimeLLMService._handle_evt_session_updated

    async def note(self: OpenAIRealtimeLLMService, event: Any) -> None:
        updated.append(event.session)
        await handle(self, event)

    OpenAIRealtimeLLMService._handle_evt_session_updated = note
    async with run(TYPED, **spoken_with(), output_modalities=["text"]) as stage:
        await stage.ears.until(LLMTextFrame)
    shown = updated[-1]
    return {"instructions": shown.instructions, "voice": shown.audio.output.voice}


async def spoken() -> dict[str, Any]:
    async with run(**spoken_with()) as stage:
        await speak("question", stage.hear)
        return await stage.ears.hear_reply()


async def push_to_talk() -> dict[str, Any]:
    async with run(**spoken_with(turn_detection=False)) as stage:
        await speak("question", stage.hear, after=0.1)
        await stage.worker.queue_frame(UserStoppedSpeakingFrame())
        return await stage.ears.hear_reply()


async def typed() -> dict[str, Any]:
    async with run(TYPED, output_modalities=["text"]) as stage:
        await stage.ears.until(LLMTextFrame)
        return await stage.ears.hear_reply(LLMFullResponseEndFrame)


async def function() -> dict[str, Any]:
    async with run("What is the weather in Paris?", tools=[weather], **spoken_with()) as stage:
        return {**await stage.ears.hear_reply(), "name": called[0]}


async def interruption() -> dict[str, Any]:
    async with run(STORY, **spoken_with()) as stage:
        await stage.until(lambda: len(stage.ears.audio) > 48_000)
        await speak("stop", stage.hear)
        await stage.ears.until(UserStartedSpeakingFrame)
        await stage.ears.until(TranscriptionFrame)
        return {"interrupted": True}


async def cancel() -> dict[str, Any]:
    async with run(STORY, **spoken_with(turn_detection=False)) as stage:
        await stage.ears.until(TTSAudioRawFrame)
        await stage.worker.queue_frame(InterruptionWorkerFrame())
        await stage.until(lambda: not stage.service._response_active)
        return {"cancelled": True}


async def error() -> dict[str, Any]:
    async with run(output_modalities=["text"]) as stage:
        code = ""
        try:
            await stage.service.retrieve_conversation_item("item_of_nobody")
        except Exception:
            code = "item_retrieve_invalid_item_id"
        await stage.service.send_client_event(
            events.ConversationItemCreateEvent(
                item=events.ConversationItem(
                    type="message",
                    role="user",
                    content=[events.ItemContent(type="input_text", text=TYPED)],
                )
            )
        )
        await stage.service.send_client_event(events.ResponseCreateEvent(response=None))
        await stage.ears.until(LLMTextFrame, ErrorFrame)
        return {"code": code, **await stage.ears.hear_reply(LLMFullResponseEndFrame)}


async def close() -> dict[str, Any]:
    async with run():
        pass
    return {}


perform()
