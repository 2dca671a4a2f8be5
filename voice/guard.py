"""Who may talk to the server: Host, Origin and key, and the headers that bind a page.

A page of another site must not reach this server through its visitor's browser. CORS does not
cover WebSockets and a DNS name can be pointed at loopback, so both are checked here, for every
request, with no exemption for loopback. Where keys are wanted (`voice.keys.Door`), everything but
the page's files and the two health routes asks for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat.api.errors import request_id
from voice.errors import VoiceError
from voice.keys import Door
from voice.passes import Credential

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FILE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
HEADERS = FILE_HEADERS | {
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}

KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""How OpenAI's browser clients send a key: a browser's WebSocket can set no header."""

COOKIE = "vivavoce"
"""The cookie of a browser that has shown a key: opaque, no key itself."""

SCOPED = {
    "/v1/browser_session": "realtime",
    "/v1/realtime": "realtime",
    "/v1/kiosk": "realtime",
    "/v1/audio": "audio",
    "/v1/chat": "chat",
    "/api/v1": "conversations",
    "/v1/models": "models",
    "/v1/voices": "models",
    "/v1/languages": "models",
    "/metrics": "metrics",
}
"""Paths, and what is below them -> the scope they want. Other paths under /v1 want any key."""

STILL_GOOD_SECONDS = 1.0
"""How often an open WebSocket's key is looked at again."""


class Guard:
    """ASGI middleware. `hosts` are names this server answers to beside loopback's, `origins` web
    origins that may connect beside its own, `door` decides about keys.

    Who was let in is `scope["credential"]`; the key itself goes no further than here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: tuple[str, ...],
        origins: tuple[str, ...],
        door: Door | None = None,
    ) -> None:
        self._app = app
        self._door = door
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with 400 (Host), 403 (Origin, scope) or 401 (key)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        named = headers.getlist("host")
        host = named[0] if len(named) == 1 else ""
        if _name(host) not in self._hosts:
            await _refuse(scope, send, 400, "unknown_host")
            return
        guarded = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        origin = headers.get("origin")
        if guarded and origin is not None and not self._own(origin, host, scope):
            await _refuse(scope, send, 403, "bad_origin")
            return
        if self._door is not None and (path := scope["path"]) and _locked(path):
            shown = _shown(headers, scope.get("subprotocols", ()))
            cookie = _cookie(headers) if _from_page(scope, headers, host) else None
            try:
                credential = self._door.admit(shown, wanted_scope(path), cookie)
            except VoiceError as error:
                await _answer(scope, send, _STATUS.get(error.code, 503), error)
                return
            scope = {**_without_key(scope), "credential": credential}
            if scope["type"] == "websocket":
                receive = _while_it_stands(self._door, credential, receive, send)

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                # A module is bound by the page that loads it; dozens of them need not say it again.
                # A service worker is bound by itself.
                script = out.get("content-type", "").startswith("text/javascript")
                module = script and scope["path"] != "/sw.js"
                for name, value in (FILE_HEADERS if module else HEADERS).items():
                    out.setdefault(name, value)
                if not module:
                    out.setdefault("content-security-policy", page_policy(host))
            await send(message)

        await self._app(scope, receive, send_bound)

    def _own(self, origin: str, host: str, scope: Scope) -> bool:
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        own = f"{scheme}://{host}".lower()
        return origin.lower() == own or origin.lower() in self._origins


def _name(host: str) -> str:
    """The host's name without its port; empty if it is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def page_policy(host: str, hashes: tuple[str, ...] = ()) -> str:
    """What a page may load; `hashes` are of the styles and scripts that stand in it."""
    own = " ".join(("'self'", *hashes))
    # Some browsers do not count ws: to the same host as 'self'.
    return (
        f"default-src 'none'; script-src {own}; style-src {own}; "
        f"connect-src 'self' ws://{host} wss://{host}; img-src 'self' data:; "
        "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; font-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def wanted_scope(path: str) -> str | None:
    """The scope a key must have for `path`; None if any key will do."""
    return next(
        (scope for top, scope in SCOPED.items() if path == top or path.startswith(f"{top}/")), None
    )


def _locked(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/") or wanted_scope(path) is not None


def _shown(headers: Headers, subprotocols: Iterable[str]) -> str | None:
    """The key that a request shows: in its Authorization header or among its subprotocols."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text.strip():
        return text.strip()
    offered = (name for name in subprotocols if name.startswith(KEY_SUBPROTOCOL))
    return next(offered, "").removeprefix(KEY_SUBPROTOCOL) or None


def _cookie(headers: Headers) -> str | None:
    """What a browser holds that has shown a key (`voice.rest.browser_session`)."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)


def _from_page(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether the request comes from the page that this very host serves.

    `SameSite=Strict` is not enough to trust a cookie: all ports of a host are one site, and a
    WebSocket is opened by whoever wants to. Browsers send an Origin with every WebSocket and
    everything that changes something; with what only reads they say where it comes from in
    Sec-Fetch-Site, if the page is secure, and let no other page see the answer.
    """
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2].lower() == host.lower()
    reads = scope["type"] == "http" and scope["method"] in SAFE_METHODS
    return reads and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _without_key(scope: Scope) -> Scope:
    """The scope as the application sees it: nothing there could log or echo the key."""
    bare = {**scope}
    hidden = (b"authorization", b"cookie", b"sec-websocket-protocol")
    bare["headers"] = [pair for pair in scope["headers"] if pair[0].lower() not in hidden]
    if "subprotocols" in scope:
        offered = scope["subprotocols"]
        bare["subprotocols"] = [p for p in offered if not p.startswith(KEY_SUBPROTOCOL)]
    return bare


def _while_it_stands(
    door: Door, credential: Credential, receive: Receive, send: Send
) -> Callable[[], Awaitable[Message]]:
    """`receive`, which ends the connection (1008) when the key behind it is revoked."""
    waiting: asyncio.Future[Message] | None = None
    checked = asyncio.get_running_loop().time()

    async def receive_if_good() -> Message:
        nonlocal waiting, checked
        loop = asyncio.get_running_loop()
        if waiting is None:
            waiting = asyncio.ensure_future(receive())
        while True:
            try:
                await asyncio.wait((waiting,), timeout=STILL_GOOD_SECONDS)
            except asyncio.CancelledError:
                waiting.cancel()
                waiting = None
                raise
            if loop.time() - checked >= STILL_GOOD_SECONDS:
                checked = loop.time()
                if not door.stands(credential):
                    waiting.cancel()
                    await send({"type": "websocket.close", "code": 1008, "reason": "key_revoked"})
                    return {"type": "websocket.disconnect", "code": 1008}
            if waiting.done():
                message, waiting = waiting.result(), None
                return message

    return receive_if_good


_STATUS = {"missing_api_key": 401, "invalid_api_key": 401, "missing_scope": 403}

REASONS = {
    "unknown_host": "this host name is not served here; see VIVAVOCE_ALLOWED_HOSTS",
    "bad_origin": "pages of this origin may not connect; see VIVAVOCE_ALLOWED_ORIGINS",
}


async def _refuse(scope: Scope, send: Send, status: int, code: str) -> None:
    if scope["type"] == "websocket":
        # Closed before it is accepted, a WebSocket is answered by 403.
        await send({"type": "websocket.close", "code": 1008, "reason": code})
        return
    await _answer(scope, send, status, VoiceError(REASONS[code], code=code))


async def _answer(scope: Scope, send: Send, status: int, error: VoiceError) -> None:
    """Refuse with an error in OpenAI's shape; a WebSocket before it is accepted."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get(
        "extensions", {}
    ):
        await send({"type": "websocket.close", "code": 1008, "reason": error.code})
        return
    extra = {"www-authenticate": "Bearer"} if status == 401 else {}
    response = JSONResponse(
        _shown_at(scope["path"], error, status), status, headers=HEADERS | extra
    )
    await response(scope, _nothing, send)


def _shown_at(path: str, error: VoiceError, status: int) -> dict[str, Any]:
    """The body of an error as the API at `path` has them."""
    if path == "/api" or path.startswith("/api/"):
        return {"code": error.code, "message": error.message, "request_id": request_id(None)}
    return shown_error(error, status)


def shown_error(error: VoiceError, status: int) -> dict[str, dict[str, str | None]]:
    """The body of an HTTP error, in OpenAI's shape."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": error.message,
            "type": kind,
            "param": error.param,
            "code": error.code,
        }
    }


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
