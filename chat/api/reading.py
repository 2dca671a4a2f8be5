"""From what came over the wire to what an operation takes. Raises `ChatError` with a code each."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from chat.api.shapes import Shape
from chat.errors import ChatError

S = TypeVar("S", bound=Shape)


def query(request: Request, shape: type[S]) -> S:
    """The query string as `shape`: of a name given twice the last counts."""
    given = {name: clean(value) for name, value in request.query_params.items()}
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise ChatError("invalid_value", f"in the query: {_complaint(error)}") from None


def body(raw: bytes, shape: type[S]) -> S:
    """A JSON text as `shape`, without NUL characters, which no database takes."""
    try:
        if b"u0000" in raw:
            return msgspec.convert(_without_nul(msgspec.json.decode(raw)), shape)
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        raise ChatError("invalid_value", _complaint(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ChatError("invalid_json", "the body is not JSON") from None


def check_json(request: Request) -> None:
    """Raises `unsupported_media_type` unless the body is said to be JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise ChatError("unsupported_media_type", "the body must be application/json")


async def bounded(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body in pieces; `body_too_large` as soon as there are more than `limit` bytes."""
    too_large = ChatError("body_too_large", f"the body has more than {limit} bytes")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:19]) > limit:
        raise too_large
    taken = 0
    async for piece in request.stream():
        taken += len(piece)
        if taken > limit:
            raise too_large
        if piece:
            yield piece


async def whole(request: Request, limit: int) -> bytes:
    """The whole body."""
    return b"".join([piece async for piece in bounded(request, limit)])


def clean(text: str) -> str:
    """`text` without what no database takes: lone surrogates are replaced, NUL left out."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")


def _complaint(error: msgspec.ValidationError) -> str:
    # msgspec says "... - at `$.title`"; the dollar is of no use to who reads it.
    return re.sub(r" - at `(?:key in )?\$\.?([^`]*)`$", r" - at `\1`", str(error)).removesuffix(
        " - at ``"
    )


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {_without_nul(key): _without_nul(item) for key, item in value.items()}
        case _:
            return value
