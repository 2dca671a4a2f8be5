"""The kiosk's side of the server, and the page's files as they are served."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from voice.app import create_app
from voice.pins import hash_pin, is_hash, pin_is_right
from voice.rest import kiosk
from voice.sections import KioskSettings
from voice.settings import Settings

URL = "http://127.0.0.1:8000"


def open_http(**chosen: object) -> TestClient:
    section = KioskSettings.model_validate(chosen)
    return TestClient(create_app(Settings(kiosk=section)), base_url=URL)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """What kiosks have told and operators tried is kept for the whole process."""
    kiosk._kiosks._seen.clear()
    kiosk._attempts.clear()


def alive(http: TestClient, state: str) -> float:
    lines = http.get("/metrics").text.splitlines()
    name = f'vivavoce_kiosks{{state="{state}"}} '
    return float(next(line for line in lines if line.startswith(name)).removeprefix(name))


def test_the_page_is_told_what_the_operator_has_set_and_no_hash() -> None:
    kept = hash_pin("1234")
    http = open_http(title="Ask us", idle_seconds=20, languages=["de"], pin_hash=kept)
    told = http.get("/v1/kiosk")
    assert told.headers["cache-control"] == "no-store"
    shown = told.json()
    assert (shown["title"], shown["idle_seconds"], shown["languages"]) == ("Ask us", 20, ["de"])
    assert shown["locked"] is True
    assert kept not in told.text
    assert "pin" not in told.text
    assert open_http().get("/v1/kiosk").json()["locked"] is False
    assert len(shown["version"]) == 16


def test_a_pin_that_is_no_hash_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match=r"voice\.pins"):
        KioskSettings.model_validate({"pin_hash": "1234"})
    assert is_hash(hash_pin("1234"))
    assert hash_pin("1234") != hash_pin("1234"), "salted"
    assert pin_is_right("1234", hash_pin("1234"))
    assert not pin_is_right("", hash_pin("1234"))


def test_the_operator_leaves_with_the_pin_and_nobody_guesses_it() -> None:
    http = open_http(pin_hash=hash_pin("1234"))
    statuses = [http.post("/v1/kiosk/exit", json={"pin": pin}).status_code for pin in "0123"]
    assert statuses == [403] * 4
    assert http.post("/v1/kiosk/exit", json={"pin": "1234"}).json() == {"left": True}
    statuses = [http.post("/v1/kiosk/exit", json={"pin": "0"}).status_code for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    refused = http.post("/v1/kiosk/exit", json={"pin": "1234"})
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "too_many_attempts"


def test_without_a_pin_the_gesture_is_enough() -> None:
    assert open_http().post("/v1/kiosk/exit", json={}).json() == {"left": True}


def test_metrics_show_which_kiosks_live(monkeypatch: pytest.MonkeyPatch) -> None:
    http = open_http()
    for name, state in (("a", "attract"), ("b", "attract"), ("a", "talking")):
        told = http.post("/v1/kiosk/beat", json={"id": name, "state": state})
        assert told.json() == {"alive": True}
    assert (alive(http, "attract"), alive(http, "talking")) == (1, 1)
    now = kiosk.time.perf_counter()
    monkeypatch.setattr(kiosk.time, "perf_counter", lambda: now + kiosk.ALIVE_SECONDS + 1)
    assert (alive(http, "attract"), alive(http, "talking")) == (0, 0)


@pytest.mark.parametrize(
    "beat", [{}, {"id": "", "state": "attract"}, {"id": "x", "state": "happy"}, {"id": "x" * 65}]
)
def test_a_beat_that_is_none_is_refused(beat: dict[str, str]) -> None:
    assert open_http().post("/v1/kiosk/beat", json=beat).status_code == 400


def test_not_more_kiosks_are_remembered_than_a_house_has() -> None:
    http = open_http()
    for number in range(kiosk.MOST_KIOSKS + 5):
        kiosk._kiosks.beat(kiosk.Beat(id=str(number), state="attract"))
    assert alive(http, "attract") == kiosk.MOST_KIOSKS


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/kiosk", "text/html"),
        ("/app.js", "text/javascript"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/sw.js", "text/javascript"),
        ("/icons/icon-192.png", "image/png"),
    ],
)
def test_the_page_is_served_with_its_kinds_and_never_old(path: str, kind: str) -> None:
    answer = open_http().get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["cache-control"] == "no-cache"
    if kind != "image/png":
        assert answer.headers["content-encoding"] == "gzip"
    assert open_http().get(path, headers={"accept-encoding": ""}).content == answer.content
