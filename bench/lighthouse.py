"""Lighthouse on the page and the kiosk: `python -m bench.lighthouse [--runs 3] [--form mobile]`.

A real server with the starter models and Debian's Chromium; Lighthouse comes from npm, once
(`npx`; needs Node 20). Printed are, for each page and form, the median scores and metrics of the
runs, and the machine's load beside them: the performance score is about time, so that only a
machine with nothing else to do gives the page's own. On few cores the browser's other processes,
Lighthouse and the server take turns with the page, and what it waits for them counts as its own:
so "own TBT" is the blocking time that the tasks' processor time alone makes. Both forms simulate a
slow machine and line: a phone (CPU four times slower, 150 ms, 1.6 Mbit/s) and a desk (40 ms,
10 Mbit/s); see https://github.com/GoogleChrome/lighthouse/blob/main/docs/throttling.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.serving import serving
from tests.browser.chromium import CHROMIUM

LIGHTHOUSE = "lighthouse@12.8.2"
PAGES = ("/", "/kiosk")
FORMS = ("mobile", "desktop")
CATEGORIES = ("performance", "accessibility", "best-practices")
METRICS = {
    "FCP ms": "first-contentful-paint",
    "LCP ms": "largest-contentful-paint",
    "SI ms": "speed-index",
    "TBT ms": "total-blocking-time",
    "CLS": "cumulative-layout-shift",
    "bytes": "total-byte-weight",
}
SLOWER = {"mobile": 4.0, "desktop": 1.0}
"""How much slower a processor Lighthouse simulates."""
LONG_MS = 50.0
"""A task that is longer blocks: https://web.dev/articles/tbt"""
TASKS = ("RunTask", "ThreadControllerImpl::RunTask")
CHROME = (
    "--headless=new",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
WANTED = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns 1 if a median of performance or accessibility is not over 95."""
    parser = argparse.ArgumentParser(description="Lighthouse on the page and the kiosk.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--form", choices=FORMS, action="append")
    given = parser.parse_args(arguments)
    good = True
    with serving() as server, tempfile.TemporaryDirectory() as made:
        for form in given.form or FORMS:
            for page in PAGES:
                load = os.getloadavg()[0]
                report = Path(made) / "report.json"
                runs = [measure(server.url + page, form, report) for _ in range(given.runs)]
                middle = {name: median(run[name] for run in runs) for name in runs[0]}
                shown = "  ".join(f"{name} {value:g}" for name, value in middle.items())
                print(f"{form:8}{page:8}{shown}  (load {load:.1f})", flush=True)
                good &= min(middle["performance"], middle["accessibility"]) > WANTED * 100
    return 0 if good else 1


def measure(url: str, form: str, report: Path) -> dict[str, float]:
    """One run: scores of 100, metrics in ms and bytes."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None or shutil.which("npx") is None:
        raise SystemExit("Chromium and Node are wanted: apt-get install chromium nodejs npm")
    preset = ["--preset=desktop"] if form == "desktop" else []
    command = [
        *("npx", "--yes", LIGHTHOUSE, url, *preset, "--quiet", "--save-assets"),
        f"--only-categories={','.join(CATEGORIES)}",
        f"--chrome-flags={' '.join(CHROME)}",
        *("--output=json", f"--output-path={report}"),
    ]
    environment = {**os.environ, "CHROME_PATH": chromium}
    # Now and then it loses the beginning of its own trace.
    if subprocess.run(command, check=False, env=environment).returncode:
        subprocess.run(command, check=True, env=environment)
    trace = json.loads(report.with_name(f"{report.stem}-0.trace.json").read_text())
    told: dict[str, Any] = json.loads(report.read_text())
    scores = {name: 100 * told["categories"][name]["score"] for name in CATEGORIES}
    values = {short: told["audits"][name]["numericValue"] for short, name in METRICS.items()}
    values["own TBT ms"] = blocking(trace["traceEvents"], SLOWER[form])
    return scores | {
        short: round(value, 3 if short == "CLS" else 0) for short, value in values.items()
    }


def blocking(events: Sequence[dict[str, Any]], slower: float) -> float:
    """What tasks of the page's main thread, after its first contentful paint, have beyond 50 ms of
    processor time each on a machine that is so many times slower; in ms.

    Raises `ValueError` where the browser counted no processor time.
    """
    paint = next(event for event in events if event["name"] == "firstContentfulPaint")
    thread = (paint["pid"], paint["tid"])
    tasks = [
        event
        for event in events
        if event["name"] in TASKS
        and (event["pid"], event["tid"]) == thread
        and event["ts"] >= paint["ts"]
    ]
    if not any("tdur" in task for task in tasks):
        raise ValueError("the trace has no processor times")
    # A task too short to be counted has none.
    taken: list[float] = [slower * task.get("tdur", 0) / 1000 for task in tasks]
    return sum(max(0.0, ms - LONG_MS) for ms in taken)


if __name__ == "__main__":
    sys.exit(main())
