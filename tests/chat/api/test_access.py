"""Object-level access: for another owner, what is anna's does not exist, on every route.

And how many statements each route makes, which is the same table.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from chat.api.table import OPERATIONS
from chat.talk import Talk
from tests.chat.api.desk import OTHER, Desk, desk
from tests.databases import DATABASES

PNG_TEXT = b"The quick brown fox."
ANY = {"if-match": "*"}
JSON_ONLY = {"accept": "application/json"}
SECRET = "zebra"
"""A word of anna's that nobody else must ever be shown."""


class Row(NamedTuple):
    """A request that anna may make: its body, query and headers. `status` is what she gets."""

    body: Any = None
    query: str = ""
    headers: Mapping[str, str] = {}
    status: int = 200


ROWS: dict[str, Row] = {
    "listConversations": Row(query="?tag=zebra"),
    "createConversation": Row({"title": "New"}, status=201),
    "getConversation": Row(),
    "updateConversation": Row({"title": "Zebra", "tags": ["a", "b"]}, headers=ANY),
    "deleteConversation": Row(status=204),
    "restoreConversation": Row(),
    "purgeConversation": Row(status=204),
    "exportConversation": Row(query="?format=json"),
    "listTags": Row(),
    "search": Row(query=f"?q={SECRET}"),
    "listMessages": Row(),
    "sendMessage": Row({"text": "Hi"}, headers=JSON_ONLY, status=201),
    "getMessage": Row(),
    "getMessageAudio": Row(status=404),
    "decideToolCall": Row({"allow": "once"}, status=409),
    "listTools": Row(),
    "decideTool": Row({"consent": "never"}, status=404),
    "followMessage": Row(),
    "stopMessage": Row(status=409),
    "editMessage": Row({"text": "Hi"}, headers=JSON_ONLY, status=201),
    "regenerateMessage": Row({}, headers=JSON_ONLY, status=201),
    "listVersions": Row(),
    "compareMessages": Row(query="?other={message}"),
    "chooseVersion": Row(),
    "branchConversation": Row({}, status=201),
    "followChanges": Row(),
    "uploadAttachment": Row(b"A text.", query="?name=a.txt", status=201),
    "getAttachment": Row(),
    "deleteAttachment": Row(status=409),
    "downloadAttachment": Row(),
    "exportConversations": Row({"format": "json"}, status=202),
    "downloadExport": Row(),
    "importConversations": Row(b"{}", status=202),
    "listJobs": Row(),
    "getJob": Row(),
    "retryJob": Row(status=400),
    "listChatModels": Row(),
    "getUsage": Row(),
    "getSettings": Row(),
    "putSettings": Row({"theme": "dark"}, headers=ANY),
}

STATEMENTS = 5
"""The most a request may need."""


@pytest_asyncio.fixture(params=DATABASES)
async def world(request: Any, tmp_path: Path) -> AsyncIterator[tuple[Desk, dict[str, str]]]:
    """Anna's conversation with a file, and an export that is done."""
    async with desk(tmp_path, database=request.param) as api:
        conversation = (await api.new(title=f"A {SECRET}", tags=[SECRET]))["id"]
        upload = await api.client.post(f"/attachments?name={SECRET}.txt", content=PNG_TEXT)
        attachment = upload.json()["id"]
        said = await api.say(conversation, f"About a {SECRET}", attachments=[attachment])
        export = await api.client.post("/exports", json={"format": "markdown"})
        assert export.status_code == 202
        await api.work()
        ids = {"conversation": conversation, "message": said["message"]["id"]}
        ids |= {"call": "call_1", "tool": "none"}
        yield api, {**ids, "attachment": attachment, "job": export.json()["id"]}


def test_every_operation_has_a_row() -> None:
    assert set(ROWS) == {operation.name for operation in OPERATIONS}
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


def request_of(name: str, ids: dict[str, str]) -> tuple[str, str, dict[str, Any]]:
    operation = next(op for op in OPERATIONS if op.name == name)
    row = ROWS[name]
    sent: dict[str, Any] = {"headers": dict(row.headers)}
    if isinstance(row.body, bytes):
        sent["content"] = row.body
    elif row.body is not None:
        sent["json"] = row.body
    return operation.method, operation.path.format(**ids) + row.query.format(**ids), sent


async def test_what_is_annas_is_not_there_for_boris(world: tuple[Desk, dict[str, str]]) -> None:
    api, ids = world
    for operation in OPERATIONS:
        if operation.name == "followChanges":  # in test_live
            continue
        method, path, sent = request_of(operation.name, ids)
        sent["headers"] |= OTHER
        answer = await api.client.request(method, path, **sent)
        if operation.ids:
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), operation
        else:
            assert answer.status_code < 300, (operation, answer.text)
        assert SECRET not in answer.text.lower(), operation
        assert not any(id_ in answer.text for id_ in ids.values() if "_" in id_), operation
    used = {"text": "x", "attachments": [ids["attachment"]]}
    theirs = (await api.new(OTHER))["id"]
    send = f"/conversations/{theirs}/messages"
    stolen = await api.client.post(send, json=used, headers=OTHER)
    assert stolen.status_code == 404
    body = {"format": "json", "conversation": ids["conversation"]}
    assert (await api.client.post("/exports", json=body, headers=OTHER)).status_code == 404
    mixed = f"/conversations/{theirs}/messages/{ids['message']}"
    for path in (mixed, f"{mixed}/stream", f"{mixed}/versions"):
        assert (await api.client.get(path, headers=OTHER)).status_code == 404
    # Nor has anything of it changed.
    kept = await api.client.get(f"/conversations/{ids['conversation']}")
    assert kept.json()["title"] == f"A {SECRET}"


LAST = ("deleteConversation", "restoreConversation", "purgeConversation")


async def test_anna_may_and_it_takes_few_statements(
    world: tuple[Desk, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, ids = world
    make, answered = Talk._make, asyncio.Event()

    async def make_later(*given: Any) -> Any:
        await answered.wait()
        return await make(*given)

    monkeypatch.setattr(Talk, "_make", make_later)
    names = [op.name for op in OPERATIONS if op.name not in {*LAST, "followChanges"}]
    counts: dict[str, int] = {}
    for name in [*names, *LAST]:
        method, path, sent = request_of(name, ids)
        answered.set()
        await api.settle()  # an answer's own statements are no request's
        answered.clear()
        api.statements.clear()
        answer = await api.client.request(method, path, **sent)
        counts[name] = len(api.statements)
        assert answer.status_code == ROWS[name].status, (name, answer.text)
    assert {name: count for name, count in counts.items() if count > STATEMENTS} == {}


async def test_a_long_page_takes_no_more_statements_than_a_short_one(
    world: tuple[Desk, dict[str, str]],
) -> None:
    api, ids = world
    counts = []
    for _ in range(2):
        await api.settle()
        for path in ("/conversations", f"/conversations/{ids['conversation']}/messages"):
            api.statements.clear()
            await api.client.get(path)
            counts.append(len(api.statements))
        for number in range(5):
            made = await api.new(tags=[f"t{number}"])
            await api.say(made["id"])
            await api.say(ids["conversation"])
    assert counts[:2] == counts[2:]
