"""Headset buttons, and microphones and loudspeakers that are chosen, unplugged and plugged in."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Visit, visit_page
from tests.browser.conftest import CAPITAL, Clips, House

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

# What a test cannot do with its hands: press a headset's button, pull a plug.
HANDS = """
const { getUserMedia, enumerateDevices } = MediaDevices.prototype;
window.streams = [];
window.gone = new Set();
MediaDevices.prototype.getUserMedia = async function (how) {
  if (gone.has(how.audio.deviceId?.exact)) throw new DOMException("", "OverconstrainedError");
  const stream = await getUserMedia.call(this, how);
  streams.push(stream);
  return stream;
};
MediaDevices.prototype.enumerateDevices = async function () {
  return (await enumerateDevices.call(this)).filter(({ deviceId }) => !gone.has(deviceId));
};
window.microphone = () => streams.at(-1).getTracks()[0];
window.plug = (id, there) => {
  gone[there ? "delete" : "add"](id);
  const track = streams.length && microphone();
  if (!there && track && track.getSettings().deviceId === id) {
    track.stop();
    track.dispatchEvent(new Event("ended"));
  }
  navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
};
window.contexts = [];
window.AudioContext = class extends AudioContext {
  constructor(...given) {
    super(...given);
    contexts.push(this);
  }
};
window.keys = {};
const { setActionHandler } = MediaSession.prototype;
MediaSession.prototype.setActionHandler = function (action, run) {
  keys[action] = run;
  setActionHandler.call(this, action, run);
};
const { play } = HTMLMediaElement.prototype;
HTMLMediaElement.prototype.play = function () {
  window.player = this;
  return play.call(this);
};
"""


def choose(visit: Visit, name: str, number: int) -> str:
    """Choose a device in the settings, by its place in the list; returns its id."""
    visit.page.get_by_role("button", name="Settings").click()
    options = visit.page.locator(f"#{name} option")
    visit.until("devices are listed", lambda: options.count() > number)
    visit.page.locator(f"#{name}").select_option(index=number)
    chosen = visit.page.locator(f"#{name}").input_value()
    assert chosen
    visit.page.keyboard.press("Escape")
    return chosen


def test_a_headset_button_begins_to_talk_and_ends_it(
    house: House, asking: Browser, clips: Clips
) -> None:
    with visit_page(asking, house.url, script=HANDS) as visit:
        visit.page.get_by_role("button", name="Settings").click()
        switch = visit.page.get_by_label("Headset button talks")
        switch.check()
        visit.until(
            "the button is ours", lambda: visit.page.evaluate("!!keys.play && !!keys.pause")
        )
        visit.until("something plays", lambda: visit.page.evaluate("player && !player.paused"))
        visit.page.keyboard.press("Escape")

        visit.page.evaluate("keys.pause({ action: 'pause' })")
        visit.until_spoken(clips.capital_seconds)
        visit.page.evaluate("keys.play({ action: 'play' })")
        assert "capital of France" in visit.until_final(0)
        visit.until_heard(1, 0.3)
        assert visit.page.evaluate("!player.paused"), "the next press would be somebody else's"
        # Over a reply it is an interruption, as the round button is.
        visit.page.evaluate("keys.pause({ action: 'pause' })")
        visit.until("somebody talks", lambda: visit.state in ("listening", "hearing"))
        visit.page.evaluate("keys.play({ action: 'play' })")
        visit.until("nobody does", lambda: visit.state not in ("listening", "hearing"))

        visit.page.get_by_role("button", name="Settings").click()
        switch.uncheck()
        visit.until(
            "it is not ours any more", lambda: visit.page.evaluate("!keys.play && !keys.pause")
        )
        assert visit.page.evaluate("player.paused")


def test_a_microphone_is_chosen_and_another_goes_on_when_it_is_unplugged(
    house: House, silent: Browser
) -> None:
    with visit_page(silent, house.url, script=HANDS, permissions=["microphone"]) as visit:
        chosen = choose(visit, "microphone", 2)
        visit.page.get_by_label("Hands-free").check()
        visit.until_state("listening")
        assert visit.page.evaluate("microphone().getSettings().deviceId") == chosen
        visit.until_spoken(1.2)

        visit.page.evaluate("id => plug(id, false)", chosen)
        visit.until("another one was opened", lambda: visit.page.evaluate("streams.length") == 2)
        assert visit.page.evaluate("microphone().getSettings().deviceId") != chosen
        visit.until_spoken(0.5)
        assert visit.state == "listening"
        assert visit.notice == ""

        visit.page.get_by_role("button", name="Settings").click()
        listed = visit.page.locator("#microphone option")
        visit.until("it is not offered", lambda: listed.count() == 2)
        assert visit.page.locator("#microphone").input_value() == ""
        visit.page.evaluate("id => plug(id, true)", chosen)
        visit.until("it is offered again", lambda: listed.count() == 3)
        assert visit.page.locator("#microphone").input_value() == chosen


def test_the_last_microphone_is_missed(house: House, silent: Browser) -> None:
    with visit_page(silent, house.url, script=HANDS) as visit:
        visit.page.get_by_label("Hands-free").check()
        visit.until_state("listening")
        visit.until_spoken(1.2)
        visit.page.evaluate(
            """() => {
              MediaDevices.prototype.getUserMedia = async () => {
                throw new DOMException("", "NotFoundError");
              };
              plug(microphone().getSettings().deviceId, false);
            }"""
        )
        visit.until("words about it", lambda: "disconnected" in visit.notice)
        visit.until_state("ready")
        assert not visit.page.get_by_label("Hands-free").is_checked()


def test_a_loudspeaker_is_chosen_unplugged_and_plugged_in_again(
    house: House, silent: Browser
) -> None:
    with visit_page(silent, house.url, script=HANDS, permissions=["microphone"]) as visit:
        chosen = choose(visit, "speaker", 2)
        visit.write(CAPITAL)
        visit.until_heard(1, 0.3)
        sink = "contexts.at(-1).sinkId"
        visit.until("it sounds there", lambda: visit.page.evaluate(sink) == chosen)
        visit.page.evaluate("id => plug(id, false)", chosen)
        visit.until("it sounds elsewhere", lambda: visit.page.evaluate(sink) == "")
        visit.page.evaluate("id => plug(id, true)", chosen)
        visit.until("it sounds there again", lambda: visit.page.evaluate(sink) == chosen)


# A line that is dead and does not say so: what is asked of it never comes.
DEAD_LINE = """
window.dead = true;
const { addModule } = AudioWorklet.prototype;
AudioWorklet.prototype.addModule = function (...given) {
  return dead ? new Promise(() => {}) : addModule.apply(this, given);
};
"""


def test_sound_that_cannot_be_started_on_a_dead_line_starts_later(
    house: House, silent: Browser
) -> None:
    with visit_page(silent, house.url, script=DEAD_LINE) as visit:
        visit.write(CAPITAL)
        visit.until("words about it", lambda: "could not be started" in visit.notice)
        visit.until("it is answered", lambda: visit.events("response.done"))
        assert visit.turns[1]["playedSeconds"] == 0
        visit.page.evaluate("dead = false")
        visit.page.locator("#log").click()
        visit.until("played to its end", lambda: visit.turns[1]["played"])
        assert visit.notice == ""
