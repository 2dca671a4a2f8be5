"""The kiosk's side of the server: what the operator has set, its sign of life, and the way out.

The PIN never reaches the page: it is checked here, slowly and not often, against a hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from functools import cache, partial
from importlib.resources import files
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voice import metrics
from voice.errors import VoiceError
from voice.pins import pin_is_right
from voice.rest.service import Rest, read_json

ALIVE_SECONDS = 45.0
"""A kiosk tells every 15 s that it is there; after three times nothing it counts as gone."""
MOST_KIOSKS = 256
ATTEMPTS = 5
ATTEMPTS_SECONDS = 60.0

State = Literal["attract", "talking", "away", "deaf"]
STATES: tuple[State, ...] = ("attract", "talking", "away", "deaf")


class Beat(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A kiosk's sign of life; `id` is its own, and random."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    state: State


class Exit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the operator typed."""

    pin: Annotated[str, msgspec.Meta(max_length=64)] = ""


class _Kiosks:
    """Those heard of lately: id -> state and when."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[State, float]] = {}

    def beat(self, beat: Beat) -> None:
        self._forget()
        self._seen.pop(beat.id, None)
        if len(self._seen) >= MOST_KIOSKS:
            self._seen.pop(next(iter(self._seen)))
        self._seen[beat.id] = beat.state, time.perf_counter()

    def count(self, state: State) -> int:
        self._forget()
        return sum(1 for seen, _ in self._seen.values() if seen == state)

    def _forget(self) -> None:
        oldest = time.perf_counter() - ALIVE_SECONDS
        self._seen = {id_: seen for id_, seen in self._seen.items() if seen[1] >= oldest}


_kiosks = _Kiosks()
_attempts: list[float] = []
for _state in STATES:
    metrics.KIOSKS.labels(_state).set_function(partial(_kiosks.count, _state))


async def configuration(rest: Rest, request: Request) -> Response:
    """What the operator has set; it needs no models."""
    chosen = rest.settings.kiosk
    shown = {
        "title": chosen.title,
        "greeting": chosen.greeting,
        "prompt": chosen.prompt,
        "voice": chosen.voice,
        "languages": list(chosen.languages),
        "page_language": chosen.page_language,
        "theme": chosen.theme,
        "contrast": chosen.contrast,
        "wake_phrase": chosen.wake_phrase,
        "followup_seconds": chosen.followup_seconds,
        "idle_seconds": chosen.idle_seconds,
        "version": page_version(),
        "locked": bool(chosen.pin_hash.get_secret_value()),
    }
    return JSONResponse(shown, headers={"cache-control": "no-store"})


async def beat(rest: Rest, request: Request) -> Response:
    """A kiosk is alive."""
    _kiosks.beat(await read_json(request, Beat))
    return JSONResponse({"alive": True})


async def leave(rest: Rest, request: Request) -> Response:
    """Let the operator out, who knows the PIN; without one set, whoever knows the gesture."""
    given = await read_json(request, Exit)
    kept = rest.settings.kiosk.pin_hash.get_secret_value()
    if kept:
        now = time.perf_counter()
        _attempts[:] = [at for at in _attempts if now - at < ATTEMPTS_SECONDS]
        if len(_attempts) >= ATTEMPTS:
            raise VoiceError("too many attempts; wait a minute", code="too_many_attempts")
        _attempts.append(now)
        if not await asyncio.to_thread(pin_is_right, given.pin, kept):
            raise VoiceError("this is not the PIN", code="wrong_pin")
        _attempts.clear()
    return JSONResponse({"left": True})


@cache
def page_version() -> str:
    """Changes with the page's files: a kiosk that sees another one loads itself anew, when idle."""
    digest = hashlib.sha256()
    found = (path for path in files("web").rglob("*") if path.is_file())  # type: ignore[attr-defined]
    for path in sorted(found):
        if path.suffix != ".pyc":
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
