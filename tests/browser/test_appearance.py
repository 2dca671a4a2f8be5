"""How the page looks and weighs: open to all in every look, light to load, there offline."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.routing import Mount

from bench.serving import free_port
from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import House
from tests.browser.test_controls import add_axe, assert_open_to_all
from tests.browser.test_kiosk import Kiosk
from voice.catalogue import read_words
from voice.page import Page
from voice.sections import KioskSettings

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

WEB = Path(__file__).parents[2] / "web"
LIGHTEST = 150_000
"""Bytes on the wire until the page can be used."""

LOOKS = [
    ("en", "light", ""),
    ("de", "dark", ""),
    ("fr", "light", "more"),
    ("es", "dark", "more"),
    ("ja", "light", ""),
    ("ar", "dark", ""),
]


@pytest.mark.parametrize(("language", "theme", "contrast"), LOOKS)
def test_every_look_is_open_to_all(
    house: House, silent: Browser, language: str, theme: str, contrast: str
) -> None:
    chosen = {"pageLanguage": language, "theme": theme, "contrast": contrast, "mode": "text"}
    script = f"localStorage['vivavoce.settings'] = {json.dumps(json.dumps(chosen))}"
    with visit_page(silent, house.url, script=script, bypass_csp=True) as visit:
        page = visit.page
        root = "document.documentElement"
        assert page.evaluate(f"{root}.lang") == language
        assert page.evaluate(f"{root}.dir") == ("rtl" if language == "ar" else "ltr")
        add_axe(visit)
        assert_open_to_all(visit)
        page.locator("#open-settings").click()
        assert_open_to_all(visit)
        page.keyboard.press("Escape")
        page.keyboard.press("Control+k")
        page.locator("#palette input").wait_for()
        assert_open_to_all(visit)


def test_the_layout_is_mirrored_where_the_language_is(house: House, silent: Browser) -> None:
    def places(locale: str) -> dict[str, float]:
        with visit_page(silent, house.url, locale=locale) as visit:
            found = {}
            for name in (".brand", "#open-settings", "#send", "#speak-replies"):
                box = visit.page.locator(name).bounding_box()
                assert box is not None
                found[name] = box["x"] + box["width"] / 2
            return found

    left, right = places("en"), places("ar-EG")
    for name, x in left.items():
        assert right[name] == pytest.approx(1280 - x, abs=24), name


def test_the_language_is_the_browsers_until_one_is_chosen(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url, locale="de-AT") as visit:
        page = visit.page
        visit.until("German", lambda: page.locator("#phase").inner_text() == "Bereit")
        visit.write("Hallo")
        visit.until("it is shown", lambda: visit.turns)
        page.keyboard.press("Escape")
        page.locator("#open-settings").click()
        page.locator("#page-language").select_option("fr")
        visit.until("it is French", lambda: page.locator(".who").first.inner_text()[:4] == "Vous")
        assert page.evaluate("document.documentElement.lang") == "fr"
        assert visit.turns[0]["text"] == "Hallo", "the conversation is still there"
        page.reload()
        visit.until_running()
        visit.until_state("ready")
        visit.until("French", lambda: page.locator("#phase").inner_text() == "Prêt")


@pytest.mark.parametrize("width", [320, 390, 820, 1280, 2560])
def test_nothing_sticks_out(house: House, silent: Browser, width: int) -> None:
    how: Any = {"viewport": {"width": width, "height": 700}, "locale": "de"}
    with visit_page(silent, house.url, **how) as visit:
        assert_inside(visit, width)
        visit.write("Supercalifragilisticexpialidocious" * 6)
        visit.until("it is shown", lambda: visit.turns)
        assert_inside(visit, width)


def assert_inside(visit: Visit, width: int) -> None:
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = visit.page.evaluate(
        "w => [...document.querySelectorAll('body *')].filter(it => it.checkVisibility()"
        " && !it.closest('.unseen, .skip, dialog') && (it.getBoundingClientRect().right > w + 1"
        " || it.getBoundingClientRect().left < -1)).map(it => it.outerHTML.slice(0, 120))",
        width,
    )
    assert wide == []


def test_the_first_load_is_light(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url, locale="ar") as visit:
        visit.page.wait_for_timeout(300)
        weights = visit.page.evaluate(
            "Object.fromEntries([...performance.getEntriesByType('navigation'),"
            " ...performance.getEntriesByType('resource')]"
            ".filter(it => !it.name.includes('/v1/')).map(it => [it.name, it.transferSize]))"
        )
        assert len(weights) > 20
        total = sum(weights.values())
        assert 20_000 < total < LIGHTEST, weights
        fetched = {url.removeprefix(house.url) for url in weights}
        assert not [url for url in fetched if "kiosk" in url or "palette" in url]


@pytest.mark.parametrize(
    ("page", "script"), [("index.html", "app.js"), ("kiosk/index.html", "kiosk/kiosk.js")]
)
def test_the_page_names_beforehand_every_module_it_needs(page: str, script: str) -> None:
    """One round trip for all of them, instead of one for each level of imports."""
    needed: set[str] = set()
    waiting = [script]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        text = (WEB / name).read_text()
        found = re.findall(r'^(?:import|\} from|.*\bfrom) "(\.[^"]+)";$', text, re.MULTILINE)
        waiting += [normpath(join(dirname(name), each)) for each in found]
    named = re.findall(
        r'rel="modulepreload" fetchpriority="low" href="/?([^"]+)"', (WEB / page).read_text()
    )
    assert len(named) == len(set(named))
    assert set(named) == needed - {script}


SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, sources } of list.getEntries()) {
    shifts.push([value, ...sources.map(({ node }) => node?.id || node?.outerHTML?.slice(0, 80))]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_the_page_comes_alive(
    house: House, silent: Browser, width: int
) -> None:
    """What the document shows stays where it is when the server has greeted and the list came."""
    how: Any = {"viewport": {"width": width, "height": 800}, "locale": "ja"}
    with visit_page(silent, house.url, script=SHIFTS, **how) as visit:
        visit.page.locator("#attach").wait_for()
        if width > 1000:
            visit.page.locator("#library-list").locator("p, li").first.wait_for()
        assert_stood_still(visit)
    with silent.new_context(**how) as inside:
        kiosk = Kiosk(inside.new_page())
        kiosk.page.add_init_script(SHIFTS)
        kiosk.page.goto(f"{house.url}/kiosk")
        kiosk.until_running()
        kiosk.until("it is greeted", lambda: kiosk.fact("phase") in ("ready", "listening"))
        assert_stood_still(kiosk)


def assert_stood_still(visit: Visit) -> None:
    shifts = visit.page.evaluate("shifts")
    assert sum(shift[0] for shift in shifts) < 0.01, shifts


def test_the_server_reads_the_words_as_the_page_does(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        for path in sorted(WEB.glob("words/*.js")):
            script = "async name => (await import(`/words/${name}`)).default"
            assert read_words(path.read_text()) == visit.page.evaluate(script, path.name)


KEPT = "caches.open('vivavoce.shell').then((store) => store.keys()).then((them) => them.length)"
ASK = "fetch('{}').then(() => 'something', () => 'nothing')"
MISSING = """async () => {
  const kept = (await (await caches.open("vivavoce.shell")).keys()).map((it) => it.url);
  const files = performance.getEntriesByType("resource").map((it) => it.name);
  return [location.href, ...files].filter((it) => !it.includes("/v1/") && !kept.includes(it));
}"""


@contextmanager
def serve_files(port: int) -> Iterator[None]:
    """A server that has the page's files, and nothing else."""
    app = Starlette(routes=[Mount("/", Page(WEB, KioskSettings()))])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "it did not start"
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()


def test_the_page_is_there_when_the_server_is_not(silent: Browser) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as serving:
        serving.enter_context(serve_files(port))
        with visit_page(silent, url, quiet=False, state="offline") as visit:
            page = visit.page
            page.keyboard.press("Control+k")
            page.get_by_role("combobox").wait_for()
            visit.until("the page is kept", lambda: page.evaluate(MISSING) == [])
            assert page.evaluate(KEPT) > 30

            serving.close()
            assert page.evaluate(ASK.format("/sw.js")) == "nothing", "the server is away"
            page.reload()
            visit.until_running()
            shown = page.locator("#phase")
            visit.until("it says so", lambda: shown.inner_text() == "Not connected")
            assert page.evaluate(ASK.format("/v1/voices")) == "nothing", "only files are kept"
            page.keyboard.press("Control+k")
            page.get_by_role("combobox").wait_for()

            with socket.create_server(("127.0.0.1", port)):  # it accepts, and says nothing
                page.reload()
                visit.until_running()

            serving.enter_context(serve_files(port))
            visit.until("a server", lambda: page.evaluate(ASK.format("/sw.js")) == "something")
            page.reload()
            visit.until_running()
