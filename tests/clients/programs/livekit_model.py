"""The `livekit-plugins-openai` package: `RealtimeModel` and its session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from livekit import rtc
from livekit.agents import function_tool, llm
from livekit.plugins.openai.realtime import RealtimeModel, RealtimeSession
from stage import INSTRUCTIONS, RATE, STORY, TYPED, URL, VOICE, perform, speak


@asynccontextmanager
async def open_session(**options: Any) -> AsyncIterator[RealtimeSession]:
    options = {"input_audio_transcription": {"model": "whisper-base"}, **options}
    model = RealtimeModel(
        base_url=f"{URL}/v1",
        api_key="none",
        model="vivavoce",
        voice=VOICE,
        **options,
    )
    session = model.session()
    try:
        yield session
    finally:
        await session.aclose()
        await model.aclose()


@function_tool
async def weather(city: str) -> str:
    """What the weather is like in a city."""
    return f"It is sunny and warm in {city}."


class Ears:
    """Follows a session and keeps what a program would want of it."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.transcript = ""
        self.events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        for name in (
            "generation_created",
            "input_audio_transcription_completed",
            "input_speech_started",
            "openai_server_event_received",
            "error",
        ):
            session.on(name, lambda event, name=name: self.note(name, event))

    def note(self, name: str, event: Any) -> None:
        if name == "input_audio_transcription_completed":
            self.transcript = event.transcript
        self.events.put_nowait((name, event))

    async def until(self, name: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """Listen until such an event comes, and return it."""
        while True:
            came, event = await self.events.get()
            if came == name and wanted(event):
                return event

    async def wire(self, kind: str) -> Any:
        """Listen until the server sends an event of this type."""
        return await self.until("openai_server_event_received", lambda e: e["type"] == kind)

    async def hear(self, generation: llm.GenerationCreatedEvent) -> dict[str, Any]:
        """Listen to a whole reply."""
        text, audio = "", b""
        async for message in generation.message_stream:
            text += "".join([delta async for delta in message.text_stream])
            async for frame in message.audio_stream:
                audio += bytes(frame.data)
        await self.wire("response.done")
        return {"transcript": self.transcript, "reply": text, "text": text, "audio": audio}


async def say(session: RealtimeSession, name: str, *, after: float = 1.0) -> None:
    async def push(pcm: bytes) -> None:
        session.push_audio(rtc.AudioFrame(pcm, RATE, 1, len(pcm) // 2))

    await speak(name, push, after=after)


async def write(session: RealtimeSession, text: str) -> asyncio.Future[llm.GenerationCreatedEvent]:
    context = session.chat_ctx.copy()
    context.add_message(role="user", content=text)
    await session.update_chat_ctx(context)
    return session.generate_reply()


async def connect() -> dict[str, Any]:
    async with open_session() as session:
        ears = Ears(session)
        await session.update_instructions(INSTRUCTIONS)
        updated = await ears.until(
            "openai_server_event_received",
            lambda e: (
                e["type"] == "session.updated" and e["session"]["instructions"] == INSTRUCTIONS
            ),
        )
        shown = updated["session"]
        return {
            "instructions": shown["instructions"],
            "voice": shown["audio"]["output"]["voice"],
        }


async def spoken() -> dict[str, Any]:
    async with open_session() as session:
        ears = Ears(session)
        await say(session, "question")
        return await ears.hear(await ears.until("generation_created"))


async def push_to_talk() -> dict[str, Any]:
    async with open_session(turn_detection=None) as session:
        ears = Ears(session)
        await say(session, "question", after=0.1)
        session.commit_audio()
        return await ears.hear(await session.generate_reply())


async def typed() -> dict[str, Any]:
    async with open_session(modalities=["text"]) as session:
        ears = Ears(session)
        return await ears.hear(await (await write(session, TYPED)))


async def function() -> dict[str, Any]:
    async with open_session() as session:
        ears = Ears(session)
        await session.update_tools([weather])
        generation = await (await write(session, "What is the weather in Paris?"))
        call = await anext(generation.function_stream)
        await ears.wire("response.done")
        context = session.chat_ctx.copy()
        output = await weather(city="Paris")
        context.insert(
            llm.FunctionCallOutput(
                call_id=call.call_id, name=call.name, output=output, is_error=False
            )
        )
        await session.update_chat_ctx(context)
        return {"name": call.name, **await ears.hear(await session.generate_reply())}


async def interruption() -> dict[str, Any]:
    async with open_session() as session:
        ears = Ears(session)
        generation = await (await write(session, STORY))
        message = await anext(generation.message_stream)
        heard = 0.0
        while heard < 1.0:
            heard += (await anext(message.audio_stream)).duration
        speaking = asyncio.create_task(say(session, "stop"))
        await ears.until("input_speech_started")
        session.truncate(
            message_id=message.message_id, modalities=["audio", "text"], audio_end_ms=800
        )
        seen: dict[str, Any] = {}
        while not {"conversation.item.truncated", "response.done"} <= set(seen):  # in any order
            event = await ears.until("openai_server_event_received")
            seen.setdefault(event["type"], event)
        await speaking
        return {"interrupted": seen["response.done"]["response"]["status"] == "cancelled"}


async def cancel() -> dict[str, Any]:
    async with open_session() as session:
        ears = Ears(session)
        await (await write(session, STORY))
        await ears.wire("response.output_audio.delta")
        session.interrupt()
        done = await ears.wire("response.done")
        return {"cancelled": done["response"]["status"] == "cancelled"}


async def error() -> dict[str, Any]:
    async with open_session(modalities=["text"]) as session:
        ears = Ears(session)
        session.truncate(message_id="item_of_nobody", modalities=["audio"], audio_end_ms=100)
        failure = await ears.until("error")
        heard = await ears.hear(await (await write(session, TYPED)))
        return {"code": failure.error.body.code, "recoverable": failure.recoverable, **heard}


async def close() -> dict[str, Any]:
    async with open_session() as session:
        await Ears(session).wire("session.created")
    return {}


perform()
