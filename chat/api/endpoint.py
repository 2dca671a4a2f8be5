"""What every operation has in common: request ids, errors, bounds, checks, doing it once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from chat.api import idempotency, reading
from chat.api.core import Core
from chat.api.errors import REQUEST_ID, refuse, request_id
from chat.api.operation import Answer, Call, Operation, answer_bytes
from chat.api.shapes import NewConversation
from chat.api.spool import spooled
from chat.errors import ChatError
from chat.storage.records import Answered, is_ephemeral

log = logging.getLogger(__name__)

ID_CHARS = 64
"""Ids in a path are no longer; what is longer is not found."""


class Endpoint:
    """The ASGI application around the operations of one path, by method."""

    def __init__(self, core: Core, operations: Mapping[str, Operation]) -> None:
        self.operations = operations
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, to the end of its stream."""
        request = Request(scope, receive)
        called = request_id(request.headers.get(REQUEST_ID))

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = called
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            response = await self._respond(request, called)
            await response(scope, receive, send_named)
        except ClientDisconnect:
            pass

    async def _respond(self, request: Request, called: str) -> Response:
        try:
            method = "GET" if request.method == "HEAD" else request.method
            if (operation := self.operations.get(method)) is None:
                error = ChatError("method_not_allowed", f"{request.method} is not possible here")
                allowed = ", ".join(self.operations) or "none"
                return refuse(error, called, headers={"allow": allowed})
            return await _perform(operation, self._core, request)
        except ChatError as error:
            return refuse(error, called)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("request %s failed", called)
            return refuse(ChatError("internal_error", "internal error"), called)


class Nowhere:
    """The ASGI application of all paths under `/api` that there are not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Not found, whatever the method."""
        called = request_id(Request(scope).headers.get(REQUEST_ID))
        response = refuse(ChatError("not_found", "there is nothing here"), called)
        response.headers[REQUEST_ID] = called
        await response(scope, receive, send)


async def _perform(operation: Operation, core: Core, request: Request) -> Response:
    owner = "" if operation.public else core.who(request)
    # Where the routes are mounted below others, there are more parameters than those of the path.
    ids = {name: _id(request.path_params[name]) for name in operation.ids}
    query = reading.query(request, operation.query) if operation.query else None
    call = Call(core, request, owner, ids, query)
    if operation.takes_file:
        limit: int = getattr(core.limits, operation.takes_file)
        async with spooled(request, core.data_dir, limit) as upload:
            return await _answer(operation, replace(call, upload=upload), upload.sha256.encode())
    if operation.body is None:
        return await _answer(operation, call, b"")
    reading.check_json(request)
    raw = await reading.whole(request, core.limits.body_bytes)
    return await _answer(operation, replace(call, body=reading.body(raw, operation.body)), raw)


async def _answer(operation: Operation, call: Call, raw: bytes) -> Response:
    key = call.request.headers.get("idempotency-key")
    if key is None or not operation.creates:
        answer = await operation.handle(call)
        return answer if isinstance(answer, Response) else await _shown(operation, call, answer)
    url = call.request.url
    asked = idempotency.fingerprint(
        call.request.method.encode(), url.path.encode(), url.query.encode(), raw
    )
    return await _answer_once(operation, call, idempotency.check_key(key), asked)


async def _answer_once(operation: Operation, call: Call, key: str, asked: str) -> Response:
    """The answer to a request with an Idempotency-Key, given once and then again."""

    async def make() -> Answered:
        answer = await operation.handle(call)
        if isinstance(answer, Response):  # no operation that creates gives one
            raise TypeError(operation.name)
        return Answered(answer.status or operation.status, _pack(answer))

    core, owner = call.core, call.owner
    ephemeral = _is_ephemeral(call)
    async with core.pending.alone(owner, key):
        answered, before = await idempotency.once(
            core.storage, owner, key, asked, make, ephemeral=ephemeral
        )
    return await _unpack(operation, call, answered, before)


def _is_ephemeral(call: Call) -> bool:
    """Whether what is answered must not touch the disk."""
    wished = isinstance(call.body, NewConversation) and (
        call.body.ephemeral or is_ephemeral(call.body.id or "")
    )
    return wished or is_ephemeral(call.ids.get("conversation", ""))


class _Packed(msgspec.Struct, frozen=True):
    """An answer as it is kept."""

    headers: dict[str, str]
    value: msgspec.Raw


def _pack(answer: Answer) -> str:
    value = msgspec.Raw(answer_bytes(answer.value) or b"null")
    return msgspec.json.encode(_Packed(dict(answer.headers), value)).decode()


async def _unpack(operation: Operation, call: Call, answered: Answered, before: bool) -> Response:
    packed = msgspec.json.decode(answered.body, type=_Packed)
    headers = {**packed.headers, **({"idempotency-replayed": "true"} if before else {})}
    return await _sent(operation, call, bytes(packed.value), answered.status, headers)


async def _shown(operation: Operation, call: Call, answer: Answer) -> Response:
    status = answer.status or operation.status
    return await _sent(operation, call, answer_bytes(answer.value), status, answer.headers)


async def _sent(
    operation: Operation, call: Call, value: bytes, status: int, headers: Mapping[str, str]
) -> Response:
    if operation.follow is not None and _wants_stream(call.request):
        response = await operation.follow(call, msgspec.json.decode(value))
        response.status_code = status
        response.headers.update(headers)
        return response
    return Response(value, status, dict(headers), "application/json" if value else None)


def _wants_stream(request: Request) -> bool:
    """A stream unless the client asks for JSON and for no stream."""
    accepted = request.headers.get("accept", "*/*")
    return "application/json" not in accepted or "text/event-stream" in accepted


def _id(value: str) -> str:
    if len(value) > ID_CHARS or not value.isascii() or not value.isprintable():
        raise ChatError("not_found", "there is no such thing")
    return value
