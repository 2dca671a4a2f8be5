"""The `openai` package: `AsyncOpenAI(...).realtime.connect`."""

from __future__ import annotations

import base64
import json
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from stage import INSTRUCTIONS, STORY, TYPED, URL, VOICE, WEATHER, perform, speak

client = AsyncOpenAI(base_url=f"{URL}/v1", api_key="none")

TRANSCRIBED: dict[str, Any] = {
    "type": "realtime",
    "audio": {"input": {"transcription": {"model": "whisper-base"}}},
}
PUSH_TO_TALK: dict[str, Any] = {
    "type": "realtime",
    "audio": {"input": {"transcription": {}, "turn_detection": None}},
}
WRITTEN: dict[str, Any] = {"type": "realtime", "output_modalities": ["text"]}


class Ears:
    """Follows a connection and keeps what a program would want of it."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.transcript = ""
        self.reply = ""
        self.text = ""
        self.item_id = ""
        self.audio = b""

    async def until(self, kind: str) -> Any:
        """Listen until an event of this type comes, and return it."""
        async for event in self.connection:
            match event.type:
                case "conversation.item.input_audio_transcription.completed":
                    self.transcript = event.transcript
                case "response.output_audio.delta":
                    self.item_id = event.item_id
                    self.audio += base64.b64decode(event.delta)
                case "response.output_audio_transcript.done":
                    self.reply = event.transcript
                case "response.output_text.done":
                    self.text = event.text
            if event.type == kind:
                return event
        raise ConnectionError(f"closed before {kind}")

    async def hear_reply(self) -> dict[str, Any]:
        """Listen to a whole reply."""
        done = await self.until("response.done")
        return {
            "status": done.response.status,
            "transcript": self.transcript,
            "reply": self.reply,
            "text": self.text,
            "audio": self.audio,
        }


async def say(connection: AsyncRealtimeConnection, name: str, *, after: float = 1.0) -> None:
    async def append(pcm: bytes) -> None:
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode())

    await speak(name, append, after=after)


async def write(connection: AsyncRealtimeConnection, text: str) -> None:
    part = {"type": "input_text", "text": text}
    item: Any = {"type": "message", "role": "user", "content": [part]}
    await connection.conversation.item.create(item=item)
    await connection.response.create()


async def connect() -> dict[str, Any]:
    async with client.realtime.connect(model="vivavoce") as connection:
        session: Any = {
            "type": "realtime",
            "instructions": INSTRUCTIONS,
            "audio": {"output": {"voice": VOICE}},
        }
        await connection.session.update(session=session)
        updated = await Ears(connection).until("session.updated")
        return {
            "instructions": updated.session.instructions,
            "voice": updated.session.audio.output.voice,
        }


async def spoken() -> dict[str, Any]:
    async with client.realtime.connect(model="vivavoce") as connection:
        await connection.session.update(session=TRANSCRIBED)
        await say(connection, "question")
        return await Ears(connection).hear_reply()


async def push_to_talk() -> dict[str, Any]:
    async with client.realtime.connect(model="vivavoce") as connection:
        await connection.session.update(session=PUSH_TO_TALK)
        await say(connection, "question", after=0.1)
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        return await Ears(connection).hear_reply()


async def typed() -> dict[str, Any]:
    async with client.realtime.connect(model="vivavoce") as connection:
        await connection.session.update(session=WRITTEN)
        await write(connection, TYPED)
        return await Ears(connection).hear_reply()


async def function() -> dict[str, Any]:
    async with client.realtime.connect(model="vivavoce") as connection:
        tool = {"type": "function", "name": "weather", "parameters": WEATHER}
        await connection.session.update(session={**TRANSCRIBED, "tools": [tool]})
        await write(connection, "What is the weather in Paris?")
        ears = Ears(connection)
        done = await ears.until("response.done")
        [call] = done.response.output
        city = json.loads(call.arguments)["city"]
        output = f"It is sunny and warm in {city}."
        item: Any = {"type": "function_call_output", "call_id": call.call_id, "output": output}
        await connection.conversation.item.create(item=item)
        await connection.response.create()
        return {"name": call.name, **await ears.hear_reply()}


async def interruption() -> dict[str, Any]:
    async with client.realtime.connect(model="vivavoce") as connection:
        await connection.session.update(session=TRANSCRIBED)
        await write(connection, STORY)
        ears = Ears(connection)
        while len(ears.audio) < 48_000:
            await ears.until("response.output_audio.delta")
        await say(connection, "stop")
        done = await ears.until("response.done")
        item_id = ears.item_id
        await connection.conversation.item.truncate(
            item_id=item_id, content_index=0, audio_end_ms=800
        )
        await ears.until("conversation.item.truncated")
        await connection.conversation.item.retrieve(item_id=item_id)
        kept = await ears.until("conversation.item.retrieved")
        return {
            "interrupted": done.response.status == "cancelled",
            "kept": kept.item.content[0].transcript,
        }


async def cancel() -> dict[str, Any]:
    async with client.realtime.connect(model="vivavoce") as connection:
        await write(connection, STORY)
        ears = Ears(connection)
        await ears.until("response.output_audio.delta")
        await connection.response.cancel()
        done = await ears.until("response.done")
        return {"cancelled": done.response.status == "cancelled"}


async def error() -> dict[str, Any]:
    async with client.realtime.connect(model="vivavoce") as connection:
        await connection.conversation.item.retrieve(item_id="item_of_nobody", event_id="mine")
        ears = Ears(connection)
        refused = await ears.until("error")
        await connection.session.update(session=WRITTEN)
        await write(connection, TYPED)
        heard = await ears.hear_reply()
        return {"code": refused.error.code, "event_id": refused.error.event_id, **heard}


async def close() -> dict[str, Any]:
    connection = await client.realtime.connect(model="vivavoce").enter()
    await Ears(connection).until("session.created")
    await connection.close()
    return {}


perform()
