"""Take the README's pictures of the page: `.venv/bin/python docs/screenshots.py`.

A real server with the starter models, a real Chromium with a WAV for its microphone, and a short
conversation: a question is spoken, its answer played; another is typed, and the picture is taken
while its answer is spoken.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import soundfile
from playwright.sync_api import Playwright, sync_playwright

from bench.serving import start_server, stop_server
from tests.browser.chromium import open_chromium, visit_page, write_timeline

ROOT = Path(__file__).parent.parent
SPOKEN = "What is the capital of France?"
TYPED = "Why is the sky blue?"

PHONE = {"width": 390, "height": 780}
DESKTOP = {"width": 1200, "height": 780}
PICTURES: dict[str, dict[str, Any]] = {
    "desktop-light": {"viewport": DESKTOP, "color_scheme": "light"},
    "desktop-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone-light": {
        "viewport": PHONE,
        "color_scheme": "light",
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
LARGEST = 200_000
"""Bytes of one picture: the README should open quickly."""


def main() -> None:
    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        spoken = folder / "spoken.wav"
        say = [sys.executable, "-m", "voice.cli", "say", SPOKEN, "--voice", "am_michael"]
        subprocess.run([*say, "-o", str(spoken)], cwd=ROOT, check=True)  # noqa: S603 - our own
        microphone = write_timeline(folder / "microphone.wav", 0.5, spoken, 0.5)
        server = start_server(folder / "log", VIVAVOCE_LLM_TEMPERATURE="0")
        try:
            with sync_playwright() as playwright:
                for name, look in PICTURES.items():
                    picture = images / f"{name}.png"
                    converse(playwright, server.url, microphone, picture, look)
                    size = picture.stat().st_size
                    print(f"{picture.relative_to(ROOT)}: {size} bytes")  # noqa: T201
                    if size > LARGEST:
                        raise SystemExit(f"{picture} is larger than {LARGEST} bytes")
        finally:
            stop_server(server)


def converse(
    playwright: Playwright, url: str, microphone: Path, picture: Path, look: dict[str, Any]
) -> None:
    """Have the conversation in a browser that looks like `look`, and take the picture."""
    with (
        open_chromium(playwright, microphone) as browser,
        visit_page(browser, url, **look) as visit,
    ):
        visit.press()
        visit.until_spoken(soundfile.info(microphone).duration)
        visit.release()
        visit.until("an answer played", lambda: visit.turns and visit.turns[-1]["played"])
        visit.write(TYPED)
        visit.page.locator("#box").blur()
        visit.until_heard(3, 4.0)
        visit.page.screenshot(path=picture)


if __name__ == "__main__":
    main()
