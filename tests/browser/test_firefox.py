"""Firefox: the page loads, is open to all, and answers in writing.

Its sound is left out: without a sound card Firefox, unlike Chromium, starts no `AudioContext`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest

from tests.browser.conftest import CAPITAL, OPERATOR, House
from tests.browser.firefox import Firefox, open_firefox

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

ENTER = "\ue007"
VIOLATIONS = """
axe.run({ rules: { "target-size": { enabled: true } } }).then(({ violations, passes }) => ({
  passes: passes.length,
  violations: violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`)),
}))
"""


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with open_firefox(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


def assert_open_to_all(firefox: Firefox) -> None:
    firefox.run(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = firefox.evaluate(VIOLATIONS)
    assert found["violations"] == []
    assert found["passes"] > 0


def test_the_page_answers_in_writing(house: House, firefox: Firefox) -> None:
    firefox.visit(f"{house.url}/")
    firefox.until("ready", lambda: firefox.evaluate("window.vivavoce?.state") == "ready")
    assert_open_to_all(firefox)
    firefox.evaluate("document.querySelector('#box').focus()")
    firefox.press(CAPITAL + ENTER)

    def turns() -> list[dict[str, object]]:
        found: list[dict[str, object]] = firefox.evaluate("vivavoce.turns")
        return found

    firefox.until("an answer", lambda: len(turns()) > 1 and turns()[1]["final"])
    assert turns()[0]["text"] == CAPITAL
    assert "Paris" in str(turns()[1]["text"])
    assert_open_to_all(firefox)
    assert firefox.complaints == []


def test_the_kiosk_invites(house: House, firefox: Firefox) -> None:
    firefox.visit(f"{house.url}/kiosk")
    title = "document.querySelector('#title')?.textContent"
    firefox.until("its words", lambda: firefox.evaluate(title) == OPERATOR["VIVAVOCE_KIOSK_TITLE"])
    assert_open_to_all(firefox)
    assert firefox.complaints == []
