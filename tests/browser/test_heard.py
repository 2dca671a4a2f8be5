"""What the assistant remembers of an interrupted reply is what came out of the loudspeaker."""

from __future__ import annotations

import re

import jiwer
import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import STORY, House
from tests.browser.recorder import RECORDER, recorded, transcribe
from voice.audio import HEARD_RATE

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    window.sockets.push(this);
  }
};
"""
RETRIEVE = """(id) => sockets.at(-1).send(
  JSON.stringify({ type: "conversation.item.retrieve", item_id: id }))"""


def remembered(visit: Visit, item_id: str) -> str:
    """The item's text as the server has it."""
    visit.page.evaluate(RETRIEVE, item_id)
    kind = "conversation.item.retrieved"
    visit.until("the item came", lambda: visit.events(kind))
    return str(visit.events(kind)[-1]["item"]["content"][0]["transcript"])


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def test_the_heard_words_are_remembered_and_no_others(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url, script=SOCKETS + RECORDER, bypass_csp=True) as visit:
        visit.write(STORY)
        visit.until_heard(1, 4.0)
        visit.page.keyboard.press("Escape")
        visit.until("the reply stopped", lambda: visit.turns[1]["interrupted"])
        visit.until_state("ready")
        # Before the page is sent what it is to play again.
        sound = recorded(visit)
        sounded = words(transcribe(sound))
        done = visit.events("response.done")[0]["response"]
        memory = words(remembered(visit, done["output"][0]["id"]))
        made = words(
            "".join(e["delta"] for e in visit.events("response.output_audio_transcript.delta"))
        )
        assert memory == made[: len(memory)]
        assert len(memory) < len(made), "there was more to say"
        # Each gap begins with some milliseconds in which the last sample fades.
        cut = visit.events("conversation.item.truncated")[-1]["audio_end_ms"] / 1000
        fades = 0.01 * visit.fact("underruns")
        assert len(sound) / HEARD_RATE == pytest.approx(cut + fades / 2, abs=0.1 + fades / 2)
        # Recognition may make something of the piece of a word at the end.
        assert abs(len(memory) - len(sounded)) <= 1, f"{' '.join(memory)} | {' '.join(sounded)}"
        both = min(len(memory), len(sounded))
        assert jiwer.wer(" ".join(memory[:both]), " ".join(sounded[:both])) <= 0.2
