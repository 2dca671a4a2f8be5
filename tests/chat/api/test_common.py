"""What all routes have in common: errors, request ids, ETags, keys for doing something once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from chat.api import Limits
from chat.api.errors import STATUS, request_id
from chat.api.etags import etag, expected_version, unchanged
from chat.errors import ChatError
from tests.chat.api.desk import Desk, desk

JSON = {"content-type": "application/json"}


REFUSED: list[tuple[str, str, int, str, dict[str, Any]]] = [
    ("GET", "/nowhere", 404, "not_found", {}),
    ("POST", "/nowhere", 404, "not_found", {}),
    ("GET", "/conversations/conv_none", 404, "not_found", {}),
    ("GET", "/conversations/" + "x" * 300, 404, "not_found", {}),
    ("GET", "/conversations/%00", 404, "not_found", {}),
    ("DELETE", "/conversations", 405, "method_not_allowed", {}),
    ("TRACE", "/conversations", 405, "method_not_allowed", {}),
    ("OPTIONS", "/settings", 405, "method_not_allowed", {}),
    ("POST", "/conversations", 415, "unsupported_media_type", {"content": b"{}"}),
    ("POST", "/conversations", 400, "invalid_json", {"content": b"{", "headers": JSON}),
    ("POST", "/conversations", 400, "invalid_json", {"content": b"\xff", "headers": JSON}),
    ("POST", "/conversations", 422, "invalid_value", {"json": {"title": 3}}),
    ("POST", "/conversations", 422, "invalid_value", {"json": {"id": "x"}}),
    ("POST", "/conversations", 422, "invalid_value", {"json": []}),
    ("POST", "/conversations", 413, "body_too_large", {"json": {"title": "x" * 3000}}),
    ("GET", "/conversations?limit=0", 422, "invalid_value", {}),
    ("GET", "/conversations?since=yesterday", 422, "invalid_value", {}),
    ("GET", "/conversations?cursor=%F0%9F%98%80", 400, "invalid_request", {}),
    ("GET", "/search", 422, "invalid_value", {}),
]


async def test_errors_have_one_shape(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(body_bytes=2000)) as api:
        for method, path, status, code, sent in REFUSED:
            answer = await api.client.request(method, path, **sent)
            assert (answer.status_code, answer.json()["code"]) == (status, code), (method, path)
            assert set(answer.json()) == {"code", "message", "request_id"}
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
            assert answer.headers["content-type"] == "application/json"
            assert ("allow" in answer.headers) == (status == 405)
        del api.client.headers["x-owner"]
        unknown = await api.client.get("/conversations")
        assert (unknown.status_code, unknown.json()["code"]) == (401, "missing_api_key")
        assert unknown.headers["www-authenticate"] == "Bearer"


async def test_a_body_of_unknown_length_is_bounded_too(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(body_bytes=2000)) as api:

        async def pieces() -> Any:
            for _ in range(30):
                yield b" " * 100

        answer = await api.client.post("/conversations", content=pieces(), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_fault_of_ours_tells_nothing(api: Desk, monkeypatch: Any, caplog: Any) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr("chat.storage.conversations.tags", broken)
    answer = await api.client.get("/tags", headers={"x-request-id": "mine-1"})
    assert answer.status_code == 500
    body = {"code": "internal_error", "message": "internal error", "request_id": "mine-1"}
    assert answer.json() == body
    assert "request mine-1 failed" in caplog.text
    assert "/secret/path" in caplog.text


async def test_request_ids(api: Desk) -> None:
    answer = await api.client.get("/tags", headers={"x-request-id": "a.b-c_1"})
    assert answer.headers["x-request-id"] == "a.b-c_1"
    for bad in ("", "a b", "x" * 65, "é"):
        assert request_id(bad).startswith("req_")
    assert request_id(None) != request_id(None)
    head = await api.client.head("/tags")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["x-request-id"]


def test_every_status_is_an_error() -> None:
    assert all(400 <= status < 600 for status in STATUS.values())


@pytest.mark.parametrize(
    ("header", "expected"),
    [('"v3"', 3), ("*", None), (' "v4" , "v3"', 4), ('"x", "v3"', 3)],
)
def test_if_match(header: str, expected: int | None) -> None:
    assert expected_version(header) == expected


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "if_match_required"),
        (" ", "if_match_required"),
        ('W/"v3"', "version_conflict"),
        ('"v"', "version_conflict"),
        ("v3", "version_conflict"),
        ('"v9999999999999999"', "version_conflict"),
    ],
)
def test_if_match_refused(header: str | None, code: str) -> None:
    with pytest.raises(ChatError) as caught:
        expected_version(header)
    assert caught.value.code == code


def test_if_none_match() -> None:
    assert expected_version('"v1", "v2"', 2) == 2
    assert unchanged('W/"v2", "x"', 2)
    assert unchanged("*", 1)
    assert not unchanged('"v1"', 2)
    assert not unchanged(None, 2)
    assert etag(2) == '"v2"'


async def test_an_update_wants_the_version_it_changes(api: Desk) -> None:
    place = f"/conversations/{(await api.new(title='A'))['id']}"
    first = (await api.client.get(place)).headers["etag"]
    assert (await api.client.get(place, headers={"if-none-match": first})).status_code == 304
    change = {"title": "B"}
    bare = await api.client.patch(place, json=change)
    assert (bare.status_code, bare.json()["code"]) == (428, "if_match_required")
    done = await api.client.patch(place, json=change, headers={"if-match": first})
    assert (done.status_code, done.json()["title"]) == (200, "B")
    assert done.headers["etag"] != first
    stale = await api.client.patch(place, json={"title": "C"}, headers={"if-match": first})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    anyway = await api.client.patch(place, json={"draft": "d"}, headers={"if-match": "*"})
    assert (anyway.json()["title"], anyway.json()["draft"]) == ("B", "d")


@pytest.mark.parametrize("path", ["conversation", "/settings"])
async def test_of_those_who_race_with_one_etag_one_wins(api: Desk, path: str) -> None:
    if path == "conversation":
        path = f"/conversations/{(await api.new())['id']}"
    tag = (await api.client.get(path)).headers["etag"]
    method = "PUT" if path == "/settings" else "PATCH"
    bodies = [{"theme": "dark", "prompt": f"{n}", "title": f"{n}"} for n in range(8)]
    answers = await asyncio.gather(
        *(api.client.request(method, path, json=body, headers={"if-match": tag}) for body in bodies)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    won = next(answer for answer in answers if answer.status_code == 200)
    now = await api.client.get(path)
    assert now.json() == won.json()
    assert now.headers["etag"] == won.headers["etag"]


async def test_settings_are_checked_and_whole(api: Desk) -> None:
    assert (await api.client.get("/settings")).json() == {}
    any_ = {"if-match": "*"}
    full = {"model": "m", "prompt": "p", "theme": "dark", "language": "de-AT", "voice": "v"}
    assert (await api.client.put("/settings", json=full, headers=any_)).json() == full
    assert (await api.client.get("/settings")).json() == full
    bad = await api.client.put("/settings", json={"theme": "pink"}, headers=any_)
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid_value")
    assert "theme" in bad.json()["message"]
    assert (await api.client.put("/settings", json={}, headers=any_)).json() == {}
    seen = await api.client.get("/settings")
    assert seen.json() == {}
    tag = {"if-none-match": seen.headers["etag"]}
    assert (await api.client.get("/settings", headers=tag)).status_code == 304
    assert (await api.client.get("/settings", headers={"x-owner": "b"})).json() == {}


async def test_the_same_key_gives_the_same_answer(api: Desk) -> None:
    key = {"idempotency-key": "k1"}
    first = await api.client.post("/conversations", json={"title": "A"}, headers=key)
    again = await api.client.post("/conversations", json={"title": "A"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.headers["etag"] == again.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = await api.client.post("/conversations", json={"title": "B"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    theirs = {**key, "x-owner": "boris"}
    boris = await api.client.post("/conversations", json={"title": "A"}, headers=theirs)
    assert boris.json()["id"] != first.json()["id"]
    bad = await api.client.post("/conversations", json={}, headers={"idempotency-key": "a b"})
    assert bad.status_code == 422


async def test_doubles_at_the_same_time_create_one(api: Desk) -> None:
    sent = [
        api.client.post("/conversations", json={"title": "A"}, headers={"idempotency-key": "k"})
        for _ in range(10)
    ]
    answers = await asyncio.gather(*sent)
    assert len({answer.text for answer in answers}) == 1
    listed = (await api.client.get("/conversations")).json()["conversations"]
    assert len(listed) == 1


async def test_a_message_sent_twice_is_stored_once(api: Desk) -> None:
    conversation = (await api.new())["id"]
    send, key = f"/conversations/{conversation}/messages", {"idempotency-key": "k"}
    one, two = await asyncio.gather(
        *(api.stream("POST", send, {"text": "Hi"}, key) for _ in range(2))
    )
    assert one[-1] == two[-1]
    assert one[0][1]["message"] == two[0][1]["message"]
    assert len((await api.client.get(send)).json()["messages"]) == 2
    late = await api.stream("POST", send, {"text": "Hi"}, key)
    assert late[-1] == one[-1]
    assert len(api.llm.prompts) == 1


async def test_a_request_that_failed_may_be_sent_again_with_its_key(api: Desk) -> None:
    conversation = (await api.new())["id"]
    send, key = f"/conversations/{conversation}/messages", {"idempotency-key": "k"}
    for model, status in (("gpt-9", 422), ("gpt-9", 422)):
        failed = await api.client.post(send, json={"text": "x", "model": model}, headers=key)
        assert (failed.status_code, failed.json()["code"]) == (status, "llm_unknown")
    done = await api.stream("POST", send, {"text": "x"}, key)
    assert done[-1][0] == "message.done"


async def test_what_must_not_touch_the_disk_is_kept_in_memory(api: Desk) -> None:
    key = {"idempotency-key": "k"}
    body = {"ephemeral": True, "title": "Whisper"}
    made = await api.client.post("/conversations", json=body, headers=key)
    again = await api.client.post("/conversations", json=body, headers=key)
    assert made.json() == again.json()
    conversation = made.json()["id"]
    assert conversation.startswith("mem_")
    key = {"idempotency-key": "k2"}
    send = f"/conversations/{conversation}/messages"
    await api.stream("POST", send, {"text": "Whisper"}, key)
    assert not any("INSERT" in statement for statement in api.statements)
    assert (await api.client.get("/conversations")).json()["conversations"] == []
    listed = (await api.client.get("/conversations?ephemeral=true")).json()["conversations"]
    assert [one["title"] for one in listed] == ["Whisper"]


async def test_text_without_nul(api: Desk) -> None:
    raw = b'{"title": "a\\u0000b", "tags": ["\\\\u0000"]}'
    made = await api.client.post("/conversations", content=raw, headers=JSON)
    assert (made.json()["title"], made.json()["tags"]) == ("ab", ["\\u0000"])
    lone = json.dumps({"title": "\ud800"}).encode()
    assert (await api.client.post("/conversations", content=lone, headers=JSON)).status_code < 500
