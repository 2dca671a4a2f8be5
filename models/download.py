"""Download one pinned file over HTTP so that a broken connection or a killed process costs little.

The bytes go to a `.part` file that grows at its end only. Whoever comes next asks for the rest with
`Range` (RFC 9110, section 14) and checks the hash of the whole, so that it does not matter who
wrote the beginning, nor when.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx2

from models.errors import ModelError, NoAnswer, disk_errors
from models.registries import Page, shown
from models.store import hash_file, held

_TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
_PAUSES_S = (0.5, 1.0, 2.0)  # between attempts; counted anew when an attempt got further
_LONGEST_PAUSE_S = 30.0  # what a server asks for with Retry-After is obeyed up to here
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_LARGEST_PAGE = 32 << 20  # an index page of a package with very many releases is a few MB

_NO_ANSWER = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)

Advance = Callable[[int], None]
T = TypeVar("T")


class _Passing(Exception):
    """Worth another attempt."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def open_client() -> httpx2.Client:
    """A client that follows redirects and obeys proxy and certificate variables."""
    # "identity": a transfer compressed on the fly would make byte positions meaningless.
    headers = {"User-Agent": "vivavoce-models", "Accept-Encoding": "identity"}
    return httpx2.Client(follow_redirects=True, timeout=_TIMEOUT, headers=headers)


def get_page(client: httpx2.Client, url: str, accept: str) -> Page:
    """Fetch a registry's page. Raises `ModelError` `source_unreachable`."""

    def attempt() -> Page:
        with client.stream("GET", url, headers={"Accept": accept}) as response:
            _check_status(response)
            body = bytearray()
            for block in response.iter_bytes():
                body += block
                if len(body) > _LARGEST_PAGE:
                    raise ModelError("source_unreachable", f"{shown(url)}: the answer is too long")
            kind = response.headers.get("content-type", "")
            return Page(str(response.url), kind, body.decode("utf-8", "replace"))

    return _attempts(url, attempt, reached=lambda: 0)


def download(
    client: httpx2.Client, url: str, part: Path, *, size: int, sha256: str, advance: Advance
) -> None:
    """Bring `part` to `size` bytes with this `sha256`, going on from what it already holds.

    `advance` is called with the bytes that arrive, and with a negative number when they are thrown
    away again. What `part` held before the call has already been counted by the caller.

    Raises `ModelError`: `source_unreachable` (the part is kept for a later attempt),
    `hash_mismatch` or `disk_full` (it is removed).
    """
    inherited = held(part)
    _complete(client, url, part, size, advance)
    if hash_file(part) == sha256:
        return
    _forget(part, advance)
    if inherited:  # the earlier bytes may have been damaged or another server's: once from scratch
        _complete(client, url, part, size, advance)
        if hash_file(part) == sha256:
            return
        _forget(part, advance)
    raise ModelError(
        "hash_mismatch", f"{shown(url)} sent a file whose sha256 is not the manifest's"
    )


def _complete(client: httpx2.Client, url: str, part: Path, size: int, advance: Advance) -> None:
    if held(part) > size:
        _forget(part, advance)
    if held(part) < size:
        _attempts(
            url, lambda: _stream(client, url, part, size, advance), reached=lambda: held(part)
        )


def _stream(client: httpx2.Client, url: str, part: Path, size: int, advance: Advance) -> None:
    """One request; whatever it brings is appended to `part`."""
    start = held(part)
    headers = {"Range": f"bytes={start}-"} if start else {}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:
            _forget(part, advance)
            whole = response.headers.get("content-range", "")
            if whole not in {"", f"bytes */{size}"}:
                raise ModelError(
                    "hash_mismatch", f"{shown(url)} has {whole}, the manifest says {size}"
                )
            raise _Passing("the server does not have the rest of what we hold")
        _check_status(response)
        if response.status_code == 206:
            _check_range(response.headers.get("content-range", ""), start, size, url)
        else:
            told = response.headers.get("content-length")
            if told is not None and told != str(size):
                raise ModelError(
                    "hash_mismatch", f"{shown(url)} offers {told} bytes, the manifest says {size}"
                )
            if start:  # the server does not do ranges: all over again
                _forget(part, advance)
        _append(response, part, size, advance, url)
    if held(part) < size:
        raise _Passing("the connection ended early")


def _append(response: httpx2.Response, part: Path, size: int, advance: Advance, url: str) -> None:
    room = size - held(part)
    try:
        with disk_errors(part), part.open("ab") as file:
            for block in response.iter_raw():
                room -= len(block)
                if room < 0:
                    raise ModelError(
                        "hash_mismatch", f"{shown(url)} sends more than the manifest's {size} bytes"
                    )
                file.write(block)
                advance(len(block))
            file.flush()
            os.fsync(file.fileno())
    except ModelError:
        _forget(part, advance)
        raise


def _check_status(response: httpx2.Response) -> None:
    status = response.status_code
    if status in _PASSING:
        wait = response.headers.get("retry-after", "")
        raise _Passing(f"status {status}", float(wait) if wait.isdigit() else None)
    if status not in {200, 206}:
        raise ModelError("source_unreachable", f"{shown(str(response.url))}: status {status}")


def _check_range(told: str, start: int, size: int, url: str) -> None:
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", told)
    if match is None or int(match[1]) != start:
        raise ModelError("source_unreachable", f"{shown(url)} answers with a wrong range {told!r}")
    if match[2] not in {str(size), "*"}:
        raise ModelError(
            "hash_mismatch", f"{shown(url)} has {match[2]} bytes, the manifest says {size}"
        )


def _forget(part: Path, advance: Advance) -> None:
    with suppress(OSError):
        size = held(part)
        part.unlink(missing_ok=True)
        advance(-size)


def _attempts(url: str, attempt: Callable[[], T], reached: Callable[[], int]) -> T:
    """Call `attempt` until it succeeds, or fails too often in a row without getting further."""
    failed, furthest = 0, reached()
    while True:
        try:
            return attempt()
        except (httpx2.HTTPError, httpx2.InvalidURL, _Passing) as error:
            if reached() > furthest:
                failed, furthest = 0, reached()
            if failed == len(_PAUSES_S):
                message = f"{shown(url)}: {str(error) or type(error).__name__}"
                if isinstance(error, _NO_ANSWER):
                    raise NoAnswer("source_unreachable", message) from error
                raise ModelError("source_unreachable", message) from error
            asked = error.wait_s if isinstance(error, _Passing) else None
            time.sleep(min(max(asked or 0.0, _PAUSES_S[failed]), _LONGEST_PAUSE_S))
            failed += 1
