"""`GET /v1/models`: what answers here. Pure but for the engines it names."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voice.errors import VoiceError
from voice.rest.service import Rest
from voice.settings import Settings


def catalogue(settings: Settings, llm: str) -> list[dict[str, Any]]:
    """The models: the assistant as a whole, and its parts that have endpoints of their own.

    Their `created` is 0: weights on a disk do not say when they were made.
    """
    names = ["vivavoce", settings.stt.model, settings.tts.engine, llm or "llm"]
    return [
        {"id": name, "object": "model", "created": 0, "owned_by": "vivavoce"}
        for name in dict.fromkeys(names)
    ]


async def models(rest: Rest, request: Request) -> Response:
    """All of them."""
    listed = catalogue(rest.settings, rest.ready().llm.name)
    return JSONResponse({"object": "list", "data": listed})


async def model(rest: Rest, request: Request) -> Response:
    """One of them."""
    name = request.path_params["model"]
    for found in catalogue(rest.settings, rest.ready().llm.name):
        if found["id"] == name:
            return JSONResponse(found)
    raise VoiceError("there is no such model here", code="model_not_found", param="model")
