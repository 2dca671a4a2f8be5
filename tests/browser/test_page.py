"""A conversation in the page in all three ways: push-to-talk, hands-free, typed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Playwright

from tests.browser.chromium import Visit, open_chromium, visit_page
from tests.browser.conftest import CAPITAL, STORY, Clips, House
from tests.browser.recorder import RECORDER, recorded, transcribe

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

AUDIBLE = 0.05
"""A peak that silence and noise never have; replies have 0.3 and more."""
REPORTED_MS = 500
"""Of a reply's sound, between two of the page's reports of how far it is, and a report's way."""


def test_push_to_talk_is_heard_answered_and_interrupted(
    house: House, clips: Clips, playwright: Playwright
) -> None:
    with (
        open_chromium(playwright, clips.pressed) as browser,
        visit_page(browser, house.url) as visit,
    ):
        visit.press()
        visit.until_spoken(clips.story_seconds)
        visit.release()
        assert "story about a dragon" in visit.until_final(0)
        visit.until_heard(1, 1.0)
        assert visit.fact("peak") > AUDIBLE

        visit.press()
        visit.until("the first reply stopped", lambda: visit.turns[1]["interrupted"])
        # Wherever in the recording this begins, it holds the question once as a whole.
        visit.until_spoken(2 * clips.name_seconds)
        visit.release()
        assert "your name" in visit.until_final(2)
        visit.until_heard(3, 0.5)
        assert [turn["role"] for turn in visit.turns] == ["user", "assistant"] * 2
        assert_stopped_where_heard(visit)
        truncated = visit.events("conversation.item.truncated")
        assert [event["audio_end_ms"] / 1000 for event in truncated] == [
            visit.turns[1]["playedSeconds"]
        ]


def test_hands_free_is_heard_and_answered(house: House, asking: Browser) -> None:
    with visit_page(asking, house.url) as visit:
        visit.page.get_by_label("Hands-free").check()
        assert visit.until_final(0) == CAPITAL
        visit.until("played to its end", lambda: len(visit.turns) > 1 and visit.turns[1]["played"])
        assert "Paris" in visit.turns[1]["text"]
        assert visit.fact("peak") > AUDIBLE
        visit.until_state("listening")


def test_hands_free_is_heard_answered_and_interrupted(
    house: House, clips: Clips, playwright: Playwright
) -> None:
    with (
        open_chromium(playwright, clips.free) as browser,
        visit_page(browser, house.url) as visit,
    ):
        visit.page.get_by_label("Hands-free").check()
        visit.until_state("listening")
        assert "story about a dragon" in visit.until_final(0)
        visit.until_heard(1, 1.0)
        assert visit.fact("peak") > AUDIBLE

        # Whoever says "I see" is told on.
        started = "input_audio_buffer.speech_started"
        visit.until("both were noticed", lambda: len(visit.events(started)) == 3)
        at = visit.turns[1]["playedSeconds"]
        visit.until_heard(1, at + 2.0)
        assert not visit.turns[1]["interrupted"]
        assert len(visit.events("input_audio_buffer.committed")) == 1

        visit.until("the first reply stopped", lambda: visit.turns[1]["interrupted"])
        assert "your name" in visit.until_final(2)
        heard = visit.turns[1]["playedSeconds"]
        visit.until_heard(3, 0.5)
        assert visit.turns[1]["playedSeconds"] == heard, "the first reply went on"
        assert [turn["role"] for turn in visit.turns] == ["user", "assistant"] * 2
        assert_stopped_where_heard(visit)
        first = visit.events("response.done")[0]["response"]
        assert first["status_details"]["reason"] == "turn_detected"
        assert len(visit.events("input_audio_buffer.committed")) == 2


def test_typed_is_answered_and_interrupted(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        visit.write(STORY)
        assert visit.until_final(0) == STORY
        visit.until_heard(1, 1.0)
        assert visit.fact("peak") > AUDIBLE

        visit.write(CAPITAL)
        visit.until("the first reply stopped", lambda: visit.turns[1]["interrupted"])
        visit.until("the second played to its end", lambda: visit.turns[-1]["played"])
        assert [turn["role"] for turn in visit.turns] == ["user", "assistant"] * 2
        assert_stopped_where_heard(visit)
        assert not visit.turns[3]["interrupted"]
        assert visit.state == "ready"
        assert not any(event["type"] == "audio" for event in visit.sent), "nobody pressed anything"


def assert_stopped_where_heard(visit: Visit) -> None:
    """Of the first reply the page shows what was heard, and says that it was interrupted."""
    first = visit.page.locator("#log .assistant p").first
    mark = first.locator(".mark").inner_text()
    assert mark == "interrupted"
    shown = first.inner_text().removesuffix(mark).strip()
    assert shown
    assert visit.turns[1]["text"].startswith(shown)
    # Where synthesis had fallen behind, all there was of it may have sounded, but before the stop.
    stopped = next(at for at, line in enumerate(visit.log) if '"type": "response.done"' in line)
    item = visit.events("response.output_item.added")[0]["item"]["id"]
    before, after = (
        [
            int(line.split('"audio_end_ms": ')[1].split(",")[0])
            for line in lines
            if "buffer.played" in line and item in line
        ]
        for lines in (visit.log[:stopped], visit.log[stopped:])
    )
    assert max(after, default=0) <= max(before) + REPORTED_MS, "it sounded on"
    assert '"status": "cancelled"' in visit.log[stopped]


def test_what_sounds_is_what_is_written(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url, script=RECORDER, bypass_csp=True) as visit:
        visit.write(CAPITAL)
        visit.until("played to its end", lambda: len(visit.turns) > 1 and visit.turns[1]["played"])
        assert "Paris" in visit.turns[1]["text"]
        transcript = transcribe(recorded(visit))
        assert "capital of france" in transcript.lower()
        assert "paris" in transcript.lower()


def test_replies_may_be_written_only(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        visit.page.get_by_label("Speak replies").uncheck()
        visit.write(CAPITAL)
        assert "Paris" in visit.until_final(1)
        assert visit.fact("playedSeconds") == 0
        assert not any(event["type"] == "audio" for event in visit.received)

        visit.page.reload()
        visit.until_running()
        visit.until_state("ready")
        assert not visit.page.get_by_label("Speak replies").is_checked()
        visit.until("the conversation is there again", lambda: len(visit.turns) == 2)
        visit.page.get_by_label("Speak replies").check()
        visit.write(CAPITAL)
        visit.until_heard(3, 0.5)


def test_another_voice_can_be_chosen(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        visit.page.get_by_role("button", name="Settings").click()
        visit.page.get_by_label("Voice").select_option("bf_emma")
        visit.page.keyboard.press("Escape")
        visit.write("Hello!")
        visit.until_heard(1, 0.3)
        updated = visit.events("session.updated")[-1]["session"]
        assert updated["audio"]["output"]["voice"] == "bf_emma"
