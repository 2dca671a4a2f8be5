"""Listening for Wyoming clients: one task a connection, bounded in number, size and time."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeVar

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable, async_write_event
from wyoming.info import Describe
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from voice import metrics
from voice.audio import SPOKEN_RATE, Pcm, int16_from_pcm
from voice.errors import BadEvent, ConfigError, Overloaded, VoiceError
from voice.languages import only_allowed
from voice.session import Engines
from voice.settings import Settings
from voice.wyoming.reading import LINE_BYTES, read_event
from voice.wyoming.services import Reading, Recording, choose_voice, describe

log = logging.getLogger(__name__)

T = TypeVar("T")

IDLE = 300.0
"""Seconds without an event after which a connection is closed."""

LINGER = 5.0
"""Seconds for which what a client still sends is thrown away, so that it can read its error."""


class Wyoming:
    """The server on the port of the settings."""

    def __init__(self, settings: Settings, engines: Engines) -> None:
        self.settings = settings
        self.engines = engines
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen; returns where, as a URI. Raises `ConfigError` if that cannot be."""
        host, port = self.settings.wyoming.host, self.settings.wyoming.port
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=LINE_BYTES)
        except OSError as error:
            why = error.strerror or str(error)
            raise ConfigError(
                f"VIVAVOCE_WYOMING_PORT: cannot listen on {host} port {port} ({why})"
            ) from None
        return f"tcp://{host}:{port}"

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] = asyncio.current_task()  # type: ignore[assignment]  # we are one
        self._clients.add(task)
        writer.transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        client = Client(self.settings, self.engines, reader, writer)
        try:
            if len(self._clients) > self.settings.limits.requests:
                await client.refuse(Overloaded("too many connections", code="too_many_requests"))
            else:
                await client.run()
        except asyncio.CancelledError:
            pass  # the server is closing; asyncio's own callback would report it
        except (ConnectionError, TimeoutError):
            pass  # it has gone, or does not read
        except Exception:
            log.exception("a Wyoming connection failed")
            metrics.ERRORS.labels("internal_error").inc()
        finally:
            self._clients.discard(task)
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # it does not read: closing would wait for it
            else:
                writer.close()


class Client:
    """One connection: what it asked for last, and the sound or text that belongs to it."""

    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._reader = reader
        self._writer = writer
        self._language = settings.stt.language
        self._recording: Recording | None = None
        self._reading: Reading | None = None
        self._sounds = False

    async def run(self) -> None:
        """Answer events until the client leaves or makes a mistake, which it is told."""
        limit = self._settings.limits.append_bytes
        try:
            while True:
                async with asyncio.timeout(IDLE):
                    event = await read_event(self._reader, limit=limit)
                if event is None:
                    return
                await self._answer(event)
        except VoiceError as error:
            await self.refuse(error)

    async def refuse(self, error: VoiceError) -> None:
        """Say what is wrong, and nothing more after it: a client that waits must not wait on."""
        metrics.ERRORS.labels(error.code).inc()
        await self._send(Error(text=error.message, code=error.code))
        self._writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while await self._reader.read(LINE_BYTES):
                    pass

    async def _answer(self, event: Event) -> None:
        try:
            await self._follow(event)
        except (KeyError, TypeError, AttributeError):
            raise BadEvent(f"the {event.type[:40]} event has a wrong or missing field") from None

    async def _follow(self, event: Event) -> None:
        kind = event.type
        if Describe.is_type(kind):
            await self._send(describe(self._settings, self._engines))
        elif Ping.is_type(kind):
            await self._send(Pong(text=Ping.from_event(event).text))
        elif Transcribe.is_type(kind):
            self._language = self._known(Transcribe.from_event(event).language)
        elif AudioStart.is_type(kind):
            limit = self._settings.limits.buffer_seconds
            self._recording = Recording(AudioStart.from_event(event), limit)
        elif AudioChunk.is_type(kind):
            self._need(self._recording).add(AudioChunk.from_event(event))
        elif AudioStop.is_type(kind):
            pcm = self._need(self._recording).finish()
            self._recording = None
            language = self._language or only_allowed(self._settings)
            heard = await self._engines.stt.transcribe(pcm, language=language)
            await self._send(Transcript(text=heard.text, language=heard.language or None))
        elif SynthesizeStart.is_type(kind):
            start = SynthesizeStart.from_event(event)
            self._reading = self._begin(start.voice, start.text_format)
        elif SynthesizeChunk.is_type(kind):
            text = SynthesizeChunk.from_event(event).text
            await self._speak(self._need(self._reading).feed(text))
        elif SynthesizeStop.is_type(kind):
            await self._speak(self._need(self._reading).finish())
            self._reading = None
            await self._silence()
            await self._send(SynthesizeStopped())
        elif Synthesize.is_type(kind) and self._reading is None:
            # Within a text that comes in pieces, the whole of it is for servers that cannot wait.
            whole = Synthesize.from_event(event)
            reading = self._begin(whole.voice, whole.text_format)
            await self._speak(reading.feed(whole.text))
            await self._speak(reading.finish())
            await self._silence()

    def _known(self, language: str | None) -> str | None:
        if not language:
            return self._settings.stt.language
        code = language.replace("_", "-").split("-")[0].lower()
        if code not in self._engines.stt.languages:
            raise VoiceError("this language is not known", code="unknown_language")
        return code

    def _need(self, begun: T | None) -> T:
        if begun is None:
            raise BadEvent("this event comes before the one that starts it")
        return begun

    def _begin(self, voice: SynthesizeVoice | None, form: str | None) -> Reading:
        if form not in (None, "text"):
            raise BadEvent("only plain text is read", code="unsupported_format")
        tts = self._engines.tts
        chosen = choose_voice(tts, voice, self._settings.tts.voice)
        return Reading(tts, chosen, self._settings.limits.text_chars)

    async def _speak(self, sound: AsyncIterator[Pcm]) -> None:
        async for pcm in sound:
            if not self._sounds:
                self._sounds = True
                await self._send(AudioStart(rate=SPOKEN_RATE, width=2, channels=1))
            for at in range(0, len(pcm), SPOKEN_RATE // 2):
                audio = int16_from_pcm(pcm[at : at + SPOKEN_RATE // 2])
                await self._send(AudioChunk(rate=SPOKEN_RATE, width=2, channels=1, audio=audio))

    async def _silence(self) -> None:
        """The sound ends here. Where there was none, it is still said that there is none."""
        if not self._sounds:
            await self._send(AudioStart(rate=SPOKEN_RATE, width=2, channels=1))
        self._sounds = False
        await self._send(AudioStop())

    async def _send(self, message: Eventable) -> None:
        async with asyncio.timeout(self._settings.limits.send_timeout):
            await async_write_event(message.event(), self._writer)
