"""Take the pictures of the page in docs/images: `.venv/bin/python docs/screenshots.py [NAME ...]`.

A real server with the starter models, a real Chromium with a WAV for its microphone, and a short
conversation: a question is spoken, its answer played; another is typed, and the picture is taken
while its answer is spoken. The kiosk is shown as it waits for someone. The pictures are reduced to
256 colours.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import soundfile
from PIL import Image
from playwright.sync_api import Playwright, sync_playwright

from bench.serving import start_server, stop_server
from tests.browser.chromium import open_chromium, visit_page, write_timeline

ROOT = Path(__file__).parent.parent
SPOKEN = "What is the capital of France?"
TYPED = "Why is the sky blue? Answer in three sentences."

PHONE = {
    "viewport": {"width": 390, "height": 780},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
TABLET = {"viewport": {"width": 820, "height": 1100}, "has_touch": True}
DESKTOP = {"viewport": {"width": 1200, "height": 780}}
PICTURES: dict[str, dict[str, Any]] = {
    f"{name}-{scheme}": {**size, "color_scheme": scheme}
    for name, size in (("desktop", DESKTOP), ("tablet", TABLET), ("phone", PHONE))
    for scheme in ("light", "dark")
}
KIOSK = {"viewport": {"width": 1024, "height": 768}, "color_scheme": "dark"}
LARGEST = 200_000
"""Bytes of one picture: the README should open quickly."""


def main(wanted: list[str]) -> None:
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
                for name in wanted or [*PICTURES, "kiosk"]:
                    picture = images / f"{name}.png"
                    if name == "kiosk":
                        show_kiosk(playwright, server.url, picture)
                    else:
                        converse(playwright, server.url, microphone, picture, PICTURES[name])
                    shrink(picture)
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


def show_kiosk(playwright: Playwright, url: str, picture: Path) -> None:
    """The kiosk before anybody has come."""
    with open_chromium(playwright, None) as browser:
        page = browser.new_page(**KIOSK)
        page.goto(f"{url}/kiosk")
        page.locator("#phase").wait_for()
        page.wait_for_timeout(1500)
        page.screenshot(path=picture)


def shrink(picture: Path) -> None:
    """Fewer colours, fewer bytes; fails if there are still too many."""
    with Image.open(picture) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(picture, optimize=True)
    size = picture.stat().st_size
    print(f"{picture.relative_to(ROOT)}: {size} bytes")  # noqa: T201
    if size > LARGEST:
        raise SystemExit(f"{picture} is larger than {LARGEST} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
