"""Headless Chromium with a WAV file for a microphone, and what there is to see in it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np
import soundfile
from playwright.sync_api import Browser, Page, Playwright, WebSocket

from voice import opus

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
GRANTED = "--use-fake-ui-for-media-stream"
RATE = 24_000
FRAME_HEADER = 8
KINDS = {1: "pcm", 2: "pcm", 3: "opus", 4: "opus"}
"""Of frames, by their first byte."""
PATIENCE = 60
"""Seconds until a test gives up on what should have happened; it says nothing about speed."""


def write_timeline(path: Path, *parts: float | Path) -> Path:
    """Write a WAV, 24 kHz: numbers are seconds of silence, paths are WAV files of that rate."""
    pieces = []
    for part in parts:
        if isinstance(part, Path):
            samples, rate = soundfile.read(part, dtype="float32")
            assert rate == RATE
            pieces.append(samples)
        else:
            pieces.append(np.zeros(int(part * RATE), np.float32))
    soundfile.write(path, np.concatenate(pieces), RATE, subtype="PCM_16")
    return path


@contextmanager
def open_chromium(
    playwright: Playwright,
    microphone: Path | None,
    *,
    permission: Literal["granted", "denied"] = "granted",
    again: bool = False,
) -> Iterator[Browser]:
    """A browser whose microphone hears `microphone` from the moment it is opened, then silence, or
    the same `again`; None is a machine without one.
    """
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        raise AssertionError("there is no Chromium here; install it with: apt-get install chromium")
    flags = [*QUIET]
    if permission == "granted":
        flags.append(GRANTED)
    if microphone is not None:
        flags.append("--use-fake-device-for-media-stream")
        once = "" if again else "%noloop"
        flags.append(f"--use-file-for-fake-audio-capture={microphone}{once}")
    browser = playwright.chromium.launch(executable_path=chromium, args=flags)
    try:
        yield browser
    finally:
        browser.close()


def measure(frame: bytes) -> dict[str, Any]:
    """How a frame's audio is encoded, how long it lasts, and how much of the line it takes."""
    kind = KINDS[frame[0]]
    payload = frame[FRAME_HEADER:]
    samples = opus.unpack(payload).samples if kind == "opus" else len(payload) // 2
    return {"kind": kind, "seconds": samples / RATE, "bytes": len(frame)}


@dataclass
class Visit:
    """The page in a tab of its own, with everything that went over its wire."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings in the console, uncaught exceptions, CSP violations."""
    sent: list[dict[str, Any]] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    """Events in order; a frame of audio is `{"type": "audio", "kind", "seconds", "bytes"}`."""
    log: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        return str(self.fact("state"))

    @property
    def turns(self) -> list[dict[str, Any]]:
        turns: list[dict[str, Any]] = self.fact("turns")
        return turns

    @property
    def notice(self) -> str:
        """The page's message, empty if there is none."""
        return self.page.locator("#notice-text").inner_text()

    @property
    def spoken_seconds(self) -> float:
        """Microphone audio that went to the server so far: the test's clock."""
        return float(sum(event["seconds"] for event in self.sent if event["type"] == "audio"))

    def fact(self, name: str) -> Any:
        """One of `window.vivavoce`'s; see web/diagnostics.js."""
        return self.page.evaluate(f"vivavoce.{name}")

    def until(self, what: str, holds: Callable[[], Any]) -> None:
        """Wait until `holds()` is true; fails with the whole story if it never is."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"never seen: {what}\n{self.story()}")
            self.page.wait_for_timeout(50)

    def until_running(self) -> None:
        """Wait until the page's own script has run."""
        self.until("the page's script", lambda: self.page.evaluate("'vivavoce' in window"))

    def until_state(self, *states: str) -> None:
        self.until(f"state {' or '.join(states)}", lambda: self.state in states)

    def until_heard(self, turn: int, seconds: float) -> None:
        """Wait until so much of reply `turn` (its place in `turns`) has been played."""
        self.until(
            f"{seconds} s of turn {turn} played",
            lambda: len(self.turns) > turn and self.turns[turn]["playedSeconds"] >= seconds,
        )

    def until_final(self, turn: int) -> str:
        """Wait until turn `turn` is complete; returns its text."""
        self.until(
            f"turn {turn} complete",
            lambda: len(self.turns) > turn and self.turns[turn]["final"],
        )
        return str(self.turns[turn]["text"])

    def until_spoken(self, seconds: float) -> None:
        """Wait until so much more microphone audio has gone to the server."""
        target = self.spoken_seconds + seconds
        self.until(f"{seconds} s more of the microphone", lambda: self.spoken_seconds >= target)

    def press(self) -> None:
        """Press the round button, and keep it pressed."""
        self.page.locator("#talk").hover()
        self.page.mouse.down()

    def release(self) -> None:
        self.page.mouse.up()

    def write(self, text: str) -> None:
        """Type a message and send it."""
        self.page.locator("#box").fill(text)
        self.page.keyboard.press("Enter")

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What the server sent of one type."""
        return [event for event in self.received if event["type"] == kind]

    def strangers(self) -> list[str]:
        """Requests that went anywhere but to the page's own server."""
        own = urlsplit(self.page.url).netloc
        return [
            url
            for url in self.requests
            if urlsplit(url).netloc != own and urlsplit(url).scheme not in ("data", "blob")
        ]

    def story(self) -> str:
        """Everything known, for a failure's message."""
        facts = {name: self.fact(name) for name in ("state", "turns", "peak", "dropped")}
        return "\n".join(
            [json.dumps(facts, indent=1), f"notice: {self.notice!r}", *self.complaints, *self.log]
        )

    def _record(self, arrow: str, events: list[dict[str, Any]], payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            event: dict[str, Any] = {"type": "audio", **measure(payload)}
        else:
            event = json.loads(payload)
        if not (event["type"] == "audio" and events and events[-1]["type"] == "audio"):
            now = time.monotonic()
            self.log.append(f"{now:.2f} {arrow} {json.dumps(event, ensure_ascii=False)[:300]}")
        events.append(event)

    def _watch(self, socket: WebSocket) -> None:
        self.requests.append(socket.url)
        socket.on("framesent", lambda payload: self._record("->", self.sent, payload))
        socket.on("framereceived", lambda payload: self._record("<-", self.received, payload))


def _hear_console(visit: Visit) -> Callable[[Any], None]:
    def hear(said: Any) -> None:
        if said.type in ("error", "warning"):
            visit.complaints.append(f"console {said.type}: {said.text}")

    return hear


CALM: dict[str, Any] = {"reduced_motion": "reduce"}
"""The orb is drawn by the processor here, a quarter of one while it moves."""


@contextmanager
def visit_page(
    browser: Browser,
    url: str,
    *,
    quiet: bool = True,
    script: str = "",
    state: str = "ready",
    **context: Any,
) -> Iterator[Visit]:
    """Open the page in a context of its own and wait until it is in `state`. `script` runs before
    the page's own, `context` is as in `Browser.new_context`; little moves unless that asks for it
    (`CALM`). A `quiet` visit fails in the end if
    the page asked another host for anything or the console holds an error or a warning.
    """
    how = {"viewport": {"width": 1280, "height": 900}, **CALM, **context}
    with browser.new_context(**how) as inside:
        page = inside.new_page()
        if script:
            page.add_init_script(script)
        visit = Visit(page)
        page.on("request", lambda request: visit.requests.append(request.url))
        page.on("console", _hear_console(visit))
        page.on("pageerror", lambda error: visit.complaints.append(f"uncaught: {error}"))
        page.on("websocket", visit._watch)
        page.goto(url)
        visit.until_running()
        visit.until_state(state)
        yield visit
        assert visit.strangers() == []
        assert not quiet or visit.complaints == [], visit.story()
