"""Take the pictures of the page in docs/images: `.venv/bin/python docs/screenshots.py [NAME ...]`.

A real server with the starter models, a real Chromium with a WAV for its microphone, and a short
conversation: a question is spoken, its answer played; another is typed, and the picture is taken
while its answer is spoken. Some conversations were kept before. The kiosk is shown as it waits for
someone. The pictures are reduced to 256 colours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import soundfile
from PIL import Image
from playwright.sync_api import Playwright, sync_playwright

from bench.serving import start_server, stop_server
from tests.browser.chromium import open_chromium, visit_page, write_timeline
from tests.browser.test_library import Api, history

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
DESKTOP = {"viewport": {"width": 1360, "height": 820}}
PICTURES: dict[str, dict[str, Any]] = {
    f"{name}-{scheme}": {**size, "color_scheme": scheme}
    for name, size in (("desktop", DESKTOP), ("tablet", TABLET), ("phone", PHONE))
    for scheme in ("light", "dark")
}
KIOSK = {"viewport": {"width": 1024, "height": 768}, "color_scheme": "dark"}
KEPT = {
    "Tides and the moon": 0,
    "A name for the sailing boat": 0,
    "Bread without yeast": 1,
    "Packing list for Lisbon": 1,
    "Why leaves turn red": 4,
    "Questions for the landlord": 6,
}
"""Titles of what was said before, and how many days ago."""
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
                    begin_anew(Api(f"{server.url}/api/v1"))
                    if name == "kiosk":
                        show_kiosk(playwright, server.url, picture)
                    else:
                        converse(playwright, server.url, microphone, picture, PICTURES[name])
                    shrink(picture)
        finally:
            stop_server(server)


def begin_anew(api: Api) -> None:
    """Of conversations keep `KEPT`, and no other."""
    for each in api.get("/conversations", limit=200)["conversations"]:
        api.purge(each["id"])
    now = datetime.now(UTC)
    whole = []
    for number, (title, days) in enumerate(KEPT.items()):
        at = (now - timedelta(days=days, minutes=number)).timestamp()
        chat = {"title": title, "history": history([title, "Gladly."])}
        whole.append(
            {"id": title, "title": title, "created_at": at, "updated_at": at, "chat": chat}
        )
    job = api.send("POST", "/imports", json.dumps(whole).encode())
    while job["state"] not in ("done", "dead"):
        job = api.get(f"/jobs/{job['id']}")
    listed = api.get("/conversations", limit=200)["conversations"]
    pinned = next(each["id"] for each in listed if each["title"] == next(iter(KEPT)))
    api.send("PATCH", f"/conversations/{pinned}", {"pinned": True})


def converse(
    playwright: Playwright, url: str, microphone: Path, picture: Path, look: dict[str, Any]
) -> None:
    """Have the conversation in a browser that looks like `look`, and take the picture."""
    with (
        open_chromium(playwright, microphone) as browser,
        visit_page(browser, url, **look) as visit,
    ):
        visit.page.locator("#attach").wait_for()
        visit.press()
        visit.until_spoken(soundfile.info(microphone).duration)
        visit.release()
        visit.until("an answer played", lambda: visit.turns and visit.turns[-1]["played"])
        visit.write(TYPED)
        visit.page.locator("#box").blur()
        visit.page.mouse.move(0, 0)
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
