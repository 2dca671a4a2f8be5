"""Fingers, keys and screen readers."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import Clips, House

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(300)]

STORY = "Tell me a long story about a dragon."


def test_space_bar_talks_and_escape_stops(house: House, asking: Browser, clips: Clips) -> None:
    with visit_page(asking, house.url) as visit:
        visit.page.keyboard.down("Space")
        visit.until_spoken(clips.capital_seconds)
        visit.page.keyboard.up("Space")
        assert "capital of France" in visit.until_final(0)
        visit.until_heard(1, 0.5)
        assert "Paris" in visit.turns[1]["text"], visit.story()

        visit.write(STORY)
        visit.until_heard(3, 0.5)
        visit.page.keyboard.press("Escape")
        visit.until("the reply stopped", lambda: visit.turns[3]["interrupted"])
        visit.until_state("ready")


def test_button_is_a_toggle_for_clicks_that_cannot_be_held(
    house: House, asking: Browser, clips: Clips
) -> None:
    with visit_page(asking, house.url) as visit:
        button = visit.page.get_by_role("button", name="Hold to talk")
        button.evaluate("button => button.click()")
        visit.until_spoken(clips.capital_seconds)
        assert visit.page.locator("#talk").get_attribute("aria-pressed") == "true"
        visit.page.get_by_role("button", name="Release to send").evaluate("it => it.click()")
        assert "capital of France" in visit.until_final(0)
        visit.until_heard(1, 0.5)


def test_space_in_the_message_box_is_a_space(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        visit.page.locator("#box").focus()
        visit.page.keyboard.type("Good morning ")
        visit.page.keyboard.press("Shift+Enter")
        assert visit.page.locator("#box").input_value() == "Good morning \n"
        assert visit.state == "ready"
        assert visit.turns == []


def test_tab_reaches_everything(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        reached = []
        for _ in range(12):
            visit.page.keyboard.press("Tab")
            focused = "document.activeElement"
            name = f"{focused}.id || {focused}.type || {focused}.localName"
            reached.append(visit.page.evaluate(name))
        expected = ["a", "summary", "speak-replies", "voice", "language", "scroller", "talk"]
        assert reached[:10] == [*expected, "hands-free", "box", "submit"]


def test_tap_is_no_turn(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        for _ in range(3):
            visit.press()
            visit.release()
            visit.until("a word about it", lambda: visit.notice)
            visit.until_state("ready")
        assert visit.page.locator("#notice").get_attribute("data-tone") == "quiet"
        assert visit.notice in (
            "That was very short. Keep holding while you speak.",
            "The microphone is ready. Hold the button and speak.",
        )
        visit.until("the word goes by itself", lambda: not visit.notice)
        assert visit.turns == []
        assert visit.events("error") == []


def test_silence_is_no_turn(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        visit.press()
        visit.until_spoken(1.0)
        visit.release()
        visit.until("committed", lambda: visit.events("input_audio_buffer.committed"))
        visit.until("reply", lambda: visit.events("response.done"))
        visit.page.wait_for_timeout(1000)
        print(visit.story())


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
    "phone dark": {
        "viewport": {"width": 740, "height": 360},
        "has_touch": True,
        "is_mobile": True,
        "color_scheme": "dark",
    },
}


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_shuts_anybody_out(house: House, silent: Browser, look: str) -> None:
    """No violation found by axe-core: names, roles, contrast, landmarks."""
    # axe-core is put into the page by text, which the page's policy forbids for good reason.
    with visit_page(silent, house.url, bypass_csp=True, **LOOKS[look]) as visit:
        visit.page.add_script_tag(
            content=(files("axe_playwright_python") / "axe.min.js").read_text()
        )
        assert_sound(visit)
        visit.page.locator("#settings").evaluate("settings => settings.open = true")
        assert_sound(visit)
        visit.page.keyboard.press("Escape")
        visit.page.locator("#settings").evaluate("settings => settings.open = false")
        visit.write(STORY)
        visit.until_heard(1, 0.3)
        assert_sound(visit)
        visit.page.keyboard.press("Escape")
        visit.until_state("ready")
        visit.press()
        visit.release()
        visit.until("a word about it", lambda: visit.notice)
        assert_sound(visit)


def assert_sound(visit: Visit) -> None:
    found = visit.page.evaluate("() => axe.run()")
    told = [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert not told, "\n".join(told)
