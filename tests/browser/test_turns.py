"""What can be done with a turn, and the commands of the page."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import CAPITAL, STORY, Clips, House
from tests.browser.test_languages import KEEP_LINE

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]


def act(visit: Visit, turn: int, name: str) -> None:
    """Press the button `name` under a turn."""
    visit.page.locator("#log .item").nth(turn).get_by_role("button", name=name).click()


def until_played(visit: Visit, turn: int) -> None:
    visit.until(
        f"turn {turn} played", lambda: len(visit.turns) > turn and visit.turns[turn]["played"]
    )


@pytest.mark.long
def test_a_spoken_turn_can_be_heard_again_changed_and_answered_again(
    house: House, asking: Browser, clips: Clips
) -> None:
    how = {"permissions": ["clipboard-read", "clipboard-write"]}
    with visit_page(asking, house.url, **how) as visit:
        visit.page.keyboard.down("Space")
        visit.until_spoken(clips.capital_seconds)
        visit.page.keyboard.up("Space")
        visit.until("a word marked as it sounds", lambda: visit.page.locator(".now").count())
        until_played(visit, 1)
        assert visit.page.locator(".now").count() == 0

        answer = visit.page.locator("#log .assistant")
        answer.locator("summary").click()
        assert "From your last word to the first sound" in answer.locator("dl").inner_text()
        stages = visit.events("response.timings")[0]["stages"]
        assert answer.locator("dt").count() == len(stages)

        act(visit, 1, "Copy")
        visit.until("it is said", lambda: visit.notice == "Copied")
        assert visit.page.evaluate("navigator.clipboard.readText()") == visit.turns[1]["text"]

        reported = len([event for event in visit.sent if event["type"].endswith("played")])
        for turn in (0, 1):
            act(visit, turn, "Play again")
            visit.until_state("speaking")
            visit.until_state("ready")
        assert len([e for e in visit.sent if e["type"].endswith("played")]) == reported

        act(visit, 1, "Answer again")
        visit.until("another answer", lambda: len(visit.events("response.done")) == 2)
        until_played(visit, 1)
        assert len(visit.turns) == 2

        act(visit, 0, "Edit and send again")
        visit.page.get_by_label("Your message").fill("What is the capital of Italy?")
        visit.page.keyboard.press("Enter")
        visit.until("the new question", lambda: "Italy" in visit.turns[0]["text"])
        visit.until_final(1)
        assert [turn["role"] for turn in visit.turns] == ["user", "assistant"]
        assert "Rome" in visit.turns[1]["text"], visit.story()
        assert visit.events("error") == []


def test_the_palette_finds_and_does(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        page = visit.page
        page.locator("#box").focus()
        page.keyboard.press("Control+k")
        box = page.get_by_role("combobox", name="Commands")
        box.wait_for()
        page.keyboard.type("dark")
        assert page.get_by_role("option").all_inner_texts() == ["Theme: Dark"]
        page.keyboard.press("Enter")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate("document.activeElement.id") == "box", "the focus is where it was"

        page.keyboard.press("Control+k")
        box.wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        visit.until("text", lambda: visit.fact("mode") == "text")
        page.keyboard.press("Control+k")
        box.wait_for()
        page.keyboard.press("Escape")
        assert not page.locator("#palette").is_visible()


def test_the_three_ways_are_one_conversation(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        page = visit.page
        page.get_by_label("Text", exact=True).check()
        visit.write(CAPITAL)
        assert "Paris" in visit.until_final(1)
        page.get_by_label("Hands-free").check()
        visit.until_state("listening", "speaking")
        visit.until_state("listening")
        page.get_by_role("button", name="Mute").click()
        visit.until_state("muted")
        sent = visit.spoken_seconds
        page.get_by_role("button", name="Listen again").click()
        visit.until_state("listening")
        visit.until("it is heard again", lambda: visit.spoken_seconds > sent)
        page.get_by_label("Text", exact=True).check()
        visit.until_state("ready")
        page.wait_for_timeout(100)
        sent = visit.spoken_seconds
        visit.write("And of Italy?")
        visit.until_heard(3, 0.3)
        page.keyboard.press("Escape")
        assert visit.spoken_seconds == sent, "the microphone is closed"
        assert len(visit.turns) == 4
        page.locator("#clear").click()
        visit.until("nothing is left", lambda: visit.turns == [])
        assert visit.events("error") == []


def test_the_round_button_beside_the_box_stops_the_reply(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        visit.page.get_by_label("Text", exact=True).check()
        visit.write(STORY)
        visit.until_heard(1, 0.5)
        visit.page.get_by_role("button", name="Stop", exact=True).click()
        visit.until("it stopped", lambda: visit.turns[1]["interrupted"])
        assert visit.page.locator("#log .mark").inner_text() == "interrupted"


def test_what_the_server_has_rendered_is_shown_and_nothing_runs(
    house: House, silent: Browser
) -> None:
    html = (
        "<p>So: <b>this</b></p><img src=x onerror='window.ran = 1'><script>window.ran = 2</script>"
        "<pre><code><span class='k'>def</span> f(): pass</code></pre>"
    )
    with visit_page(silent, house.url, script=KEEP_LINE, quiet=False) as visit:
        rendered = "conversation.item.rendered"
        visit.write(CAPITAL)
        until_played(visit, 1)
        visit.until("it is done", lambda: visit.events("response.output_item.done"))
        item = visit.events("response.output_item.done")[0]["item"]["id"]
        event = {"type": rendered, "item_id": item, "html": html}
        visit.page.evaluate("text => line.onmessage({ data: text })", json.dumps(event))
        rich = visit.page.locator("#log .rich")
        assert rich.locator("b").inner_text() == "this"
        assert rich.get_by_role("button", name="Copy").count() == 1
        visit.page.wait_for_timeout(200)
        assert visit.page.evaluate("window.ran") is None


def test_the_wake_phrase_comes_first(house: House, asking: Browser, clips: Clips) -> None:
    with visit_page(asking, house.url, script=KEEP_LINE) as visit:
        page = visit.page
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("Wake phrase").fill("Hey Viva")
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        page.get_by_label("Hands-free").check()
        visit.until_state("asleep")
        completed = "conversation.item.input_audio_transcription.completed"
        visit.until("the question was understood", lambda: visit.events(completed))
        deleted = "conversation.item.deleted"
        visit.until("and forgotten", lambda: visit.events(deleted))
        assert visit.turns == []
        assert visit.events("response.created") == []
        assert page.locator("#phase").inner_text() == "Waiting for “Hey Viva”"
