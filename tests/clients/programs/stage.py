"""What the Python programs share: their orders, their voice, and the report they end with.

A program is run as `python program.py SCENARIO URL FOLDER`. FOLDER holds what is to be said, raw
PCM16 at 24 kHz; the audio of the reply is left there, and the last line of output is the report.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

RATE = 24_000
PIECE = RATE * 2 // 25
"""Bytes of 40 ms."""

PATIENCE = 240
"""Seconds a scenario may take."""

INSTRUCTIONS = "You are a helpful guide. Be brief."
VOICE = "bf_emma"
TYPED = "What is the capital of France?"
STORY = "Tell me a long story about a dragon and a castle."
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}

SCENARIO, URL = sys.argv[1], sys.argv[2]
WEBSOCKET = URL.replace("http", "ws", 1)
FOLDER = Path(sys.argv[3])


def sound(name: str) -> bytes:
    """What is to be said: PCM16, 24 kHz, mono."""
    return (FOLDER / f"{name}.pcm").read_bytes()


async def speak(name: str, send: Callable[[bytes], Awaitable[Any]], *, after: float = 1.0) -> None:
    """Say it as a microphone would, 40 ms at a time, and `after` seconds of silence."""
    pcm = sound(name) + bytes(int(after * RATE) * 2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for at in range(0, len(pcm), PIECE):
        await send(pcm[at : at + PIECE])
        await asyncio.sleep(began + (at + PIECE) / 2 / RATE - loop.time())


def perform() -> None:
    """Run the program's function that is called as the scenario; the audio of its report goes to a
    file.
    """
    scenario: Callable[[], Coroutine[Any, Any, dict[str, Any]]]
    scenario = getattr(sys.modules["__main__"], SCENARIO)
    report = asyncio.run(asyncio.wait_for(scenario(), PATIENCE))
    (FOLDER / "reply.pcm").write_bytes(report.pop("audio", b""))
    sys.stdout.write(f"{json.dumps(report)}\n")
