"""Host, Origin and the headers that bind the page."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from voice.app import create_app
from voice.guard import Guard
from voice.settings import Settings


def client(hosts: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> TestClient:
    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app = Starlette(
        routes=[Route("/", answer, methods=["GET", "POST"])],
        middleware=[Middleware(Guard, hosts=hosts, origins=origins)],
    )
    return TestClient(app, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"host": "localhost:8000"}, 200),
        ("GET", {"host": "LOCALHOST"}, 200),
        ("GET", {"host": "[::1]:8000"}, 200),
        ("GET", {"host": "evil.example"}, 400),
        ("GET", {"host": "127.0.0.1.evil.example"}, 400),
        ("GET", {"host": "[::1"}, 400),
        ("GET", {"origin": "http://evil.example"}, 200),
        ("POST", {}, 200),
        ("POST", {"origin": "http://127.0.0.1:8000"}, 200),
        ("POST", {"origin": "http://evil.example"}, 403),
        ("POST", {"origin": "http://localhost:8000"}, 403),
        ("POST", {"origin": "http://127.0.0.1:9000"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"origin": ""}, 403),
    ],
)
def test_who_may_talk(method: str, headers: dict[str, str], status: int) -> None:
    answer = client().request(method, "/", headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]["code"] in ("unknown_host", "bad_origin")


def test_settings_open_it_to_more() -> None:
    opened = client(hosts=("Kiosk.Local",), origins=("https://kiosk.local/",))
    headers = {"host": "kiosk.local", "origin": "https://kiosk.local"}
    assert opened.post("/", headers=headers).status_code == 200


def test_the_page_is_bound_and_served_whole() -> None:
    with TestClient(create_app(Settings()), base_url="http://127.0.0.1:8000") as page:
        answer = page.get("/")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        module, worker = page.get("/app.js").headers, page.get("/sw.js").headers
        assert module["content-type"].startswith("text/javascript")
        assert module["x-content-type-options"] == "nosniff"
        assert module["cross-origin-resource-policy"] == "same-origin"
        assert "content-security-policy" not in module
        assert "default-src 'none'" in worker["content-security-policy"]
        assert page.get("/__init__.py").status_code == 404
        assert page.get("/../pyproject.toml").status_code == 404
        assert page.get("/health").json() == {"status": "alive"}
