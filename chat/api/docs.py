"""`/api/openapi.json`, and the page at `/api/docs` that shows it: our own files alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import msgspec
from starlette.responses import Response

from chat.api.openapi import document
from chat.api.operation import Call, Handle, Operation
from chat.api.table import OPERATIONS

_ASSETS = {
    "/api/docs": ("docs.html", "text/html"),
    "/api/docs.js": ("docs.js", "text/javascript"),
    "/api/docs.css": ("docs.css", "text/css"),
}
_HEADERS = {"cache-control": "no-cache"}


def pages() -> Mapping[str, Operation]:
    """Path -> what is served there, to anybody. They describe the API and are not part of it."""
    made = {path: _page(_asset(file, kind)) for path, (file, kind) in _ASSETS.items()}
    return {"/api/openapi.json": _page(_document), **made}


def _page(handle: Handle) -> Operation:
    return Operation("GET", "", "docs", "", handle, "docs", public=True)


async def _document(call: Call) -> Response:
    described = document(OPERATIONS, call.core.others())
    data = msgspec.json.encode(described)
    return Response(data, media_type="application/json", headers=_HEADERS)


def _asset(file: str, media_type: str) -> Handle:
    data = (files("chat.api") / "pages" / file).read_bytes()

    async def serve(_: Call) -> Response:
        return Response(data, media_type=media_type, headers=_HEADERS)

    return serve
