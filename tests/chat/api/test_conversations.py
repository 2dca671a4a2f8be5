"""Conversations, files, jobs and what else is the owner's, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from PIL import Image

from chat.storage import usage
from tests.chat.api.desk import Desk


async def test_lists_go_on_where_they_stopped(api: Desk) -> None:
    made = [(await api.new(title=f"{n}", tags=["odd"] if n % 2 else []))["id"] for n in range(5)]
    first = (await api.client.get("/conversations?limit=3")).json()
    rest = (await api.client.get(f"/conversations?limit=3&cursor={first['cursor']}")).json()
    listed = [one["id"] for one in first["conversations"] + rest["conversations"]]
    assert listed == made[::-1]
    assert rest["cursor"] is None
    odd = (await api.client.get("/conversations?tag=odd")).json()["conversations"]
    assert [one["title"] for one in odd] == ["3", "1"]
    any_ = {"if-match": "*"}
    place = f"/conversations/{made[0]}"
    await api.client.patch(place, json={"pinned": True, "archived": True}, headers=any_)
    for query, titles in (
        ("pinned=true&archived=true", ["0"]),
        ("archived=false&limit=2", ["4", "3"]),
        ("since=2100-01-01T00:00:00Z", []),
        ("until=2100-01-01T00:00:00Z&limit=1", ["4"]),
    ):
        found = (await api.client.get(f"/conversations?{query}")).json()["conversations"]
        assert [one["title"] for one in found] == titles, query
    assert (await api.client.get("/tags")).json() == {"tags": [{"tag": "odd", "conversations": 2}]}


async def test_deleted_ones_can_be_had_back_until_they_are_purged(api: Desk) -> None:
    place = f"/conversations/{(await api.new(title='A'))['id']}"
    assert (await api.client.delete(place)).status_code == 204
    assert (await api.client.get(place)).status_code == 404
    gone = (await api.client.get("/conversations?deleted=true")).json()["conversations"]
    assert [one["title"] for one in gone] == ["A"]
    assert (await api.client.post(f"{place}/restore")).json()["deleted_at"] is None
    assert (await api.client.get(place)).status_code == 200
    assert (await api.client.post(f"{place}/purge")).status_code == 204
    assert (await api.client.post(f"{place}/restore")).status_code == 404


async def test_search_marks_what_it_finds(api: Desk) -> None:
    conversation = (await api.new(title="Zoo"))["id"]
    await api.say(conversation, "Is a <b>zebra</b> striped?")
    hits = (await api.client.get("/search?q=zebra")).json()["hits"]
    assert len(hits) == 1
    assert [piece["text"] for piece in hits[0]["pieces"] if piece["marked"]] == ["zebra"]
    assert "<b>" in "".join(piece["text"] for piece in hits[0]["pieces"])
    titles = (await api.client.get("/search?q=zoo")).json()["hits"]
    assert [hit["message_id"] for hit in titles] == [None]
    assert (await api.client.get("/search?q=zebra&until=2001-01-01T00:00:00Z")).json()["hits"] == []


async def test_older_messages_come_by_cursor(api: Desk) -> None:
    conversation = (await api.new())["id"]
    for number in range(3):
        await api.say(conversation, f"{number}")
    send = f"/conversations/{conversation}/messages?limit=4"
    newest = (await api.client.get(send)).json()
    assert [m["text"] for m in newest["messages"]][::2] == ["1", "2"]
    older = (await api.client.get(f"{send}&cursor={newest['cursor']}")).json()
    assert [m["text"] for m in older["messages"]] == ["0", "Hello there."]
    assert older["cursor"] is None


async def test_files_come_and_go(api: Desk) -> None:
    name = 'résumé "1".txt'
    sent = await api.client.post("/attachments", params={"name": name}, content="Größe".encode())
    assert sent.status_code == 201
    file = sent.json()
    assert file["media_type"] == "text/plain"
    assert await get_names(api) == 1
    got = await api.client.get(f"/attachments/{file['id']}/content")
    assert got.text == "Größe"
    assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''r%C3%A9sum")
    assert "sandbox" in got.headers["content-security-policy"]
    assert got.headers["x-content-type-options"] == "nosniff"
    conversation = (await api.new())["id"]
    said = await api.say(conversation, "Read this", attachments=[file["id"]])
    assert said["message"]["attachments"] == [file]
    assert "Größe" in api.llm.prompts[-1][-1].text
    used = await api.client.delete(f"/attachments/{file['id']}")
    assert (used.status_code, used.json()["code"]) == (409, "in_use")
    await api.client.post(f"/conversations/{conversation}/purge")
    assert (await api.client.get(f"/attachments/{file['id']}")).status_code == 404
    assert await get_names(api) == 0
    unused = (await api.client.post("/attachments?name=a", content=b"text")).json()["id"]
    assert (await api.client.delete(f"/attachments/{unused}")).status_code == 204
    assert await get_names(api) == 0


async def get_names(api: Desk) -> int:
    return sum(not path.name.endswith(".words") for path in api.storage.files.iterdir())


async def test_an_image_is_for_a_model_that_sees(api: Desk) -> None:
    path = api.core.data_dir / "x.png"
    Image.new("RGB", (4, 4), "red").save(path)
    file = (await api.client.post("/attachments?name=x.txt", content=path.read_bytes())).json()
    assert file["media_type"] == "image/png"
    await api.say((await api.new())["id"], "What is this?", attachments=[file["id"]])
    assert "cannot see" in api.llm.prompts[-1][-1].text


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"\x7fELF\x00\x01", 415, "attachment_unsupported"),
        (b"\x89PNG\r\n\x1a\nrest", 422, "attachment_unreadable"),
        (b"", 422, "attachment_unreadable"),
    ],
)
async def test_what_is_no_such_file_is_refused(
    api: Desk, content: bytes, status: int, code: str
) -> None:
    answer = await api.client.post("/attachments?name=x.png", content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await get_names(api) == 0
    assert list((api.core.data_dir / "uploads").iterdir()) == []


async def test_an_upload_with_a_key_or_an_id_is_kept_once(api: Desk) -> None:
    key = {"idempotency-key": "k"}
    one, two = [
        await api.client.post("/attachments?name=a.txt", content=b"A", headers=key)
        for _ in range(2)
    ]
    assert one.json() == two.json()
    other = await api.client.post("/attachments?name=a.txt", content=b"B", headers=key)
    assert other.status_code == 422
    mine = "att_0123456789abcdef"
    for _ in range(2):
        named = await api.client.post(f"/attachments?name=b.txt&id={mine}", content=b"C")
        assert named.json()["id"] == mine
    assert await get_names(api) == 2


async def test_what_was_exported_can_be_imported(api: Desk) -> None:
    conversation = (await api.new(title="Zebras"))["id"]
    await api.say(conversation, "Striped?")
    await api.settle()
    one = await api.client.get(f"/conversations/{conversation}/export?format=markdown")
    assert "Striped?" in one.text
    assert ".md" in one.headers["content-disposition"]
    answer = await api.client.post("/exports", json={"format": "json"})
    assert answer.status_code == 202
    job = answer.headers["location"].removeprefix("/api/v1")
    content = f"/exports/{answer.json()['id']}/content"
    early = await api.client.get(content)
    assert (early.status_code, early.json()["code"]) == (409, "not_finished")
    await api.work()
    done = (await api.client.get(job)).json()
    assert (done["state"], done["download"]) == ("done", f"/api/v1{content}")
    assert "file" not in done["result"]
    file = (await api.client.get(content)).content
    sent = await api.client.post("/imports", content=file)
    assert sent.status_code == 202
    await api.work()
    read = (await api.client.get(f"/jobs/{sent.json()['id']}")).json()
    assert (read["state"], read["result"]["conversations"]) == ("done", 1)
    listed = (await api.client.get("/conversations")).json()["conversations"]
    assert [one["title"] for one in listed] == ["Zebras", "Zebras"]
    none = await api.client.post("/imports", content=b"")
    assert none.status_code == 422
    (api.core.data_dir / "exports" / answer.json()["id"]).unlink()
    assert (await api.client.get(content)).status_code == 404
    other = await api.client.get(f"/exports/{sent.json()['id']}/content")
    assert other.status_code == 404


async def test_dead_jobs_are_listed_and_tried_again(api: Desk) -> None:
    job = await api.queue.enqueue("anna", "bad", {})
    await api.work()
    dead = (await api.client.get("/jobs?state=dead")).json()["jobs"]
    assert [(one["id"], one["error"], one["result"]) for one in dead] == [(job, "no", None)]
    again = await api.client.post(f"/jobs/{job}/retry")
    assert again.json()["state"] == "queued"
    early = await api.client.post(f"/jobs/{job}/retry")
    assert (early.status_code, early.json()["code"]) == (400, "invalid_request")


async def test_what_is_the_owners(api: Desk) -> None:
    models = (await api.client.get("/models")).json()
    assert models == {"models": [{"name": "scripted", "tier": "free", "default": True}]}
    for _ in range(2):
        await usage.record(
            api.storage, "anna", model="m", prompt_tokens=5, completion_tokens=2, cost=30
        )
    counted = {"requests": 2, "prompt_tokens": 10, "completion_tokens": 4, "cost": 60}
    today = (await api.client.get("/usage")).json()
    assert today["models"] == [{"model": "m", **counted}]
    assert today["cost"] == 60
    assert today["day"] == datetime.now(UTC).date().isoformat()
