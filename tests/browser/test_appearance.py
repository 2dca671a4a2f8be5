"""How the page looks and weighs: open to all in every look, light to load, there offline."""

from __future__ import annotations

import json
import re
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import House
from tests.browser.test_controls import add_axe, assert_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

WEB = Path(__file__).parents[2] / "web"
LIGHTEST = 150_000
"""Bytes on the wire until the page can be used."""

LOOKS = [
    ("en", "light", ""),
    ("en", "dark", ""),
    ("en", "light", "more"),
    ("en", "dark", "more"),
    ("de", "light", ""),
    ("fr", "dark", ""),
    ("es", "light", "more"),
    ("ja", "dark", ""),
    ("ar", "light", ""),
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
        assert page.locator("#phase").inner_text() == "Bereit"
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
        assert page.locator("#phase").inner_text() == "Prêt"


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
    named = re.findall(r'rel="modulepreload" href="([^"]+)"', (WEB / page).read_text())
    assert {normpath(join(dirname(page), each)) for each in named} == needed - {script}


MISSING = """async () => {
  const kept = (await (await caches.open("vivavoce.shell")).keys()).map((it) => it.url);
  const files = performance.getEntriesByType("resource").map((it) => it.name);
  return [location.href, ...files].filter((it) => !it.includes("/v1/") && !kept.includes(it));
}"""


def test_the_page_is_there_when_the_server_is_not(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url, quiet=False) as visit:
        page = visit.page
        visit.until("the page is kept", lambda: page.evaluate(MISSING) == [])
        house.kill()
        try:
            page.reload()
            visit.until_running()
            visit.until_state("offline")
            assert page.locator("#phase").inner_text() == "Not connected"
            answer = page.evaluate("fetch('/v1/voices').then(() => 'kept', () => 'nothing')")
            assert answer == "nothing", "only files are kept"
        finally:
            house.start_again()
        page.reload()
        visit.until_running()
        visit.until_state("ready")
