"""The composition root: loads the engines, wires routes, serves."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from chat.api.errors import refuse as api_refuse
from chat.api.errors import request_id
from chat.errors import ChatError
from chat.prompts import INSTRUCTIONS
from chat.providers import Message
from chat.providers.pool import Pool
from voice import llms, metrics, rest
from voice.audio import HEARD_RATE
from voice.engines import EngineOptions, load_engine
from voice.errors import ConfigError, VoiceError
from voice.gateway import Gateway
from voice.guard import Guard, shown_error
from voice.keys import Door, Keys
from voice.library import Library, open_library
from voice.page import Page
from voice.passes import Credential
from voice.rest.errors import refuse
from voice.session import Engines
from voice.settings import Settings
from voice.sockets import Sockets

log = logging.getLogger(__name__)

Say = Callable[[str], None]


class Service:
    """The running service: its engines once they are loaded, and what loading took."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.engines: Engines | None = None
        self.library: Library | None = None
        """Conversations, their API and what is done with them; open as long as the service runs."""
        self.wyoming: Any = None
        self.loaded: dict[str, dict[str, Any]] = {}
        """part -> engine, device, seconds"""
        self.failure: str | None = None
        self.stopping: Callable[[], bool] = lambda: False
        """Whether the server is about to end."""
        self.settled = asyncio.Event()
        """Loading is over, one way or the other."""
        self.gateway = Gateway(settings, lambda: self.engines)
        if url := settings.resume.url.get_secret_value():
            # Its library is loaded only where it is wanted.
            self.gateway.states = import_module("voice.states").States(url)
        self.door = Door(
            Keys(settings.keys_file),
            required=settings.require_keys or not _is_loopback(settings.host),
        )
        self.rest = rest.Rest(settings, lambda: self.engines, self.door)

    async def load(self) -> None:
        """Load and warm all engines, saying what each part took. Raises `ConfigError`."""
        settings = self.settings
        parts: dict[str, Any] = {}
        for kind, label in _PARTS.items():
            began = time.perf_counter()
            name, make = _loader(kind, settings)
            part = await asyncio.to_thread(make)
            if isinstance(part, Pool):
                pool, part = part, part.llm()
            await _warm(kind, part, settings)
            took = time.perf_counter() - began
            parts[kind] = part
            device = getattr(part, "device", "cpu")
            self.loaded[kind] = {"engine": name, "device": device, "seconds": round(took, 2)}
            self.say(f"  {label:<19} {name:<34} {device:<5} {took:5.1f} s")
        engines = Engines(**parts)
        if settings.wyoming.port:
            # Its library is loaded only where it is wanted.
            self.wyoming = import_module("voice.wyoming").Wyoming(settings, engines)
            self.say(f"  Wyoming clients at {await self.wyoming.start()}")
        self.engines = engines
        if self.library is not None:
            self.library.use(pool)

    async def open(self) -> None:
        """Open the conversations. Raises `ChatError`."""
        self.library = await open_library(self.settings, self)
        self.gateway.notebook = self.library.notebook
        self.gateway.owner_of = self.door.keys.owner_of
        self.gateway.llm_of = self.library.used_by

    def who(self, request: Request) -> str:
        """Whose conversations a request is about."""
        credential: Credential | None = request.scope.get("credential")
        return self.door.keys.owner_of(credential.key_id if credential is not None else "")

    def stands(self, request: Request) -> bool:
        """Whether who sent it may stay; when the server stops, nobody may."""
        if self.stopping():
            return False
        credential: Credential | None = request.scope.get("credential")
        return credential is None or self.door.stands(credential)

    async def close(self) -> None:
        """Give back what the engines hold."""
        if self.gateway.states is not None:
            await self.gateway.states.close()
        if self.wyoming is not None:
            await self.wyoming.close()
        if self.library is not None:
            await self.library.close()
        if self.engines is not None:
            await self.engines.llm.close()


_PARTS = {
    "vad": "voice activity",
    "turn": "turn detection",
    "stt": "speech recognition",
    "tts": "speech synthesis",
    "llm": "language model",
}


def _loader(kind: str, settings: Settings) -> tuple[str, Callable[[], Any]]:
    """The name of what is chosen for `kind`, and the blocking call that loads it."""
    if kind == "llm":
        return llms.loader(settings)
    section = getattr(settings, kind)
    model = getattr(section, "model", "")
    threads = getattr(section, "threads", 1)
    engine = EngineOptions(settings.weights, settings.device, threads, model)
    return f"{section.engine} {model}".strip(), lambda: load_engine(kind, section.engine, engine)


async def _warm(kind: str, part: Any, settings: Settings) -> None:
    """Pay the first call's costs now, on sound that no one said."""
    noise = np.random.default_rng(0).normal(0, 0.01, HEARD_RATE).astype(np.float32)
    match kind:
        case "vad":
            part.open().probability(noise[: part.frame])
        case "turn":
            await part.completion(noise)
        case "stt":
            if strange := ", ".join(sorted({*settings.stt.languages} - part.languages)):
                raise ConfigError(f"VIVAVOCE_STT_LANGUAGES: {strange} is not known here")
            await part.transcribe(noise, language=settings.stt.language or "en")
        case "tts":
            if settings.tts.voice not in part.voices:
                raise ConfigError(f"VIVAVOCE_TTS_VOICE: there is no voice {settings.tts.voice!r}")
            await part.warm(settings.tts.voice)
            await part.synthesize("Hello there.", voice=settings.tts.voice)
        case "llm":
            instructions = settings.llm.instructions or INSTRUCTIONS
            try:
                await part.warm([Message("system", instructions)])
            except ChatError as error:
                # It may come up later, and the page can say so; do not refuse to start.
                log.warning("the language model does not answer yet: %s", error.message)


def create_app(settings: Settings, say: Say = log.info) -> Starlette:
    """The ASGI application; its engines load in the background once it is started."""
    service = Service(llms.fitted(settings), say)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.service = service
        try:
            await service.open()
        except ChatError as error:
            service.failure = error.message
            service.settled.set()
            yield
            return
        loading = asyncio.create_task(_load(service))
        try:
            yield
        finally:
            loading.cancel()
            await service.close()

    app = Starlette(
        routes=_routes(service),
        lifespan=lifespan,
        middleware=[
            Middleware(
                Guard,
                hosts=settings.allowed_hosts,
                origins=settings.allowed_origins,
                door=service.door,
            )
        ],
        exception_handlers={HTTPException: _no_such_thing},
    )
    app.state.service = service
    return app


async def _load(service: Service) -> None:
    try:
        await service.load()
    except (ConfigError, VoiceError, ChatError) as error:
        service.failure = error.message
    except Exception:
        log.exception("loading failed")
        service.failure = "loading failed; the log says why"
    finally:
        service.settled.set()


def _routes(service: Service) -> list[BaseRoute]:
    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        body = {"ready": service.engines is not None, "parts": service.loaded}
        return JSONResponse(body, 200 if service.engines is not None else 503)

    async def show_metrics(_: Request) -> Response:
        waiting = sum(session.outbox.depth for session in service.gateway.sessions)
        metrics.QUEUE.labels("outbox").set(waiting)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def voices(_: Request) -> Response:
        if service.engines is None:
            return _not_ready()
        known = service.engines.tts.voices.values()
        shown = [
            {"id": v.id, "language": v.language, "name": v.name, "gender": v.gender} for v in known
        ]
        return JSONResponse({"voices": shown, "default": service.settings.tts.voice})

    async def languages(_: Request) -> Response:
        if service.engines is None:
            return _not_ready()
        return JSONResponse({"languages": sorted(service.engines.stt.languages)})

    return [
        Route("/health", health),
        Route("/ready", ready),
        Route("/metrics", show_metrics),
        Route("/v1/voices", voices),
        Route("/v1/languages", languages),
        *rest.routes(service.rest),
        Route("/api", ChatCore(service)),
        Route("/api/{path:path}", ChatCore(service)),
        WebSocketRoute("/v1/realtime", service.gateway.serve),
        Mount("/", Page(Path(str(files("web"))), service.settings.kiosk)),
    ]


def _not_ready() -> Response:
    return refuse(VoiceError("the models are still being loaded", code="not_ready"))


async def _no_such_thing(_: Request, error: Exception) -> Response:
    """What Starlette itself refuses, in the shape of all other errors."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "invalid_request")
    shown = VoiceError(code.replace("_", " "), code=code)
    return JSONResponse(shown_error(shown, status), status, headers=headers)


class ChatCore:
    """What is below `/api`, once the conversations are open."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        answer: ASGIApp | None = self._service.library
        if answer is None:
            called = request_id(None)
            answer = api_refuse(ChatError("not_ready", "the server is starting"), called)
        await answer(scope, receive, send)


def serve(settings: Settings, say: Say) -> None:
    """Serve until interrupted. Raises `ConfigError` if that cannot begin or loading fails."""
    _check_host(settings)
    listener = _listen(settings.host, settings.port)
    began = time.perf_counter()
    app = create_app(settings, say)
    service: Service = app.state.service
    config = uvicorn.Config(
        app,
        ws=Sockets,
        ws_per_message_deflate=False,
        ws_max_size=settings.limits.message_bytes,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    service.stopping = lambda: server.should_exit

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        settled = asyncio.create_task(service.settled.wait())
        await asyncio.wait((serving, settled), return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()
        if service.failure is not None:
            server.should_exit = True
        elif not serving.done() and not server.should_exit:
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            say(f"Ready in {time.perf_counter() - began:.1f} s. Open http://{shown}:{port}")
        await serving

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())
    if service.failure is not None:
        raise ConfigError(service.failure)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_host(settings: Settings) -> None:
    keys = Keys(settings.keys_file).all()
    if _is_loopback(settings.host) or any(not key.revoked for key in keys):
        return
    raise ConfigError(
        f"VIVAVOCE_HOST={settings.host} would open this server to others, and there is no API key: "
        "make one with `vivavoce keys create NAME`; without, it serves loopback only "
        "(127.0.0.1, ::1)"
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {port} ({error.strerror}); "
            "choose another with PORT= or VIVAVOCE_PORT"
        ) from None
    return listener
