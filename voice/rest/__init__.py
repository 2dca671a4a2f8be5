"""The HTTP API in OpenAI's shapes: one file for each group of endpoints."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from voice.rest.browser_session import look, sign_in, sign_out
from voice.rest.catalogue import model, models
from voice.rest.client_secrets import client_secrets
from voice.rest.completions import completions
from voice.rest.kiosk import beat, configuration, leave
from voice.rest.openapi import openapi
from voice.rest.service import Endpoint, Handle, Rest
from voice.rest.speech import speech
from voice.rest.transcriptions import transcriptions

__all__ = ["Rest", "routes"]

_ROUTES: tuple[tuple[str, str, Handle], ...] = (
    ("POST", "/v1/audio/transcriptions", transcriptions),
    ("POST", "/v1/audio/speech", speech),
    ("POST", "/v1/chat/completions", completions),
    ("POST", "/v1/realtime/client_secrets", client_secrets),
    ("GET", "/v1/browser_session", look),
    ("POST", "/v1/browser_session", sign_in),
    ("DELETE", "/v1/browser_session", sign_out),
    ("GET", "/v1/kiosk", configuration),
    ("POST", "/v1/kiosk/beat", beat),
    ("POST", "/v1/kiosk/exit", leave),
    ("GET", "/v1/models", models),
    ("GET", "/v1/models/{model:path}", model),
    ("GET", "/openapi.json", openapi),
)


def routes(rest: Rest) -> list[BaseRoute]:
    """The routes of the HTTP API."""
    by_path: dict[str, dict[str, Handle]] = {}
    for method, path, handle in _ROUTES:
        by_path.setdefault(path, {})[method] = handle
    return [Route(path, Endpoint(rest, handlers)) for path, handlers in by_path.items()]
