"""Tools in the text chat, and the sound of old turns, with a server that has tools and records."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator

from bench.serving import Server, start_server, stop_server
from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import STEADY
from tests.browser.test_controls import add_axe, assert_open_to_all
from tests.clients.chat_server import answering
from tests.tools.test_mcp import PROGRAM

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

ENVIRONMENT = "NOTES_SECRET"
"""The name of a variable, which the tool that is called tells."""
FILE = """
[providers.rules]
kind = "openai-compatible"
base_url = "{url}"
model = "rules"

[mcp.notes]
command = {command}
pass_env = ["{environment}"]
tools = {{ add = "never", "long.text" = "never", fail = "never", leave = "never", sleep = "never" }}
"""
WRITTEN = {"mode": "text", "speakReplies": False}
SPOKEN = {"mode": "text", "speakReplies": True}


@pytest.fixture(scope="module")
def equipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("equipped")
    with answering() as url:
        command = json.dumps([sys.executable, PROGRAM[1]])
        file = folder / "providers.toml"
        file.write_text(FILE.format(url=url, command=command, environment=ENVIRONMENT))
        own: dict[str, Any] = {
            "VIVAVOCE_PROVIDERS_FILE": str(file),
            "VIVAVOCE_STORAGE_RECORDINGS": "true",
            ENVIRONMENT: "hidden",
            **STEADY,
        }
        running = start_server(folder / "log", **own)
        yield running
        stop_server(running)


def settings(**chosen: object) -> str:
    return f"localStorage['vivavoce.settings'] = {json.dumps(json.dumps(chosen))}"


def call(visit: Visit) -> Locator:
    """The newest tool call on the page."""
    return visit.page.locator("#log .calls > li").last


def test_a_tool_is_asked_for_used_and_told(
    equipped: Server, silent: Browser, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"script": settings(**WRITTEN), "bypass_csp": True}
    with visit_page(silent, equipped.url, **how) as visit:
        page = visit.page
        page.locator("#attach").wait_for()
        visit.write("Which variables do you see?")
        question = page.get_by_role("group", name="“notes: environment”")
        question.wait_for()
        visit.until(
            "it is read out",
            lambda: "notes: environment" in page.locator("#announcer").inner_text(),
        )
        add_axe(visit)
        assert_open_to_all(visit)

        # Whoever comes back is asked still.
        page.reload()
        question.wait_for()
        once = question.get_by_role("button", name="Allow once")
        once.focus()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Always allow"
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        visit.until("an answer", lambda: visit.turns[-1]["final"] and visit.turns[-1]["text"])
        assert visit.turns[-1]["text"].strip() == f"I looked it up. {ENVIRONMENT}"
        visit.until("it was used", lambda: call(visit).inner_text().endswith("was used"))
        output = call(visit).locator("pre").last
        assert not output.is_visible()
        visit.until(
            "who has answered stays there",
            lambda: page.evaluate("document.activeElement.localName") == "summary",
        )
        page.keyboard.press("Enter")
        visit.until("the result", lambda: output.inner_text() == ENVIRONMENT)
        add_axe(visit)
        assert_open_to_all(visit)

        visit.write("And once more?")
        question.get_by_role("button", name="Not this time").click()
        visit.until("it was not", lambda: call(visit).inner_text().endswith("did not work"))
        visit.until("an answer all the same", lambda: len(visit.turns) == 4)
        visit.until("its end", lambda: visit.turns[-1]["final"])

        # What is decided for ever is not asked again, and is there after all this in another page.
        visit.write("And for ever?")
        question.get_by_role("button", name="Always allow").click()
        visit.until("the third", lambda: len(visit.turns) == 6 and visit.turns[-1]["final"])
        visit.write("A last time?")
        visit.until("the fourth", lambda: len(visit.turns) == 8 and visit.turns[-1]["final"])
        address = page.url
        with visit_page(silent, address, script=settings(**WRITTEN)) as other:
            other.until("all of it", lambda: len(other.turns) == 8)
            states = other.page.locator("#log .calls .state").all_inner_texts()
            assert states == ["was used", "did not work", "was used", "was used"]


def test_what_was_recorded_is_played_again(equipped: Server, silent: Browser) -> None:
    with visit_page(silent, equipped.url, script=settings(**SPOKEN)) as visit:
        page = visit.page
        visit.write("Good morning.")
        visit.until("it was heard", lambda: len(visit.turns) == 2 and visit.turns[-1]["played"])
        visit.until("it is kept", lambda: "#c=" in page.url)
        again = page.locator("#log .assistant").get_by_role("button", name="Play again")
        page.reload()
        visit.until_running()
        visit.until("it is there", lambda: len(visit.turns) == 2)
        visit.until_state("ready")
        with page.expect_response("**/audio") as got:
            again.click()
        assert (got.value.status, got.value.headers["content-type"]) == (200, "audio/flac")
        visit.until_state("speaking")
        visit.until_state("ready")
