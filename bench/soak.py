"""A kiosk left alone: its memory over time while one visitor after the other asks something.

    python -m bench.soak [--minutes 30] [--every 30]

A real server, a real Chromium whose microphone hears a question over and over, with pauses long
enough for the kiosk to forget the visitor. Every line is a moment, after the browser was told to
collect its garbage: the page's heap, its nodes and listeners, the memory of the browser's page
process and of the server's process, and how many visitors were answered so far.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.serving import ROOT, Server, serving
from tests.browser.chromium import open_chromium, write_timeline

QUESTION = "What is the capital of France?"
PAUSE = 30.0
"""Seconds between the questions: an answer, and the kiosk's idle time."""
IDLE = "8"
MIB = 2**20


@dataclass(frozen=True)
class Moment:
    """What was measured, in the order it is printed."""

    minutes: float
    heap: float
    nodes: float
    listeners: float
    page: float
    server: float
    visitors: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak; returns 1 if nobody was answered."""
    parser = argparse.ArgumentParser(description="A kiosk's memory over time.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two lines")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        spoken = Path(made) / "spoken.wav"
        say = [sys.executable, "-m", "voice.cli", "say", QUESTION, "--voice", "am_michael"]
        subprocess.run([*say, "-o", str(spoken)], cwd=ROOT, check=True)
        microphone = write_timeline(Path(made) / "microphone.wav", 2.0, spoken, PAUSE)
        with (
            serving(VIVAVOCE_KIOSK_IDLE_SECONDS=IDLE, VIVAVOCE_LLM_MAX_TOKENS="40") as server,
            sync_playwright() as playwright,
            open_chromium(playwright, microphone, again=True) as browser,
        ):
            moments = watch(server, browser, given.minutes, given.every)
    report(moments)
    return 0 if moments[-1].visitors > 0 else 1


def watch(server: Server, browser: Browser, minutes: float, every: float) -> list[Moment]:
    """Print a line every so many seconds; returns them all."""
    page = browser.new_page(viewport={"width": 1024, "height": 768})
    wire = page.context.new_cdp_session(page)
    machine = browser.new_browser_cdp_session()
    answered: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", _count(answered)))
    page.goto(f"{server.url}/kiosk")
    page.wait_for_timeout(2000)
    page.mouse.click(500, 600)
    print("minutes  heap MiB   nodes  listeners  page MiB  server MiB  visitors", flush=True)
    began = time.perf_counter()
    moments: list[Moment] = []
    while (passed := time.perf_counter() - began) < minutes * 60:
        page.wait_for_timeout(min(every, minutes * 60 - passed) * 1000)
        moments.append(measure(page, wire, machine, server, began, len(answered)))
        m = moments[-1]
        print(
            f"{m.minutes:7.1f} {m.heap:9.2f} {m.nodes:7.0f} {m.listeners:10.0f} {m.page:9.1f} "
            f"{m.server:11.1f} {m.visitors:9.0f}",
            flush=True,
        )
    return moments


def _count(answered: list[str]) -> Any:
    def hear(payload: str | bytes) -> None:
        if isinstance(payload, str) and '"response.done"' in payload[:200]:
            answered.append("one")

    return hear


def measure(
    page: Page, wire: CDPSession, machine: CDPSession, server: Server, began: float, visitors: int
) -> Moment:
    """One moment, in minutes and MiB."""
    wire.send("HeapProfiler.collectGarbage")
    wire.send("Performance.enable")
    told = wire.send("Performance.getMetrics")["metrics"]
    found = {metric["name"]: metric["value"] for metric in told}
    processes = machine.send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [int(process["id"]) for process in processes if process["type"] == "renderer"]
    return Moment(
        minutes=(time.perf_counter() - began) / 60,
        heap=found["JSHeapUsedSize"] / MIB,
        nodes=found["Nodes"],
        listeners=found["JSEventListeners"],
        page=max(resident(pid) for pid in renderers),
        server=resident(server.process.pid),
        visitors=visitors,
    )


def resident(pid: int) -> float:
    """Resident memory of a process in MiB (Linux), 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


def report(moments: list[Moment]) -> None:
    """How the last third compares with the one before the last: what grows shows there."""
    third = len(moments) // 3
    if third == 0:
        return
    print("median of the second third -> of the last:")
    for each in fields(Moment)[1:-1]:
        before = median(getattr(m, each.name) for m in moments[third : 2 * third])
        after = median(getattr(m, each.name) for m in moments[2 * third :])
        print(f"  {each.name:<10} {before:9.2f} -> {after:9.2f}  ({after / before - 1:+.1%})")


if __name__ == "__main__":
    sys.exit(main())
