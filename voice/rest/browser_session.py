"""`/v1/browser_session`: the page shows a key once and gets a cookie that stands for it.

The cookie is opaque and no script can read it; what it stands for is on the server and ends by
signing out, with the key, or with the server. `voice.guard` says when a cookie counts.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voice.errors import VoiceError
from voice.guard import COOKIE
from voice.passes import Credential
from voice.rest.service import Rest

COOKIE_SECONDS = 7 * 24 * 3600


async def look(rest: Rest, request: Request) -> Response:
    """Whether this browser came in by its cookie; a request that may not come in gets 401."""
    return _answer(signed_in=bool(_credential(request).browser))


async def sign_in(rest: Rest, request: Request) -> Response:
    """Give a cookie for the key that the request showed; a server without keys gives none."""
    credential = _credential(request)
    if credential.ephemeral:
        raise VoiceError("a client secret signs no browser in", code="missing_scope")
    if not credential.key_id or credential.browser:
        return _answer(signed_in=bool(credential.browser))
    text = rest.door.browsers.mint(credential, seconds=COOKIE_SECONDS)
    answer = _answer(signed_in=True)
    answer.set_cookie(
        COOKIE,
        text,
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        # Behind a proxy that speaks TLS only the browser knows that it is https.
        secure=request.headers.get("origin", str(request.url)).startswith("https:"),
    )
    return answer


async def sign_out(rest: Rest, request: Request) -> Response:
    """Make this browser's cookie worthless; its open conversations end within a second."""
    rest.door.browsers.end(_credential(request).browser)
    answer = _answer(signed_in=False)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _credential(request: Request) -> Credential:
    credential: Credential = request.scope["credential"]
    return credential


def _answer(*, signed_in: bool) -> JSONResponse:
    return JSONResponse({"signed_in": signed_in}, headers={"cache-control": "no-store"})
