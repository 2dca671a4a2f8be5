"""The page of a server that wants keys: it signs in once and gets a cookie nobody else can use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from voice import guard
from voice.app import create_app
from voice.guard import COOKIE
from voice.keys import Keys
from voice.settings import Settings

ROUTE = "/v1/browser_session"
HOST = "127.0.0.1:8000"
OWN = {"origin": f"http://{HOST}"}
REALTIME = f"ws://{HOST}/v1/realtime"


class Visitor:
    """A browser on the page of a server for which one key was made."""

    def __init__(self, http: TestClient, keys: Keys) -> None:
        self.http = http
        self.keys = keys
        self.key, self.text = keys.create("page", ["realtime", "models"])

    def sign_in(self, text: str = "", **headers: str) -> Any:
        shown = {"authorization": f"Bearer {text or self.text}"}
        return self.http.post(ROUTE, headers={**OWN, **shown, **headers})

    def status(self, path: str = ROUTE, **headers: str) -> int:
        return int(self.http.get(path, headers=headers).status_code)

    def socket_status(self, **headers: str) -> int:
        """101, or the status of the refusal (0: it was closed before it was accepted)."""
        try:
            with self.http.websocket_connect(REALTIME, headers=headers):
                return 101
        except WebSocketDenialResponse as refused:
            return int(refused.status_code)
        except WebSocketDisconnect:
            return 0


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    app = create_app(Settings(data_dir=tmp_path, allowed_origins=("http://friend.example",)))
    # No lifespan: the models play no part in who is let in.
    yield Visitor(TestClient(app, base_url=f"http://{HOST}"), Keys(tmp_path / "keys.json"))


def test_the_page_signs_in_and_out(visitor: Visitor) -> None:
    assert visitor.status() == 401
    assert visitor.socket_status(**OWN) == 401
    assert visitor.sign_in().json() == {"signed_in": True}
    assert visitor.http.get(ROUTE).json() == {"signed_in": True}
    assert visitor.socket_status(**OWN) == 101
    assert visitor.http.delete(ROUTE, headers=OWN).json() == {"signed_in": False}
    assert COOKIE not in visitor.http.cookies
    assert visitor.status() == 401
    assert visitor.socket_status(**OWN) == 401


def test_the_cookie_is_not_the_key_and_hidden_from_scripts(visitor: Visitor) -> None:
    given = visitor.sign_in().headers["set-cookie"]
    value, *attributes = given.split("; ")
    assert value.startswith(f"{COOKIE}=")
    assert visitor.text not in given
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    assert "Secure" not in attributes, "a browser would not keep it on http"
    cookie = visitor.http.cookies[COOKIE]
    assert visitor.sign_in(cookie).status_code == 401, "as a key it is worth nothing"
    held = visitor.http.app.state.service.door.browsers._known  # type: ignore[attr-defined]
    assert cookie not in repr(held)


def test_on_a_secure_page_the_cookie_is_for_secure_pages(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, allowed_origins=(f"https://{HOST}",))
    visitor = Visitor(
        TestClient(create_app(settings), base_url=f"http://{HOST}"), Keys(tmp_path / "keys.json")
    )
    proxied = visitor.sign_in(origin=f"https://{HOST}")
    assert "; Secure" in proxied.headers["set-cookie"]


@pytest.mark.parametrize(
    "foreign",
    [
        "http://127.0.0.1:3000",
        "http://localhost:8000",
        "http://evil.example",
        "http://[",
        "null",
        "",
    ],
)
def test_no_other_page_can_use_the_cookie(visitor: Visitor, foreign: str) -> None:
    visitor.sign_in()
    assert visitor.socket_status(origin=foreign) == 0
    assert visitor.http.delete(ROUTE, headers={"origin": foreign}).status_code == 403
    assert visitor.status(origin=foreign) == 401
    assert visitor.status() == 200, "nobody was signed out"


def test_an_origin_that_may_connect_has_to_bring_a_key_of_its_own(visitor: Visitor) -> None:
    visitor.sign_in()
    friend = {"origin": "http://friend.example"}
    assert visitor.socket_status(**friend) == 401
    assert visitor.socket_status(**friend, authorization=f"Bearer {visitor.text}") == 101
    assert visitor.http.delete(ROUTE, headers=friend).status_code == 401


def test_the_cookie_needs_a_word_of_where_the_request_comes_from(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.socket_status() == 401, "every browser sends an Origin with a WebSocket"
    assert visitor.http.delete(ROUTE).status_code == 401
    for site, status in [("same-origin", 200), ("same-site", 401), ("cross-site", 401)]:
        assert visitor.status(**{"sec-fetch-site": site}) == status


def test_a_bad_key_gives_no_cookie(visitor: Visitor) -> None:
    _, narrow = visitor.keys.create("reader", ["models"])
    for text, status, code in [
        (visitor.text + "x", 401, "invalid_api_key"),
        ("ek_wrong", 401, "invalid_api_key"),
        (narrow, 403, "missing_scope"),
    ]:
        refused = visitor.sign_in(text)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
        assert "set-cookie" not in refused.headers
    assert visitor.http.post(ROUTE, headers=OWN).json()["error"]["code"] == "missing_api_key"


def test_a_client_secret_gives_no_cookie(visitor: Visitor) -> None:
    headers = {"authorization": f"Bearer {visitor.text}"}
    secret = visitor.http.post("/v1/realtime/client_secrets", headers=headers, json={}).json()
    refused = visitor.sign_in(secret["value"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "missing_scope")
    assert "set-cookie" not in refused.headers


def test_the_cookie_is_good_for_what_the_key_is_good_for(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.status("/v1/voices") == 503, "let in; no models are loaded here"
    assert visitor.status("/metrics") == 403
    visitor.keys.revoke(visitor.key.id)
    assert visitor.status("/v1/voices") == 401


@pytest.mark.parametrize("how", ["sign out", "revoke"])
def test_open_conversations_end_with_the_session(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(guard, "STILL_GOOD_SECONDS", 0.02)
    visitor.sign_in()
    door = visitor.http.app.state.service.door  # type: ignore[attr-defined]
    credential = door.admit(None, "realtime", visitor.http.cookies[COOKIE])
    assert door.stands(credential)
    if how == "sign out":
        visitor.http.delete(ROUTE, headers=OWN)
    else:
        visitor.keys.revoke(visitor.key.id)
    assert not door.stands(credential)


def test_a_server_without_keys_gives_none(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    http = TestClient(app, base_url=f"http://{HOST}")
    assert http.get(ROUTE).json() == {"signed_in": False}
    answer = http.post(ROUTE, headers={**OWN, "authorization": "Bearer whatever"})
    assert answer.json() == {"signed_in": False}
    assert "set-cookie" not in answer.headers
