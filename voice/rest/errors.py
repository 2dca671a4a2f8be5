"""HTTP errors in OpenAI's shape: which status a code has, and the answer made of it."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from chat.errors import ChatError
from voice.errors import VoiceError
from voice.guard import shown_error

STATUS = {
    "not_ready": 503,
    "overloaded": 503,
    "too_many_requests": 503,
    "too_many_secrets": 503,
    "engine_failed": 500,
    "internal_error": 500,
    "missing_scope": 403,
    "wrong_pin": 403,
    "too_many_attempts": 429,
    "model_not_found": 404,
    "body_too_large": 413,
    "llm_unreachable": 502,
    "llm_timeout": 504,
    "llm_dropped": 502,
    "llm_failed": 502,
    "llm_overloaded": 503,
    "llm_empty": 502,
}
"""Code -> HTTP status; a code that is not here is the client's mistake, 400."""


class BadRequest(VoiceError):
    """The request is not one that can be answered."""

    code = "invalid_request"


def status_of(code: str) -> int:
    """The HTTP status of an error."""
    return STATUS.get(code, 400)


def told(error: VoiceError | ChatError) -> VoiceError:
    """Either half's error as what a client is told."""
    if isinstance(error, VoiceError):
        return error
    return VoiceError(error.message, code=error.code)


def refuse(error: VoiceError | ChatError) -> Response:
    """The whole answer."""
    shown = told(error)
    status = status_of(shown.code)
    # Clients of OpenAI's wait and try again by themselves.
    headers = {"retry-after": "2"} if status == 503 else {}
    return JSONResponse(shown_error(shown, status), status, headers=headers)
