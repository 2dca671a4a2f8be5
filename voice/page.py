"""The browser client as it is served: the files of `web/`, and its two documents made whole.

A document is a template of `web/`. Served, it holds everything that is seen first: the words of
the visitor's language where the template asks for them (`data-message`), the styles, and the script
that runs before the first paint. One answer is enough to paint the page; its modules follow. All
other files are served as they stand in the folder, packed once and kept.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from voice.catalogue import RIGHT_TO_LEFT, STANDARD, pick_language, read_words
from voice.guard import page_policy
from voice.sections import KioskSettings

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
"""The kinds of files that are served; others in the folder are not."""

DOCUMENTS = {
    "/": "index.html",
    "/index.html": "index.html",
    "/kiosk": "kiosk/index.html",
    "/kiosk/": "kiosk/index.html",
    "/kiosk/index.html": "kiosk/index.html",
}

CHOSEN = "vivavoce_language"
"""Cookie of the page: the language that was chosen in it, which goes before the browser's."""

_PACKED = 9
"""gzip's level: each file is packed once."""


@dataclass(frozen=True)
class Packed:
    """A body as it is sent, with and without gzip; `hashes` are of what may run in it (CSP)."""

    kind: str
    plain: bytes
    small: bytes | None
    etag: str
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """What the operator's settings change in a document."""

    title: str = ""
    greeting: str = ""
    theme: str = ""
    contrast: str = ""


class Page:
    """ASGI application. Files are asked for again at every load; 304 says that one is the same."""

    def __init__(self, folder: Path, kiosk: KioskSettings) -> None:
        self._folder = folder
        self._kiosk = kiosk
        self._look = Look(kiosk.title, kiosk.greeting, kiosk.theme, kiosk.contrast)
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": path
            for path in folder.rglob("*")
            if path.suffix in KINDS and path.is_file()
        }
        self._languages = {path.stem for path in folder.glob("words/*.js")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a file or a document; raises `HTTPException` (404, 405)."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        request = Request(scope, receive)
        path = scope["path"]
        if path not in DOCUMENTS and path not in self._files:
            raise HTTPException(404)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"allow": "GET, HEAD"})
        vary = "accept-encoding"
        if name := DOCUMENTS.get(path):
            packed = self._document(name, request)
            vary += ", accept-language, cookie"
        else:
            packed = _file(*_stamp(self._files[path]))
        await _answer(packed, request, vary)(scope, receive, send)

    def _document(self, name: str, request: Request) -> Packed:
        wanted = request.headers.get("accept-language", "")
        if name == "index.html":
            look, chosen = Look(), request.cookies.get(CHOSEN, "")
        else:
            look, chosen = self._look, self._kiosk.page_language
        language = pick_language(chosen or wanted, self._languages)
        sources = (
            self._files[f"/{name}"],
            self._files[f"/words/{language}.js"],
            *(path for known, path in self._files.items() if known.startswith(_INLINE)),
        )
        return _render(self._folder, name, language, look, tuple(map(_stamp, sources)))


def _answer(packed: Packed, request: Request, vary: str) -> Response:
    headers = {"cache-control": "no-cache", "etag": packed.etag, "vary": vary}
    if packed.hashes:
        host = request.headers.get("host", "")
        headers["content-security-policy"] = page_policy(host, packed.hashes)
    known = request.headers.get("if-none-match", "")
    if packed.etag in (each.strip() for each in known.split(",")):
        return Response(status_code=304, headers=headers)
    body = packed.plain
    if packed.small is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body = packed.small
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=packed.kind, headers=headers)


Stamp = tuple[Path, int, int]
"""A file and what changes with its contents, so that whoever works on the page sees it at once."""


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return path, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=512)
def _file(path: Path, _: int, __: int) -> Packed:
    return _pack(path.read_bytes(), KINDS[path.suffix])


def _pack(plain: bytes, kind: str, hashes: tuple[str, ...] = ()) -> Packed:
    small = None if kind == "image/png" else gzip.compress(plain, _PACKED, mtime=0)
    # Weak: it is one for both, with gzip and without.
    etag = f'W/"{hashlib.sha256(plain).hexdigest()[:20]}"'
    return Packed(kind, plain, small, etag, hashes)


# The documents

_INLINE = ("/styles/", "/early.js")
"""What documents name and hold."""

_STYLES = re.compile(r'(?:\s*<link rel="stylesheet" href="[^"]+" />)+')
_STYLE = re.compile(r'<link rel="stylesheet" href="/?([^"]+)" />')
_SCRIPT = re.compile(r'<script src="/?([^"]+)"></script>')
_TEXT = re.compile(r'(<[^<>]*\sdata-message="([^"]+)"[^<>]*>)(?=</)')
_ATTRIBUTE = re.compile(r'\sdata-message-(label|title|placeholder)="([^"]+)"')
_ATTRIBUTES = {"label": "aria-label", "title": "title", "placeholder": "placeholder"}
"""As in `web/view.js`."""


@lru_cache(maxsize=64)
def _render(folder: Path, name: str, language: str, look: Look, _: tuple[Stamp, ...]) -> Packed:
    """The template with what it names put into it."""
    template = (folder / name).read_text()
    words = read_words((folder / "words" / f"{language}.js").read_text())
    body = _fill(template, words)
    body = _put(body, "title", look.title or words["kiosk.title"])
    body = _put(body, "greeting", look.greeting)
    root = {"lang": language, "dir": "rtl" if language in RIGHT_TO_LEFT else "ltr"}
    shown = {"data-theme": look.theme, "data-contrast": look.contrast}
    told = root | {key: value for key, value in shown.items() if value}
    start = "".join(f' {key}="{value}"' for key, value in told.items())
    body = body.replace('<html lang="en">', f"<html{start}>", 1)

    if language != STANDARD:  # whose words are asked for by the page's own script, and late
        named = f'<link rel="modulepreload" fetchpriority="low" href="/words/{language}.js" />'
        body = body.replace("</head>", f"  {named}\n  </head>", 1)
    styles = "".join((folder / path).read_text() for path in _STYLE.findall(template))
    script = "".join((folder / path).read_text() for path in _SCRIPT.findall(template))
    body = _STYLES.sub(lambda _: f"\n    <style>{styles}</style>", body, count=1)
    body = _SCRIPT.sub(lambda _: f"<script>{script}</script>", body, count=1)
    hashes = tuple(_hash(text) for text in (styles, script) if text)
    return _pack(body.encode(), KINDS[".html"], hashes)


def _fill(template: str, words: dict[str, Any]) -> str:
    """The words where the template asks for them; the page's own script leaves them as they are."""
    texts = _TEXT.sub(lambda found: found[1] + escape(words[found[2]]), template)
    return _ATTRIBUTE.sub(
        lambda found: f'{found[0]} {_ATTRIBUTES[found[1]]}="{escape(words[found[2]])}"', texts
    )


def _put(body: str, id_: str, text: str) -> str:
    """`text` in the empty element `id_`, if there is one."""
    return re.sub(rf'(<\w+ id="{id_}"[^<>]*>)(?=</)', lambda found: found[1] + escape(text), body)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
