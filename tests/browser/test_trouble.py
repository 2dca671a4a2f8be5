"""What the page does when something is missing: a permission, a microphone, the server."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Playwright

from tests.browser.chromium import Visit, open_chromium, visit_page
from tests.browser.conftest import CAPITAL, STORY, Clips, House
from tests.browser.test_kiosk import visit_kiosk

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(600)]


def test_denied_microphone_leaves_typing(
    house: House, clips: Clips, playwright: Playwright
) -> None:
    with (
        open_chromium(playwright, clips.silence, permission="denied") as browser,
        visit_page(browser, house.url) as visit,
    ):
        assert_typing_remains(visit, "The browser may not use the microphone.")


def test_missing_microphone_leaves_typing(house: House, playwright: Playwright) -> None:
    with (
        open_chromium(playwright, None) as browser,
        visit_page(browser, house.url) as visit,
    ):
        assert_typing_remains(visit, "No microphone was found.")


def assert_typing_remains(visit: Visit, words: str) -> None:
    visit.press()
    visit.until("words about it", lambda: visit.notice.startswith(words))
    visit.release()
    assert visit.page.locator("#notice").get_attribute("data-tone") == "firm"
    visit.page.get_by_role("button", name="Dismiss").click()
    assert visit.notice == ""

    visit.page.get_by_label("Hands-free").click()
    visit.until("words about it again", lambda: visit.notice.startswith(words))
    assert not visit.page.get_by_label("Hands-free").is_checked()

    visit.write(CAPITAL)
    visit.until_heard(1, 0.5)
    assert "Paris" in visit.turns[1]["text"]
    assert visit.fact("peak") > 0.05


def test_page_and_kiosk_come_back_after_the_server_was_killed(
    house: House, silent: Browser
) -> None:
    # A refused connection is an error in the console, and rightly so.
    with (
        visit_page(silent, house.url, quiet=False) as visit,
        visit_kiosk(silent, house.url) as kiosk,
    ):
        visit.write(STORY)
        visit.until_heard(1, 0.5)
        house.kill()
        try:
            visit.until_state("offline")
            visit.until("words about it", lambda: "Trying again" in visit.notice)
            assert visit.page.locator("#phase").inner_text() == "Not connected"
            before = len(visit.turns)
            visit.write(CAPITAL)
            waiting = visit.page.locator("#log .user .mark")
            assert waiting.inner_text() == "waiting to be sent"
            kiosk.until_state("away")
            assert kiosk.page.locator("#title").inner_text() == "Back in a moment"
        finally:
            house.start_again()
        visit.until("all is well", lambda: visit.notice == "")
        visit.until("it was sent", lambda: waiting.count() == 0)
        visit.until_heard(before + 1, 0.5)
        assert "Paris" in visit.turns[-1]["text"]
        # The session is another one, and goes on with the conversation that is kept.
        assert len(visit.events("session.created")) == 2
        assert "no longer remembers" not in visit.page.locator("#log").inner_text()

        kiosk.until_state("attract")
        kiosk.until("it listens", lambda: kiosk.fact("phase") == "listening")
        heard = kiosk.spoken_seconds
        kiosk.until("the microphone is heard", lambda: kiosk.spoken_seconds > heard + 0.5)
