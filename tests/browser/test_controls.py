"""Fingers, keys and screen readers."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import STORY, Clips, House

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


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
        visit.page.locator("#attach").wait_for()
        reached = []
        for _ in range(11):
            visit.page.keyboard.press("Tab")
            focused = "document.activeElement"
            name = f"{focused}.id || {focused}.name || {focused}.localName"
            reached.append(visit.page.evaluate(name))
        tools = ["open-library", "open-palette", "open-settings"]
        typing = ["speak-replies", "attach", "box", "send"]
        assert reached == ["a", *tools, "scroller", "talk", "mode", *typing]


def test_tap_is_no_turn(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        for _ in range(3):
            visit.page.locator("#talk").click()
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


def test_silence_is_not_answered(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        visit.press()
        visit.until_spoken(1.0)
        visit.release()
        visit.until("words about it", lambda: visit.notice == "This could not be made out.")
        assert visit.page.locator("#notice").get_attribute("data-tone") == "quiet"
        visit.until("it was judged", lambda: visit.events("response.done"))
        visit.until_state("ready")
        assert visit.events("error") == []


def test_nothing_shuts_anybody_out(house: House, silent: Browser) -> None:
    """axe-core finds no violation: names, roles, contrast, landmarks."""
    # It is put into the page as text, which the page's own policy rightly forbids.
    with visit_page(silent, house.url, bypass_csp=True) as visit:
        add_axe(visit)
        assert_open_by_day_and_night(visit)
        visit.write(STORY)
        visit.until_heard(1, 0.3)
        assert_open_by_day_and_night(visit)
        visit.page.keyboard.press("Escape")
        visit.until("the reply stopped", lambda: visit.turns[1]["interrupted"])
        visit.page.locator("#talk").click()
        visit.until("a word about it", lambda: visit.notice)
        assert_open_to_all(visit)
        for width, height in ((320, 640), (740, 360)):
            visit.page.set_viewport_size({"width": width, "height": height})
            assert_open_by_day_and_night(visit)


def assert_open_by_day_and_night(visit: Visit) -> None:
    for scheme in SCHEMES:
        visit.page.emulate_media(color_scheme=scheme)
        assert_open_to_all(visit)


def add_axe(visit: Visit) -> None:
    visit.page.add_script_tag(
        content=files("axe_playwright_python").joinpath("axe.min.js").read_text()
    )


def assert_open_to_all(visit: Visit) -> None:
    """No violation in what is shown now; a failure tells each with its element."""
    visit.page.evaluate("Promise.allSettled(document.getAnimations().map(it => it.finished))")
    how = {"rules": {"target-size": {"enabled": True}}}
    found = visit.page.evaluate("how => axe.run(how)", how)
    told = [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert not told, "\n".join(told)
    assert found["passes"], "axe-core looked at nothing"
