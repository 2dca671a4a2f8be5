"""Languages: the browser's are told to the server, and one that no voice speaks is to the user."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import House

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

KEEP_LINE = """
const Real = WebSocket;
window.WebSocket = class extends Real {
  constructor(...given) {
    super(...given);
    window.line = this;
  }
};
"""
"""Keeps the page's connection where a test finds it."""


def transcription(visit: Visit) -> object:
    """What the last `session.update` said of the user's speech."""
    updates = [event for event in visit.sent if event["type"] == "session.update"]
    return updates[-1]["session"]["audio"]["input"]["transcription"]


def miss(visit: Visit, language: str) -> None:
    """The server says that it has no voice for a language."""
    event = {"type": "response.voice_missing", "language": language, "voice": "af_heart"}
    visit.page.evaluate("text => line.onmessage({ data: text })", json.dumps(event))


def test_the_browsers_languages_go_to_the_server_until_one_is_chosen(
    house: House, silent: Browser
) -> None:
    with visit_page(silent, house.url, locale="fr-CA") as visit:
        assert transcription(visit) == {"languages": ["fr-CA"]}
        visit.page.locator("#open-settings").click()
        visit.page.locator("#language").select_option("de")
        visit.until("the choice sent", lambda: transcription(visit) == {"language": "de"})


def test_a_language_without_a_voice_is_said_once(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url, script=KEEP_LINE) as visit:
        miss(visit, "de")
        assert visit.notice.startswith("There is no voice for German here.")
        visit.page.locator("#notice-dismiss").click()
        miss(visit, "de")
        assert visit.notice == ""
        miss(visit, "ko")
        assert "Korean" in visit.notice
