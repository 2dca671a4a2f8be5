"""Opus between the page and the server: used where the browser has it, and to the sample exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import CAPITAL, Clips, House
from tests.test_opus import FILTERED, shift, speechlike
from voice.audio import SPOKEN_RATE

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]


def kinds(events: list[dict[str, Any]]) -> set[str]:
    return {event["kind"] for event in events if event["type"] == "audio"}


def kilobits(events: list[dict[str, Any]]) -> float:
    """A second of its sound takes so much of the line."""
    audio = [event for event in events if event["type"] == "audio"]
    seconds = sum(event["seconds"] for event in audio)
    return float(sum(event["bytes"] for event in audio) * 8 / seconds / 1000)


def ask(visit: Visit, clips: Clips) -> None:
    """Say what the microphone hears, and hear the answer to its end."""
    visit.press()
    visit.until_spoken(clips.capital_seconds)
    visit.release()
    assert "capital of France" in visit.until_final(0)
    visit.until("played to its end", lambda: len(visit.turns) > 1 and visit.turns[1]["played"])
    assert "Paris" in visit.turns[1]["text"], visit.story()
    received = sum(event["seconds"] for event in visit.received if event["type"] == "audio")
    assert visit.turns[1]["playedSeconds"] == pytest.approx(received, abs=0.002)
    assert visit.events("error") == []


def test_question_and_answer_travel_as_opus_until_it_is_switched_off(
    house: House, asking: Browser, clips: Clips
) -> None:
    with visit_page(asking, house.url) as visit:
        ask(visit, clips)
        assert kinds(visit.sent) == kinds(visit.received) == {"opus"}
        for events in (visit.sent, visit.received):
            assert kilobits(events) < 48

        visit.page.get_by_role("button", name="Settings").click()
        visit.page.get_by_label("Compress sound").uncheck()
        visit.page.keyboard.press("Escape")
        before = len(visit.received)
        visit.write(CAPITAL)
        visit.until_heard(3, 0.5)
        assert kinds(visit.received[before:]) == {"pcm"}


@pytest.mark.parametrize("missing", ["AudioEncoder", "AudioDecoder"])
def test_without_a_codec_sound_travels_as_samples(
    house: House, asking: Browser, clips: Clips, missing: str
) -> None:
    with visit_page(asking, house.url, script=f"delete window.{missing};") as visit:
        if missing == "AudioDecoder":
            visit.write(CAPITAL)
            visit.until_heard(1, 0.5)
        else:
            ask(visit, clips)
            assert kinds(visit.sent) == {"pcm"}
        assert kinds(visit.received) == {"pcm"}


THERE_AND_BACK = """async (samples) => {
  const { createOpusDecoder, createOpusEncoder } = await import("/opus-codec.js");
  const heard = [];
  const onFail = (error) => heard.push(String(error));
  const decoder = createOpusDecoder({ onSamples: (_, some) => heard.push(...some), onFail });
  const encoder = createOpusEncoder({ onPiece: (piece) => decoder.decode("it", piece), onFail });
  for (let at = 0; at < samples.length; at += 480)
    encoder.encode(Int16Array.from(samples.slice(at, at + 480)));
  await encoder.flush();
  await decoder.after(() => {});
  return heard;
}"""


def test_every_sample_comes_back_in_its_place(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url) as visit:
        sound = speechlike(SPOKEN_RATE + 77)
        given = np.rint(sound * 32_767).astype(int).tolist()
        heard = np.array(visit.page.evaluate(THERE_AND_BACK, given), np.float32) / 32_768
        assert len(heard) == len(sound)
        assert abs(shift(sound, np.repeat(heard, 2))) <= FILTERED
        assert np.corrcoef(sound, heard)[0, 1] > 0.9
