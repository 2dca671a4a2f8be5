"""What is exported can be imported again, and nothing is lost."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chat.attachments import Accepted, accept, files
from chat.errors import ChatError
from chat.storage import Storage, attachments, conversations, messages, search
from chat.storage.records import Conversation, Message, NewMessage, StoredCall, now
from chat.transfer import schema
from chat.transfer.archives import ImportLimits
from chat.transfer.exporting import ExportFormat, export
from chat.transfer.importing import import_file
from chat.transfer.own import encode, to_draft, to_entry
from tests.chat.trees import shape, trees
from tests.databases import DATABASES, opened

Tree = tuple[Conversation, list[Message]]

EXAMINED: dict[str, Accepted] = {}
"""Files that were looked at once: that takes a process each."""


@pytest.fixture(params=DATABASES)
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    (tmp_path / "data").mkdir()
    async with opened(request.param, tmp_path / "data") as found:
        yield found


async def exported(
    storage: Storage, form: ExportFormat, conversation_id: str | None = None, owner: str = "o"
) -> bytes:
    made = await export(storage, owner, form, conversation_id)
    return b"".join([chunk async for chunk in made.chunks])


async def imported(storage: Storage, path: Path, data: bytes, owner: str = "o") -> list[str]:
    await asyncio.to_thread(path.write_bytes, data)
    return list((await import_file(storage, owner, path)).conversation_ids)


async def whole(storage: Storage, owner: str, conversation_id: str) -> object:
    conversation = await conversations.get(storage, owner, conversation_id)
    return shape(conversation, await messages.everything(storage, owner, conversation_id))


@given(trees())
@settings(max_examples=40, deadline=None)
def test_an_entry_says_everything(tree: Tree) -> None:
    conversation, tree_messages = tree
    draft = to_draft(encode(to_entry(conversation, tree_messages, with_files=False)), "$")
    assert draft.head == conversation.head
    assert [item.message.id for item in draft.messages] == [m.id for m in tree_messages]
    for item, message in zip(draft.messages, tree_messages, strict=True):
        assert item.message.text == message.text
        assert item.message.parent_id == message.parent_id
        assert item.message.created_at == message.created_at


@given(st.lists(trees(), min_size=1, max_size=3))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_conversations_come_back_as_they_were(given_trees: list[Tree]) -> None:
    async def there_and_back(folder: Path) -> None:
        entries = b",".join(encode(to_entry(*tree, with_files=False)) for tree in given_trees)
        file = folder / "file.json"
        head = b'{"format":"vivavoce-conversations","version":1,"conversations":['
        async with opened("sqlite", folder) as storage:
            first = await imported(storage, file, head + entries + b"]}")
            shapes = [await whole(storage, "o", id_) for id_ in first]
            assert shapes == [shape(*tree) for tree in given_trees]
            again = await imported(storage, file, await exported(storage, "json"), "p")
            found = [await whole(storage, "p", id_) for id_ in again]
            assert sorted(map(repr, found)) == sorted(map(repr, shapes))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(there_and_back(Path(folder)))


async def some_conversation(storage: Storage, title: str = "Trip to Málaga") -> Conversation:
    made = await conversations.create(
        storage, "o", title=title, title_source="given", tags=["travel"]
    )
    image = io.BytesIO()
    Image.new("RGB", (3, 3), "red").save(image, "PNG")
    attached = []
    for name, data in (("red.png", image.getvalue()), ("notes.txt", b"sun and sea")):
        accepted = EXAMINED.get(name) or await accept(data, name)
        EXAMINED[name] = accepted
        stored = files.save(storage.files.parent, accepted)
        attached.append(
            await attachments.add(
                storage,
                "o",
                name=accepted.name,
                media_type=accepted.media_type,
                size=len(accepted.data),
                stored_name=stored,
            )
        )
    await messages.append(
        storage,
        "o",
        made.id,
        NewMessage("user", "Where shall we go?", attachments=tuple(a.id for a in attached)),
        NewMessage(
            "assistant", "To the *sea*.\n```", tool_calls=(StoredCall("c", "maps", '{"q":1}'),)
        ),
    )
    return await conversations.get(storage, "o", made.id)


async def test_attachments_come_along_in_an_archive(storage: Storage, tmp_path: Path) -> None:
    conversation = await some_conversation(storage)
    data = await exported(storage, "zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[0] == "conversations.json"
        assert {name.split("/")[0] for name in names[1:]} == {"attachments"}
    (copy,) = await imported(storage, tmp_path / "x.zip", data)
    assert await whole(storage, "o", copy) == await whole(storage, "o", conversation.id)
    first = (await messages.everything(storage, "o", copy))[0]
    assert files.words_of(storage.files.parent, first.attachments[1].stored_name) == "sun and sea"
    assert len(list(storage.files.iterdir())) == 4
    hits = (await search.search(storage, "o", "shall we")).hits
    assert copy in {hit.conversation_id for hit in hits}
    # And one can go on with it.
    await messages.append(storage, "o", copy, NewMessage("user", "When?"))


async def test_attachments_are_named_where_they_are_missing(
    storage: Storage, tmp_path: Path
) -> None:
    await some_conversation(storage)
    path = tmp_path / "x.json"
    path.write_bytes(await exported(storage, "json"))
    done = await import_file(storage, "o", path)
    (first, _) = await messages.everything(storage, "o", done.conversation_ids[0])
    assert first.attachments == ()
    assert first.text.endswith("[attachment: red.png]\n\n[attachment: notes.txt]")
    assert len(done.skipped) == 2


async def test_the_schema_describes_the_file(storage: Storage) -> None:
    await some_conversation(storage)
    data = json.loads(await exported(storage, "json"))
    jsonschema.validate(data, schema.json_schema())
    published = Path(__file__).parents[2] / "docs" / "conversations.schema.json"
    assert json.loads(published.read_text()) == schema.json_schema()


async def test_markdown_reads_well(storage: Storage) -> None:
    conversation = await some_conversation(storage)
    made = await export(storage, "o", "markdown", conversation.id)
    assert made.name == f"{now():%Y-%m-%d}-Trip-to-Málaga.md"
    text = (await exported(storage, "markdown", conversation.id)).decode()
    assert text.startswith("# Trip to Málaga\n")
    assert "Tags: travel" in text
    assert "Where shall we go?\n\n- Attachment: red.png" in text
    assert 'To the *sea*.\n```\n```\n\nCalled `maps`:\n\n```\n{"q":1}\n```' in text


@pytest.mark.parametrize(
    ("form", "suffix"), [("markdown", "md"), pytest.param("pdf", "pdf", marks=pytest.mark.slow)]
)
async def test_all_to_read_is_an_archive(storage: Storage, form: ExportFormat, suffix: str) -> None:
    for title in ("Same", "same", "../../etc/passwd"):
        await some_conversation(storage, title)
    with zipfile.ZipFile(io.BytesIO(await exported(storage, form))) as archive:
        assert archive.testzip() is None
        day = f"{now():%Y-%m-%d}"
        assert sorted(name.lower() for name in archive.namelist()) == sorted(
            f"{day}-{stem}.{suffix}" for stem in ("same", "same-2", "etc-passwd")
        )


async def test_only_the_owners_conversations_leave(storage: Storage) -> None:
    conversation = await some_conversation(storage)
    assert json.loads(await exported(storage, "json", owner="p"))["conversations"] == []
    with pytest.raises(ChatError, match="no such conversation"):
        await export(storage, "p", "json", conversation.id)


async def test_deleted_ones_stay_and_archived_ones_leave(storage: Storage) -> None:
    gone, kept = await some_conversation(storage), await some_conversation(storage)
    await conversations.delete(storage, "o", gone.id)
    await conversations.update(storage, "o", kept.id, archived=True)
    found = json.loads(await exported(storage, "json"))["conversations"]
    assert [one["id"] for one in found] == [kept.id]


async def listed(storage: Storage, *, deleted: bool = False) -> int:
    page = await conversations.list_page(storage, "o", archived=None, deleted=deleted)
    return len(page.conversations)


async def test_nothing_is_half_imported(storage: Storage, tmp_path: Path) -> None:
    conversation = await some_conversation(storage)
    data = json.loads(await exported(storage, "json"))
    many = data["conversations"] * 120
    many[-1] = {**many[-1], "messages": [{"id": "1", "role": "user"}]}
    data["conversations"] = many
    path = tmp_path / "x.json"
    path.write_text(json.dumps(data))
    before = len(list(storage.files.iterdir()))
    with pytest.raises(ChatError) as refused:
        await import_file(storage, "o", path)
    assert refused.value.code == "import_malformed"
    assert "conversations[119]" in refused.value.message
    assert "messages[0]" in refused.value.message
    assert (await listed(storage), await listed(storage, deleted=True)) == (1, 0)
    assert len(list(storage.files.iterdir())) == before
    assert await conversations.get(storage, "o", conversation.id)


async def test_what_a_killed_import_left_does_no_harm(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_conversation(storage)
    path = tmp_path / "x.json"
    path.write_bytes(await exported(storage, "json"))

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("chat.transfer.storing._show", killed)
        patched.setattr("chat.transfer.storing._forget", lambda *_: asyncio.sleep(0))
        with pytest.raises(KeyboardInterrupt):
            await import_file(storage, "o", path, once="job_1")
    assert (await listed(storage), await listed(storage, deleted=True)) == (1, 1)
    await import_file(storage, "o", path, once="job_1")
    assert (await listed(storage), await listed(storage, deleted=True)) == (2, 0)
    await import_file(storage, "o", path, once="job_1")
    assert await listed(storage) == 2


async def test_imports_are_bounded(storage: Storage, tmp_path: Path) -> None:
    await some_conversation(storage)
    path = tmp_path / "x.json"
    path.write_bytes(await exported(storage, "json"))
    for limits in (
        ImportLimits(max_bytes=10),
        ImportLimits(max_json_bytes=10),
        ImportLimits(max_conversations=0),
        ImportLimits(max_messages=1),
    ):
        with pytest.raises(ChatError) as refused:
            await import_file(storage, "o", path, limits=limits)
        assert refused.value.code == "import_too_large"
    assert await listed(storage) == 1
