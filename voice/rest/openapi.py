"""`GET /openapi.json`: what the HTTP API takes and gives.

Requests are described by the very types that decode them, so the two cannot differ.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voice.keys import SCOPES
from voice.rest.client_secrets import ClientSecretRequest
from voice.rest.completions import CompletionRequest
from voice.rest.encoding import MEDIA_TYPES
from voice.rest.kiosk import Beat, Exit
from voice.rest.service import Rest
from voice.rest.speech import SpeechRequest
from voice.rest.transcriptions import TranscriptionFields

Json = dict[str, Any]

_REQUESTS = (TranscriptionFields, SpeechRequest, CompletionRequest, ClientSecretRequest, Beat, Exit)


async def openapi(rest: Rest, request: Request) -> Response:
    """The document; it needs no models."""
    return JSONResponse(document())


@cache
def document() -> Json:
    """The OpenAPI 3.1 document."""
    _, components = msgspec.json.schema_components(
        _REQUESTS, ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vivavoce",
            "version": version("vivavoce"),
            "description": "Speech, chat and client secrets in the shapes of OpenAI's API. "
            "The Realtime WebSocket is not part of this document.",
        },
        "paths": _paths(),
        "components": {
            "schemas": {**components, **_ANSWERS},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"An API key; its scopes are among {', '.join(SCOPES)}. "
                    "A loopback server for which no key was ever made takes any or none.",
                }
            },
        },
        "security": [{"key": []}, {}],
    }


def _paths() -> Json:
    return {
        "/v1/audio/transcriptions": {
            "post": _operation(
                "transcribe",
                "A recording to text",
                _form(),
                {
                    "application/json": _ref("Transcription"),
                    "text/plain": {"type": "string"},
                    "application/x-subrip": {"type": "string"},
                    "text/vtt": {"type": "string"},
                    "text/event-stream": {"type": "string"},
                },
            )
        },
        "/v1/audio/speech": {
            "post": _operation(
                "speak",
                "Text to speech",
                _json("SpeechRequest"),
                {name.split(";")[0]: {"type": "string"} for name in MEDIA_TYPES.values()}
                | {"text/event-stream": {"type": "string"}},
            )
        },
        "/v1/chat/completions": {
            "post": _operation(
                "complete",
                "The language model's answer to a conversation",
                _json("CompletionRequest"),
                {"application/json": _ref("Completion"), "text/event-stream": {"type": "string"}},
            )
        },
        "/v1/models": {
            "get": _operation(
                "listModels", "What answers here", None, {"application/json": _ref("ModelList")}
            )
        },
        "/v1/models/{model}": {
            "parameters": [
                {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": _operation("getModel", "One of them", None, {"application/json": _ref("Model")}),
        },
        "/v1/browser_session": {
            method: _operation(name, summary, None, {"application/json": _ref("BrowserSession")})
            for method, name, summary in (
                ("get", "lookAtBrowserSession", "Whether this browser has signed in"),
                ("post", "signIn", "A cookie for the key that the request shows"),
                ("delete", "signOut", "Make the cookie worthless"),
            )
        },
        "/v1/kiosk": {
            "get": _operation(
                "kiosk", "What the operator has set", None, {"application/json": _ref("Kiosk")}
            )
        },
        "/v1/kiosk/beat": {
            "post": _operation(
                "kioskBeat",
                "A kiosk's sign of life",
                _json("Beat"),
                {"application/json": _ref("Alive")},
            )
        },
        "/v1/kiosk/exit": {
            "post": _operation(
                "leaveKiosk",
                "Whether this PIN opens the kiosk",
                _json("Exit"),
                {"application/json": _ref("Left")},
            )
        },
        "/v1/realtime/client_secrets": {
            "post": _operation(
                "mintClientSecret",
                "A short-lived secret for a browser",
                _json("ClientSecretRequest"),
                {"application/json": _ref("ClientSecret")},
            )
        },
    }


def _operation(name: str, summary: str, body: Json | None, answers: Json) -> Json:
    content = {kind: {"schema": schema} for kind, schema in answers.items()}
    error = {"description": "Why not", "content": {"application/json": {"schema": _ref("Error")}}}
    operation: Json = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "The answer", "content": content},
            "4XX": error,
            "5XX": error,
        },
    }
    return {**operation, "requestBody": body} if body is not None else operation


def _json(name: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": _ref(name)}}}


def _form() -> Json:
    """The fields, and the file beside them."""
    file = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    }
    schema = {"allOf": [_ref("TranscriptionFields"), file]}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Json) -> Json:
    """An object that has all of `properties`, and may have more."""
    return {"type": "object", "required": list(properties), "properties": properties}


_TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer"}
_MODEL = _object(id=_TEXT, object={"const": "model"}, created=_WHOLE, owned_by=_TEXT)
_ANSWERS: Json = {
    "Error": _object(
        error=_object(
            message=_TEXT,
            type=_TEXT,
            param={"type": ["string", "null"]},
            code={"type": ["string", "null"]},
        )
    ),
    "Transcription": _object(text=_TEXT, usage=_object(type=_TEXT, seconds={"type": "number"})),
    "Completion": _object(
        id=_TEXT,
        object={"const": "chat.completion"},
        created=_WHOLE,
        model=_TEXT,
        choices={"type": "array", "items": {"type": "object"}},
        usage=_object(prompt_tokens=_WHOLE, completion_tokens=_WHOLE, total_tokens=_WHOLE),
    ),
    "Model": _MODEL,
    "ModelList": _object(object={"const": "list"}, data={"type": "array", "items": _MODEL}),
    "Kiosk": _object(locked={"type": "boolean"}, idle_seconds={"type": "number"}),
    "Alive": _object(alive={"const": True}),
    "Left": _object(left={"const": True}),
    "BrowserSession": _object(signed_in={"type": "boolean"}),
    "ClientSecret": _object(value=_TEXT, expires_at=_WHOLE, session={"type": "object"}),
}
