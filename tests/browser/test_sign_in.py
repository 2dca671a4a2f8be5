"""The page of a server that wants an API key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from bench.serving import Server, start_server, stop_server
from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import CAPITAL, STEADY
from tests.browser.test_controls import add_axe, assert_open_to_all
from tests.conftest import WEIGHTS
from voice.guard import COOKIE
from voice.keys import Keys

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "models").symlink_to(WEIGHTS)
    return folder


@pytest.fixture(scope="module")
def keys(data: Path) -> Keys:
    return Keys(data / "keys.json")


@pytest.fixture(scope="module")
def locked(data: Path) -> Iterator[Server]:
    own = {"VIVAVOCE_DATA_DIR": str(data), "VIVAVOCE_REQUIRE_KEYS": "true", **STEADY}
    running = start_server(data / "log", **own)
    yield running
    stop_server(running)


def until_asked(visit: Visit) -> None:
    visit.until("the form", lambda: visit.page.get_by_label("Key").is_visible())


def show(visit: Visit, text: str) -> None:
    visit.page.get_by_label("Key").fill(text)
    visit.page.get_by_role("button", name="Sign in").click()


def test_the_page_asks_for_a_key_once(locked: Server, keys: Keys, silent: Browser) -> None:
    key, text = keys.create("page", ["realtime", "models"])
    _, narrow = keys.create("reader", ["models"])
    how: Any = {"quiet": False, "bypass_csp": True, "state": "offline"}
    with visit_page(silent, locked.url, **how) as visit:
        until_asked(visit)
        visit.until("no other complaint", lambda: visit.notice == "")
        add_axe(visit)
        assert_open_to_all(visit)
        for wrong, words in [
            (f"{text}x", "This key is wrong or was revoked."),
            ("schlüssel ☂", "This key is wrong or was revoked."),
            (narrow, "This key is not good for conversations."),
        ]:
            show(visit, wrong)
            error = visit.page.get_by_role("alert")
            visit.until(words, lambda error=error, words=words: error.inner_text() == words)
        assert_open_to_all(visit)

        show(visit, text)
        visit.until_state("ready")
        assert not visit.page.get_by_label("Key").is_visible()
        assert visit.page.locator("#sign-in-key").input_value() == ""
        # The key is good for talking, not for keeping what was said; the page says so.
        visit.until("it says so", lambda: visit.notice.startswith("This key may not keep"))
        assert not visit.page.locator("#open-library").is_visible()
        assert not visit.page.locator("#library").is_visible()
        assert not visit.page.locator("#attach").is_visible()
        visit.write(CAPITAL)
        visit.until_heard(1, 0.3)
        visit.page.locator("#open-settings").click()
        visit.until("voices", lambda: visit.page.locator("#voice option").count() > 1)
        visit.page.keyboard.press("Escape")
        [cookie] = visit.page.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (COOKIE, True, "Strict")
        assert visit.page.evaluate("document.cookie") == ""
        kept = visit.page.evaluate("JSON.stringify([localStorage, sessionStorage, location.href])")
        assert text not in kept + str(visit.requests) + cookie["value"]

        visit.page.reload()
        visit.until_running()
        visit.until_state("ready")
        visit.page.locator("#open-settings").click()
        visit.page.get_by_role("button", name="Sign out").click()
        until_asked(visit)
        assert visit.page.context.cookies() == []

        show(visit, text)
        visit.until_state("ready")
        keys.revoke(key.id)
        until_asked(visit)
    log = locked.log.read_text()
    assert text not in log
    assert cookie["value"] not in log
    assert "ERROR" not in log
