"""The `openai-agents` package: `RealtimeAgent` and `RealtimeRunner`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession
from agents.realtime.model_inputs import RealtimeModelSendInterrupt, RealtimeModelSendRawMessage
from stage import INSTRUCTIONS, STORY, TYPED, VOICE, WEBSOCKET, perform, speak

called: list[str] = []


@function_tool
def weather(city: str) -> str:
    """What the weather is like in a city."""
    called.append("weather")
    return f"It is sunny and warm in {city}."


async def run(*, tools: list[Any] | None = None, **settings: Any) -> RealtimeSession:
    agent = RealtimeAgent(name="Guide", instructions=INSTRUCTIONS, tools=tools or [])
    runner = RealtimeRunner(agent)
    return await runner.run(
        model_config={
            "url": f"{WEBSOCKET}/v1/realtime?model=vivavoce",
            "api_key": "none",
            "initial_model_settings": {"voice": VOICE, **settings},
        }
    )


async def send(session: RealtimeSession, kind: str, **fields: Any) -> None:
    """Send an event that the session has no method for."""
    message: Any = {"type": kind, "other_data": fields}
    await session.model.send_event(RealtimeModelSendRawMessage(message=message))


class Ears:
    """Follows a session and keeps what a program would want of it."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.audio = b""
        self.said: dict[str, str] = {}
        """role -> what the newest item says"""
        self.types: list[str] = []

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """Listen until such an event comes, and return it."""
        async for event in self.session:
            self.types.append(event.type)
            match event.type:
                case "audio":
                    self.audio += event.audio.data
                case "history_added":
                    self.note([event.item])
                case "history_updated":
                    self.note(event.history)
            if wanted(event):
                return event
        raise ConnectionError("closed")

    def note(self, items: list[Any]) -> None:
        for item in items:
            if item.type == "message" and item.content:
                part = item.content[0]
                text = getattr(part, "transcript", None) or getattr(part, "text", None)
                if text:
                    self.said[item.role] = text

    async def wire(self, kind: str) -> dict[str, Any]:
        """Listen until the server sends an event of this type."""
        event = await self.until(
            lambda event: (
                event.type == "raw_model_event"
                and event.data.type == "raw_server_event"
                and event.data.data["type"] == kind
            )
        )
        found: dict[str, Any] = event.data.data
        return found

    async def hear_reply(self) -> dict[str, Any]:
        """Listen to a whole reply."""
        await self.until(lambda event: event.type == "agent_end")
        said = self.said.get("assistant", "")
        return {
            "transcript": self.said.get("user", ""),
            "reply": said,
            "text": said,
            "audio": self.audio,
        }


async def connect() -> dict[str, Any]:
    async with await run() as session:
        updated = await Ears(session).wire("session.updated")
        shown = updated["session"]
        return {
            "instructions": shown["instructions"],
            "voice": shown["audio"]["output"]["voice"],
        }


async def spoken() -> dict[str, Any]:
    async with await run() as session:
        await speak("question", session.send_audio)
        return await Ears(session).hear_reply()


async def push_to_talk() -> dict[str, Any]:
    async with await run(turn_detection=None) as session:
        await speak("question", session.send_audio, after=0.1)
        await session.send_audio(bytes(960), commit=True)
        await send(session, "response.create")
        return await Ears(session).hear_reply()


async def typed() -> dict[str, Any]:
    async with await run(output_modalities=["text"]) as session:
        await session.send_message(TYPED)
        return await Ears(session).hear_reply()


async def function() -> dict[str, Any]:
    async with await run(tools=[weather]) as session:
        await session.send_message("What is the weather in Paris?")
        ears = Ears(session)
        await ears.until(lambda event: event.type == "audio_end")
        return {**await ears.hear_reply(), "name": called[0]}


async def interruption() -> dict[str, Any]:
    async with await run() as session:
        await session.send_message(STORY)
        ears = Ears(session)
        await ears.until(lambda _: len(ears.audio) >= 48_000)
        await speak("stop", session.send_audio)
        await ears.wire("conversation.item.retrieved")
        return {"interrupted": "audio_interrupted" in ears.types}


async def cancel() -> dict[str, Any]:
    async with await run() as session:
        await session.send_message(STORY)
        ears = Ears(session)
        await ears.until(lambda event: event.type == "audio")
        await session.model.send_event(RealtimeModelSendInterrupt(force_response_cancel=True))
        done = await ears.wire("response.done")
        return {"cancelled": done["response"]["status"] == "cancelled"}


async def error() -> dict[str, Any]:
    async with await run(output_modalities=["text"]) as session:
        await send(session, "conversation.item.retrieve", item_id="item_of_nobody")
        ears = Ears(session)
        refused = await ears.until(lambda event: event.type == "error")
        await session.send_message(TYPED)
        return {"code": refused.error.code, **await ears.hear_reply()}


async def close() -> dict[str, Any]:
    session = await run()
    await session.enter()
    await Ears(session).wire("session.updated")
    await session.close()
    return {}


perform()
