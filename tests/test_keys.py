"""API keys and client secrets: kept hashed, revoked at once, asked for where they are wanted."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from voice import guard
from voice.cli import main
from voice.errors import ConfigError, Overloaded, VoiceError
from voice.guard import KEY_SUBPROTOCOL, Guard
from voice.keys import SCOPES, Door, Keys, client_secret
from voice.passes import Passes


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "data" / "keys.json")


# --- the file


def test_a_key_is_found_by_its_text_which_is_nowhere_kept(keys: Keys, tmp_path: Path) -> None:
    key, text = keys.create("kiosk", ["audio", "chat"])
    assert text.startswith("vv_")
    assert keys.find(text) == key
    assert keys.find(text + "x") is None
    assert keys.find("") is None
    path = tmp_path / "data" / "keys.json"
    assert text not in path.read_text()
    assert text.removeprefix("vv_") not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".keys-")] == []


def test_keys_differ_and_are_long(keys: Keys) -> None:
    texts = {keys.create("x", ["chat"])[1] for _ in range(20)}
    assert len(texts) == 20
    assert all(len(text) >= 3 + 43 for text in texts)


def test_another_process_sees_a_key_and_its_end_at_once(keys: Keys, tmp_path: Path) -> None:
    key, text = keys.create("kiosk", ["audio"])
    serving = Keys(tmp_path / "data" / "keys.json")
    assert serving.find(text) == key
    keys.revoke(key.id)
    assert serving.find(text) is None
    assert not serving.stands(key.id)
    later, other = keys.create("another", ["audio"])
    assert serving.find(other) == later
    assert keys.revoke(key.id).revoked == serving.all()[0].revoked


def test_what_cannot_be_is_refused(keys: Keys) -> None:
    with pytest.raises(ConfigError, match="no such scope"):
        keys.create("x", ["everything"])
    with pytest.raises(ConfigError, match="no such scope"):
        keys.create("x", [])
    with pytest.raises(ConfigError, match="there is no key"):
        keys.revoke("key_000000000000")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"keys": [{"id": "x"}]}', '{"keys": 3}'])
def test_a_damaged_file_does_not_open_the_server(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    door = Door(Keys(path))
    with pytest.raises(ConfigError, match="damaged"):
        door.admit("anything", "chat")
    assert locked(door).get("/v1/chat/x").status_code == 503


# --- client secrets


def test_a_client_secret_ends() -> None:
    now = 0.0
    secrets = Passes("ek_", clock=lambda: now)
    text = secrets.mint(client_secret(session={"some": "session"}), seconds=10)
    assert text.startswith("ek_")
    found = secrets.find(text)
    assert found is not None
    assert found.session == {"some": "session"}
    assert found.ephemeral
    now = 9.9
    assert secrets.find(text) is not None
    now = 10.0
    assert secrets.find(text) is None


def test_there_is_an_end_to_client_secrets_at_a_time() -> None:
    now = 0.0
    secrets = Passes("ek_", capacity=2, clock=lambda: now)
    secrets.mint(client_secret(), seconds=10)
    secrets.mint(client_secret(), seconds=20)
    with pytest.raises(Overloaded):
        secrets.mint(client_secret(), seconds=10)
    now = 15.0
    assert secrets.find(secrets.mint(client_secret(), seconds=10)) is not None


def test_a_client_secret_dies_with_the_key_that_made_it(keys: Keys) -> None:
    key, _ = keys.create("web", ["realtime"])
    door = Door(keys)
    text = door.secrets.mint(client_secret(key.id), seconds=60)
    assert door.admit(text, "realtime").key_id == key.id
    keys.revoke(key.id)
    assert code_of(door, text, "realtime") == "invalid_api_key"


# --- the door


def code_of(door: Door, text: str | None, scope: str | None) -> str:
    try:
        door.admit(text, scope)
    except VoiceError as error:
        return error.code
    return ""


def test_a_server_without_keys_is_open_to_any_or_none(keys: Keys) -> None:
    door = Door(keys)
    for text in (None, "", "unused", "sk-something"):
        assert code_of(door, text, "chat") == ""
    assert code_of(door, "ek_wrong", "realtime") == "invalid_api_key"
    secret = door.secrets.mint(client_secret(), seconds=60)
    assert code_of(door, secret, "realtime") == ""
    before = door.admit(None, "realtime")
    keys.create("first", ["chat"])
    assert not door.stands(before), "who came in without a key may not stay"
    assert code_of(door, secret, "realtime") == "invalid_api_key"


def test_a_server_with_keys_asks_for_them_also_when_all_are_revoked(keys: Keys) -> None:
    key, text = keys.create("kiosk", ["audio"])
    door = Door(keys)
    assert code_of(door, None, "audio") == "missing_api_key"
    assert code_of(door, "vv_wrong", "audio") == "invalid_api_key"
    assert code_of(door, text, "audio") == ""
    assert code_of(door, text, None) == ""
    assert code_of(door, text, "chat") == "missing_scope"
    keys.revoke(key.id)
    assert code_of(door, text, "audio") == "invalid_api_key"
    assert code_of(door, None, "audio") == "missing_api_key"


def test_an_exposed_server_asks_even_before_there_is_a_key(keys: Keys) -> None:
    assert code_of(Door(keys, required=True), None, "chat") == "missing_api_key"


# --- in front of an application


def locked(door: Door) -> TestClient:
    async def answer(request: Request) -> PlainTextResponse:
        shown = repr((request.headers.items(), request.scope["credential"].scopes))
        return PlainTextResponse(shown)

    async def public(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def talk(socket: WebSocket) -> None:
        offered = socket.scope["subprotocols"]
        await socket.accept(subprotocol="realtime" if "realtime" in offered else None)
        await socket.send_text(repr((socket.headers.items(), offered)))
        try:
            while True:
                await socket.send_text(await socket.receive_text())
        except WebSocketDisconnect:
            pass

    app = Starlette(
        routes=[
            Route("/", public),
            Route("/health", public),
            Route("/metrics", answer),
            WebSocketRoute("/v1/realtime", talk),
            Route("/v1/{rest:path}", answer, methods=["GET", "POST"]),
        ],
        middleware=[Middleware(Guard, hosts=(), origins=(), door=door)],
    )
    return TestClient(app, base_url="http://127.0.0.1:8000")


REALTIME = "ws://127.0.0.1:8000/v1/realtime"

PATHS = {
    "/v1/audio/speech": "audio",
    "/v1/audio/transcriptions": "audio",
    "/v1/chat/completions": "chat",
    "/v1/models": "models",
    "/v1/models/x": "models",
    "/v1/voices": "models",
    "/v1/languages": "models",
    "/v1/realtime/client_secrets": "realtime",
    "/metrics": "metrics",
}


@pytest.mark.parametrize("path", PATHS)
def test_each_path_wants_its_scope(keys: Keys, path: str) -> None:
    door = Door(keys)
    client = locked(door)
    good = keys.create("good", [PATHS[path]])[1]
    other = keys.create("other", [scope for scope in SCOPES if scope != PATHS[path]])[1]

    def status(headers: dict[str, str], path: str = path) -> tuple[int, str]:
        answer = client.get(path, headers=headers)
        if answer.status_code == 200:
            return 200, ""
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert good not in answer.text
        return answer.status_code, error["code"]

    assert status({"authorization": f"Bearer {good}"}) == (200, "")
    assert status({"authorization": f"bearer  {good} "}) == (200, "")
    assert status({"authorization": f"Bearer {other}"}) == (403, "missing_scope")
    assert status({"authorization": f"Bearer {good}x"}) == (401, "invalid_api_key")
    assert status({"authorization": f"Basic {good}"}) == (401, "missing_api_key")
    assert status({"authorization": good}) == (401, "missing_api_key")
    assert status({}) == (401, "missing_api_key")
    assert status({}, f"{path}?api_key={good}&key={good}") == (401, "missing_api_key")
    assert client.get(path).headers["www-authenticate"] == "Bearer"


def test_what_is_below_v1_and_unknown_wants_a_key_and_the_page_none(keys: Keys) -> None:
    text = keys.create("x", ["metrics"])[1]
    client = locked(Door(keys))
    assert client.get("/v1/anything").status_code == 401
    assert client.get("/v1/anything", headers={"authorization": f"Bearer {text}"}).is_success
    assert client.get("/").is_success
    assert client.get("/health").is_success


def test_the_application_never_sees_the_key(keys: Keys) -> None:
    text = keys.create("x", ["realtime", "chat"])[1]
    client = locked(Door(keys))
    headers = {"authorization": f"Bearer {text}"}
    assert text not in client.get("/v1/chat/x", headers=headers).text
    with client.websocket_connect(REALTIME, headers=headers) as socket:
        assert text not in socket.receive_text()
    offered = ["realtime", KEY_SUBPROTOCOL + text]
    with client.websocket_connect(REALTIME, subprotocols=offered) as socket:
        assert socket.accepted_subprotocol == "realtime"
        assert text not in socket.receive_text()


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, 401),
        ({"headers": {"authorization": "Bearer ek_wrong"}}, 401),
        ({"subprotocols": ["realtime", KEY_SUBPROTOCOL + "ek_wrong"]}, 401),
        ({"subprotocols": ["realtime", KEY_SUBPROTOCOL]}, 401),
    ],
)
def test_a_websocket_without_a_good_key_is_refused_before_it_opens(
    keys: Keys, options: dict[str, Any], status: int
) -> None:
    keys.create("x", ["realtime"])
    client = locked(Door(keys))
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect(REALTIME, **options),
    ):
        pass
    assert refused.value.status_code == status
    assert refused.value.json()["error"]["code"] in ("missing_api_key", "invalid_api_key")


def test_a_client_secret_opens_sessions_and_nothing_else(keys: Keys) -> None:
    keys.create("x", ["realtime"])
    door = Door(keys)
    secret = door.secrets.mint(client_secret(keys.all()[0].id), seconds=60)
    client = locked(door)
    offered = ["realtime", KEY_SUBPROTOCOL + secret]
    for _ in range(2):
        with client.websocket_connect(REALTIME, subprotocols=offered) as socket:
            assert secret not in socket.receive_text()
    headers = {"authorization": f"Bearer {secret}"}
    for path in ("/v1/chat/completions", "/v1/audio/speech", "/v1/models", "/metrics"):
        assert client.get(path, headers=headers).status_code == 403


def test_an_open_connection_ends_when_its_key_is_revoked(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "STILL_GOOD_SECONDS", 0.05)
    key, text = keys.create("x", ["realtime"])
    client = locked(Door(keys))
    headers = {"authorization": f"Bearer {text}"}
    with client.websocket_connect(REALTIME, headers=headers) as socket:
        socket.receive_text()
        socket.send_text("still here")
        assert socket.receive_text() == "still here"
        keys.revoke(key.id)
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_text()  # it says nothing itself, and still is closed
        assert ended.value.code == 1008


async def test_what_comes_in_is_passed_on_in_order(keys: Keys) -> None:
    door = Door(keys)
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    for number in range(100):
        queue.put_nowait({"type": "websocket.receive", "text": str(number)})
    receive = guard._while_it_stands(door, door.admit(None, None), queue.get, queue.put)
    assert [(await receive())["text"] for _ in range(100)] == [str(n) for n in range(100)]


# --- the command line


def run(tmp_path: Path, *args: str) -> Any:
    return CliRunner().invoke(main, ["keys", *args, "--data-dir", str(tmp_path)])


def test_keys_are_made_listed_and_revoked_on_the_command_line(tmp_path: Path) -> None:
    made = run(tmp_path, "create", "my kiosk", "--scope", "audio", "--scope", "realtime")
    assert made.exit_code == 0, made.output
    text = made.stdout.strip()
    kept = Keys(tmp_path / "keys.json")
    key = kept.find(text)
    assert key is not None
    assert key.scopes == ("realtime", "audio")
    listed = run(tmp_path, "list").output
    assert key.id in listed
    assert "my kiosk" in listed
    assert "good" in listed
    assert text not in listed
    assert json.loads((tmp_path / "keys.json").read_text())["keys"][0]["sha256"] not in listed
    revoked = run(tmp_path, "revoke", key.id)
    assert revoked.exit_code == 0
    assert "revoked" in run(tmp_path, "list").output
    assert kept.find(text) is None


def test_the_command_line_says_plainly_what_is_wrong(tmp_path: Path) -> None:
    assert run(tmp_path, "revoke", "key_x").output == (
        "Error: there is no key key_x; `vivavoce keys list` shows them\n"
    )
    assert run(tmp_path, "create", "x", "--scope", "everything").exit_code == 2


def test_only_a_server_with_a_good_key_listens_to_others(tmp_path: Path) -> None:
    from voice.app import Service, _check_host
    from voice.settings import Settings

    exposed = Settings(host="192.168.1.4", data_dir=tmp_path)
    with pytest.raises(ConfigError, match="vivavoce keys create"):
        _check_host(exposed)
    keys = Keys(exposed.keys_file)
    key, text = keys.create("kiosk", ["chat"])
    _check_host(exposed)
    door = Service(exposed, print).door
    assert code_of(door, text, "chat") == ""
    keys.revoke(key.id)
    assert code_of(door, text, "chat") == "invalid_api_key"
    with pytest.raises(ConfigError, match="vivavoce keys create"):
        _check_host(exposed)
    assert Service(Settings(data_dir=tmp_path / "other"), print).door.open
    wanting = Settings(data_dir=tmp_path / "other", require_keys=True)
    assert not Service(wanting, print).door.open
