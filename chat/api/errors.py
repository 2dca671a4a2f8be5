"""The one shape of errors under `/api`, and which status a code has."""

from __future__ import annotations

import re
import secrets

import msgspec
from starlette.responses import Response

from chat.errors import ChatError

STATUS = {
    "invalid_json": 400,
    "invalid_request": 400,
    "missing_api_key": 401,
    "invalid_api_key": 401,
    "not_allowed": 403,
    "missing_scope": 403,
    "not_found": 404,
    "item_not_found": 404,
    "method_not_allowed": 405,
    "exists": 409,
    "answer_running": 409,
    "not_running": 409,
    "not_finished": 409,
    "in_progress": 409,
    "in_use": 409,
    "ephemeral": 409,
    "version_conflict": 412,
    "body_too_large": 413,
    "too_large": 413,
    "attachment_too_large": 413,
    "import_too_large": 413,
    "unsupported_media_type": 415,
    "attachment_unsupported": 415,
    "invalid_value": 422,
    "idempotency_conflict": 422,
    "attachment_unreadable": 422,
    "import_malformed": 422,
    "import_unknown": 422,
    "import_version": 422,
    "search_unavailable": 409,
    "llm_unknown": 422,
    "if_match_required": 428,
    "usage_exceeded": 429,
    "too_many_streams": 429,
    "too_many_answers": 429,
    "internal_error": 500,
    "storage_failed": 500,
    "sealed": 500,
    "llm_unreachable": 502,
    "llm_dropped": 502,
    "llm_failed": 502,
    "llm_empty": 502,
    "not_ready": 503,
    "attachment_overloaded": 503,
    "llm_overloaded": 503,
    "storage_busy": 503,
    "llm_timeout": 504,
}
"""Code -> HTTP status. A code that is not here is the client's mistake, 400."""

_PASSING = frozenset(
    {code for code, status in STATUS.items() if status in (429, 503)}
    | {"answer_running", "in_progress", "not_finished"}
)

AGAIN_SECONDS = {409: "1", 429: "5", 503: "2"}
"""Status -> `Retry-After`, where trying again may help."""

REQUEST_ID = "x-request-id"

_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Problem(msgspec.Struct, frozen=True):
    """Every error's body. `message` is fit to be shown and tells nothing of the server's inside."""

    code: str
    message: str
    request_id: str


def request_id(given: str | None) -> str:
    """The client's own id of the request if it is a harmless one, or else a new one."""
    if given is not None and _GOOD_ID.fullmatch(given):
        return given
    return f"req_{secrets.token_urlsafe(12)}"


def status_of(code: str) -> int:
    """The HTTP status of an error."""
    return STATUS.get(code, 400)


def refuse(error: ChatError, called: str, *, headers: dict[str, str] | None = None) -> Response:
    """The whole answer to the request whose id is `called`."""
    status = status_of(error.code)
    shown = {**(headers or {})}
    if status == 401:
        shown["www-authenticate"] = "Bearer"
    if status in AGAIN_SECONDS and error.code in _PASSING:
        shown["retry-after"] = AGAIN_SECONDS[status]
    body = msgspec.json.encode(Problem(error.code, error.message, called))
    return Response(body, status, shown, "application/json")
