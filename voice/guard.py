"""Who may talk to the server: Host and Origin checks, and the headers that bind a page.

A page of another site must not reach this server through its visitor's browser. CORS does not
cover WebSockets and a DNS name can be pointed at loopback, so both are checked here, for every
request, with no exemption for loopback.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}


class Guard:
    """ASGI middleware. `hosts` are names this server answers to beside loopback's, `origins` web
    origins that may connect beside its own.
    """

    def __init__(self, app: ASGIApp, *, hosts: tuple[str, ...], origins: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with 400 (Host) or 403 (Origin)."""
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

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
                out.setdefault("content-security-policy", _policy(host))
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


def _policy(host: str) -> str:
    # Some browsers do not count ws: to the same host as 'self'.
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"connect-src 'self' ws://{host} wss://{host}; img-src 'self' data:; "
        "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; font-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


REASONS = {
    "unknown_host": "this host name is not served here; see VIVAVOCE_ALLOWED_HOSTS",
    "bad_origin": "pages of this origin may not connect; see VIVAVOCE_ALLOWED_ORIGINS",
}


async def _refuse(scope: Scope, send: Send, status: int, code: str) -> None:
    if scope["type"] == "websocket":
        # Closed before it is accepted, a WebSocket is answered by 403.
        await send({"type": "websocket.close", "code": 1008, "reason": code})
        return
    error = {"error": {"code": code, "message": REASONS[code]}}
    response = JSONResponse(error, status, headers=HEADERS)
    await response(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
