"""The kiosk: one visitor after the other, and nobody to help it."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.browser.chromium import CALM, Visit, open_chromium, write_timeline
from tests.browser.conftest import OPERATOR, PIN, Clips, House
from tests.browser.test_controls import add_axe, assert_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]


class Kiosk(Visit):
    """The kiosk in a tab."""

    def fact(self, name: str) -> Any:
        return self.page.evaluate(f"kiosk.{name}")

    def until_running(self) -> None:
        self.until("the kiosk's script", lambda: self.page.evaluate("'kiosk' in window"))

    @property
    def notice(self) -> str:
        return ""

    def story(self) -> str:
        return "\n".join([str(self.fact("turns")), *self.complaints, *self.log])


@contextmanager
def visit_kiosk(browser: Browser, url: str, state: str = "attract") -> Iterator[Kiosk]:
    """Open the kiosk, touch it, and wait until it is in `state`."""
    with browser.new_context(
        viewport={"width": 1024, "height": 768}, has_touch=True, bypass_csp=True, **CALM
    ) as inside:
        kiosk = Kiosk(inside.new_page())
        kiosk.page.on("websocket", kiosk._watch)
        kiosk.page.goto(f"{url}/kiosk")
        kiosk.until_running()
        kiosk.page.mouse.click(500, 700)
        kiosk.until_state(state)
        yield kiosk


@pytest.fixture(scope="module")
def passing(
    playwright: Playwright, clips: Clips, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A browser that hears a visitor's question a while after the kiosk listens."""
    path = tmp_path_factory.mktemp("passing") / "visitor.wav"
    with open_chromium(playwright, write_timeline(path, 4.0, clips.capital)) as browser:
        yield browser


def metric(house: House, state: str) -> float:
    with urllib.request.urlopen(f"{house.url}/metrics") as answer:
        text = answer.read().decode()
    found = re.search(rf'^vivavoce_kiosks{{state="{state}"}} (\S+)$', text, re.MULTILINE)
    assert found
    return float(found[1])


def test_a_visitor_is_answered_and_forgotten(house: House, passing: Browser) -> None:
    with visit_kiosk(passing, house.url) as kiosk:
        page = kiosk.page
        assert page.locator("#title").inner_text() == "Ask the garden"
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        add_axe(kiosk)
        assert_open_to_all(kiosk)
        updated = kiosk.events("session.updated")[-1]["session"]
        assert updated["instructions"] == OPERATOR["VIVAVOCE_KIOSK_PROMPT"]
        assert updated["audio"]["output"]["voice"] == "bf_emma"

        kiosk.until_state("talking")
        kiosk.until("an answer", lambda: "Paris" in page.locator("#reply").inner_text())
        assert "capital of France" in page.locator("#said").inner_text()
        assert_open_to_all(kiosk)
        kiosk.until("it counts as alive", lambda: metric(house, "talking") >= 1)
        kiosk.until("a warning", lambda: "Starting afresh" in page.locator("#ending").inner_text())
        kiosk.until_state("attract")
        kiosk.until("another session", lambda: len(kiosk.events("session.created")) == 2)
        one, other = [event["session"]["id"] for event in kiosk.events("session.created")]
        assert one != other, "the server has forgotten too"
        assert not kiosk.events("conversation.attached"), "nothing was written down"
        kiosk.until("the screen too", lambda: page.locator("#said").text_content() == "")
        assert page.locator("#reply").text_content() == ""


def test_nobody_leaves_without_the_operator(house: House, silent: Browser) -> None:
    with visit_kiosk(silent, house.url) as kiosk:
        page = kiosk.page
        full = "document.fullscreenElement !== null"
        kiosk.until("the whole screen", lambda: page.evaluate(full))
        page.keyboard.press("Escape")
        page.go_back()
        page.mouse.click(1010, 10)
        page.wait_for_timeout(300)
        assert page.url.endswith("/kiosk")
        assert not page.locator("#operator").is_visible()

        page.mouse.move(1010, 10)
        page.mouse.down()
        page.locator("#operator").wait_for()
        page.mouse.up()
        page.get_by_label("PIN").fill("1234")
        page.keyboard.press("Enter")
        kiosk.until("no", lambda: page.get_by_role("alert").inner_text() == "That was not it.")
        assert_open_to_all_operator(page)
        page.get_by_label("PIN").fill(PIN)
        page.get_by_role("button", name="Leave", exact=True).click()
        page.wait_for_url(f"{house.url}/")


def assert_open_to_all_operator(page: Page) -> None:
    visit = Visit(page)
    add_axe(visit)
    assert_open_to_all(visit)


def test_a_microphone_that_is_taken_away_is_opened_again(
    house: House, playwright: Playwright, clips: Clips
) -> None:
    keep = """
    const open = MediaDevices.prototype.getUserMedia;
    window.streams = [];
    MediaDevices.prototype.getUserMedia = async function (...how) {
      const stream = await open.apply(this, how);
      streams.push(stream);
      return stream;
    };
    """
    with (
        open_chromium(playwright, clips.silence) as browser,
        browser.new_context(**CALM) as inside,
    ):
        kiosk = Kiosk(inside.new_page())
        kiosk.page.add_init_script(keep)
        kiosk.page.goto(f"{house.url}/kiosk")
        kiosk.until_running()
        kiosk.page.mouse.click(500, 500)
        kiosk.until_state("attract")
        # As the browser says it when the device is unplugged.
        kiosk.page.evaluate(
            "() => { const [track] = streams[0].getTracks(); track.stop();"
            " track.dispatchEvent(new Event('ended')); }"
        )
        kiosk.until("another microphone", lambda: kiosk.page.evaluate("streams.length") == 2)
        kiosk.until_state("attract")
