"""OpenAI's and Open WebUI's exports are read; what is broken is refused with the place."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.errors import ChatError
from chat.transfer import open_webui, openai
from chat.transfer.archives import ImportLimits, open_upload
from chat.transfer.drafts import Draft, moment
from chat.transfer.reading import Format, read_drafts

LIMITS = ImportLimits()


def read(path: Path, data: bytes, limits: ImportLimits = LIMITS) -> tuple[Format, list[Draft]]:
    path.write_bytes(data)
    with open_upload(path, limits) as uploaded:
        kind, drafts = read_drafts(uploaded, limits)
        return kind, list(drafts)


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[ChatError]]:
    with pytest.raises(ChatError) as found:
        yield found
    assert found.value.code == code


def node(
    parent: str | None, role: str = "user", content: Any = "hi", **more: Any
) -> dict[str, Any]:
    if isinstance(content, str):
        content = {"content_type": "text", "parts": [content]}
    metadata = more.pop("metadata", {})
    message = {"author": {"role": role}, "content": content, "metadata": metadata, **more}
    return {"id": "ignored", "message": message, "parent": parent, "children": []}


OPENAI: dict[str, Any] = {
    "title": "Trip  planning",
    "create_time": 1700000000.5,
    "update_time": 1700000100.0,
    "current_node": "answer-2",
    "is_archived": True,
    "mapping": {
        "answer-2": node(
            "question",
            "assistant",
            "Second answer",
            create_time=1700000020.0,
            metadata={"model_slug": "gpt-4o"},
        ),
        "root": {"id": "root", "message": None, "parent": None, "children": ["system"]},
        "system": node("root", "system", ""),
        "hidden": node(
            "system", "user", "about me", metadata={"is_visually_hidden_from_conversation": True}
        ),
        "question": node("hidden", "user", "Where to?", create_time=1700000010.0),
        "answer-1": node("question", "assistant", "First answer"),
    },
}


def test_openais_tree(tmp_path: Path) -> None:
    kind, (draft,) = read(tmp_path / "x", json.dumps([OPENAI]).encode())
    assert kind == "openai"
    assert (draft.title, draft.title_source, draft.archived) == ("Trip planning", "given", True)
    assert draft.created_at == datetime(2023, 11, 14, 22, 13, 20, 500000, UTC)
    found = [(m.message.id, m.message.parent_id, m.message.text) for m in draft.messages]
    assert found == [
        ("question", None, "Where to?"),
        ("answer-2", "question", "Second answer"),
        ("answer-1", "question", "First answer"),
    ]
    assert draft.head == "answer-2"
    assert draft.messages[1].message.model == "gpt-4o"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            {
                "content_type": "multimodal_text",
                "parts": [
                    {"content_type": "image_asset_pointer", "asset_pointer": "file-service://f"},
                    "What is it?",
                ],
            },
            "[image]\n\nWhat is it?",
        ),
        (
            {
                "content_type": "multimodal_text",
                "parts": [
                    {"content_type": "audio_transcription", "text": "spoken words"},
                    {"content_type": "audio_asset_pointer"},
                ],
            },
            "spoken words",
        ),
        (
            {"content_type": "code", "language": "python", "text": "print('```')"},
            "````python\nprint('```')\n````",
        ),
        ({"content_type": "code", "language": "unknown", "text": "x"}, "```\nx\n```"),
        ({"content_type": "execution_output", "text": "42\n"}, "```\n42\n```"),
        (
            {"content_type": "tether_quote", "title": "T", "url": "https://x", "text": "a\nb"},
            "T https://x\n\n> a\n> b",
        ),
        ({"content_type": "tether_browsing_display", "result": "found"}, "found"),
        ({"content_type": "system_error", "text": "sorry"}, "sorry"),
        ({"content_type": "something_new", "novel": 1}, "[something_new]"),
        (
            {"content_type": "multimodal_text", "parts": [{"content_type": "hologram"}, 7]},
            "[hologram]",
        ),
    ],
)
def test_openais_kinds_of_content(content: Any, text: str) -> None:
    exported = {"mapping": {"a": node(None, "assistant", content)}}
    draft = openai.to_draft(json.dumps(exported).encode(), "$")
    assert [item.message.text for item in draft.messages] == [text]


@pytest.mark.parametrize(
    "message",
    [
        node(None, "assistant", {"content_type": "thoughts", "thoughts": [{"content": "hm"}]}),
        node(None, "user", {"content_type": "user_editable_context", "user_profile": "x"}),
        node(None, "user", " "),
        node(None, "alien", "hi"),
        {"message": {"author": {"role": "user"}, "content": None}, "parent": None},
        {"message": None},
    ],
)
def test_openais_hidden_messages_are_left_out(message: Any) -> None:
    draft = openai.to_draft(json.dumps({"mapping": {"a": message}}).encode(), "$")
    assert (draft.messages, draft.head, draft.title_source) == ((), None, "temporary")


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ({"mapping": {"a": {"parent": 7}}}, "$.mapping"),
        ({"mapping": {"a": node("b"), "b": node("a")}}, "circle"),
        ({"mapping": {"a": node("a")}}, "circle"),
        ({"mapping": [], "title": "x"}, "Expected `object`, got `array`"),
        ({"mapping": {}, "title": 5}, "$.title"),
        ({"mapping": {"a": {"message": {"author": "me"}}}}, "author"),
    ],
)
def test_broken_openai_files_are_refused_with_the_place(
    tmp_path: Path, broken: Any, where: str
) -> None:
    with refused("import_malformed") as found:
        read(tmp_path / "x", json.dumps([OPENAI, broken]).encode())
    assert where in found.value.message
    assert "[1]" in found.value.message


def test_openais_archive_with_numbered_files(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/conversations-001.json", json.dumps([OPENAI]))
        archive.writestr("export/conversations-000.json", json.dumps([{**OPENAI, "title": "0"}]))
        archive.writestr("export/chat.html", "<script>")
        archive.writestr("../../evil.json", "{}")
    kind, drafts = read(tmp_path / "x", data.getvalue())
    assert (kind, [draft.title for draft in drafts]) == ("openai", ["0", "Trip planning"])
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


WEBUI: dict[str, Any] = {
    "id": "1",
    "title": "Birds",
    "created_at": 1700000000,
    "updated_at": 1700000100,
    "pinned": True,
    "meta": {"tags": ["nature"]},
    "chat": {
        "title": "old title",
        "history": {
            "currentId": "c",
            "messages": {
                "a": {
                    "id": "a",
                    "parentId": None,
                    "childrenIds": ["b", "c"],
                    "role": "user",
                    "content": "Which bird?",
                    "timestamp": 1700000001,
                    "files": [
                        {"type": "image", "url": "data:..."},
                        {"type": "file", "name": "n.pdf"},
                    ],
                },
                "b": {"parentId": "a", "role": "assistant", "content": "A jay", "model": "llama3"},
                "c": {
                    "parentId": "a",
                    "role": "assistant",
                    "content": '<details type="reasoning" done="true">hm</details>\nA wren',
                    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
                    "timestamp": 1700000002000,
                },
                "d": {
                    "parentId": "c",
                    "role": "assistant",
                    "content": "",
                    "error": {"content": "no"},
                },
            },
        },
    },
}


def test_open_webuis_tree(tmp_path: Path) -> None:
    kind, (draft,) = read(tmp_path / "x", json.dumps([WEBUI]).encode())
    assert kind == "open_webui"
    assert (draft.title, draft.pinned, draft.tags, draft.head) == ("Birds", True, ("nature",), "c")
    question, first, second, failed = (item.message for item in draft.messages)
    assert question.text == "Which bird?\n\n[image]\n\n[file: n.pdf]"
    assert (first.text, first.model, first.parent_id) == ("A jay", "llama3", "a")
    assert (second.text, second.prompt_tokens, second.completion_tokens) == ("A wren", 7, 3)
    assert second.created_at == datetime(2023, 11, 14, 22, 13, 22, tzinfo=UTC)
    assert (failed.status, failed.error, failed.text) == ("failed", "no", "")


def test_open_webuis_old_list_of_messages() -> None:
    chat = {
        "chat": {
            "title": "T",
            "timestamp": 1700000000000,
            "tags": [{"name": "x"}, 3],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "hi"}]},
                {"role": "martian", "content": "?"},
                {"role": "assistant", "content": "hello"},
            ],
        }
    }
    draft = open_webui.to_draft(json.dumps(chat).encode(), "$")
    assert [(m.message.text, m.message.parent_id) for m in draft.messages] == [
        ("hi", None),
        ("hello", "0"),
    ]
    assert (draft.head, draft.tags) == ("2", ("x",))


def test_one_conversation_alone_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / "x", json.dumps(WEBUI).encode())[0] == "open_webui"
    assert read(tmp_path / "x", b"\xef\xbb\xbf" + json.dumps(OPENAI).encode())[0] == "openai"


def test_a_very_deep_conversation_is_read() -> None:
    mapping = {str(n): node(str(n - 1) if n else None) for n in range(20_000)}
    draft = openai.to_draft(json.dumps({"mapping": mapping}).encode(), "$")
    assert len(draft.messages) == 20_000
    assert draft.head == "19999"


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (1700000000, 2023),
        (1700000000.5, 2023),
        (1700000000000, 2023),
        (1700000000000000, 2023),
        (1700000000000000000, 2023),
        (-5, None),
        (float("nan"), None),
        (10**30, None),
        ("1700000000", None),
        (True, None),
        (None, None),
    ],
)
def test_times(value: object, year: int | None) -> None:
    found = moment(value)
    assert (found and found.year) == year


def archived(name: str = "conversations.json", data: bytes = b"[]", **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
        for other, content in more.items():
            archive.writestr(other, content)
    return out.getvalue()


def encrypted() -> bytes:
    data = bytearray(archived())
    data[6] |= 1  # the local header's flag, then the central directory's
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


OURS = b'{"format":"vivavoce-conversations","version":%d,"conversations":%s}'


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "import_unknown", "neither JSON nor"),
        (b"hello", "import_unknown", "neither JSON nor"),
        (b"[]", "import_unknown", "no export"),
        (b"{}", "import_unknown", "no export"),
        (b"[1,2]", "import_unknown", "no export"),
        (b'[{"a":1}]', "import_unknown", "no export"),
        (b"[", "import_malformed", "truncated"),
        (b'[{"mapping":{}}', "import_malformed", "truncated"),
        (b'[{"mapping":{}},}]', "import_malformed", "byte 16"),
        (b"[" * 100_000, "import_malformed", "recursion"),
        (b'{"a":' * 100_000, "import_malformed", "recursion"),
        (b'[{"mapping":{"a":{"parent":"\xff"}}}]', "import_malformed", "utf-8"),
        (OURS % (2, b"[]"), "import_version", "version 2"),
        (OURS % (1, b"[{}]"), "import_malformed", "$.conversations[0]"),
        (OURS % (1, b"5"), "import_malformed", "conversations"),
        (archived(data=b"not json"), "import_unknown", "neither"),
        (archived("a.txt"), "import_unknown", "no conversations.json"),
        (archived()[:-30], "import_malformed", "damaged"),
        (encrypted(), "import_malformed", "encrypted"),
        (b"PK\x05\x06" + b"\0" * 18, "import_unknown", "no conversations.json"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, data: bytes, code: str, words: str) -> None:
    with refused(code) as found:
        read(tmp_path / "x", data)
    assert words in found.value.message


def test_archives_that_swell_are_refused(tmp_path: Path) -> None:
    limits = ImportLimits(max_json_bytes=100_000)
    with refused("import_too_large"):
        read(tmp_path / "x", archived(data=b" " * 5_000_000), limits)
    # One that lies about its size.
    data = bytearray(archived(data=b" " * 5_000_000))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")
    tracemalloc.start()
    with pytest.raises(ChatError) as found:
        read(tmp_path / "x", bytes(data), limits)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.value.code in {"import_malformed", "import_unknown", "import_too_large"}
    assert most < 1_000_000
    with refused("import_too_large"):
        read(tmp_path / "x", archived(a=b"", b=b""), ImportLimits(max_members=2))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                """mapping message author role content content_type parts text parent current_node
                chat history messages currentId parentId title id files metadata create_time
                timestamp meta tags error usage""".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["mapping", "chat"]))
@settings(max_examples=150, deadline=None)
def test_any_json_gives_conversations_or_a_clear_error(value: Any, key: str) -> None:
    raw = json.dumps({key: value}).encode()
    for parse in (openai.to_draft, open_webui.to_draft):
        try:
            draft = parse(raw, "$")
        except ChatError as error:
            assert error.code == "import_malformed"
        else:
            known = {item.message.id for item in draft.messages}
            assert draft.head is None or draft.head in known


@given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=4, max_size=4))
@settings(max_examples=80, deadline=None)
def test_any_parents_give_a_tree_or_a_clear_error(parents: list[str | None]) -> None:
    mapping = {name: node(parent) for name, parent in zip("abcd", parents, strict=True)}
    try:
        draft = openai.to_draft(json.dumps({"mapping": mapping}).encode(), "$")
    except ChatError as error:
        assert "circle" in error.message
        return
    seen: set[str | None] = {None}
    for item in draft.messages:
        assert item.message.parent_id in seen
        seen.add(item.message.id)
    assert len(seen) == 5


@given(st.binary(max_size=120))
@settings(max_examples=80, deadline=None)
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for content in (data, b"PK\x03\x04" + data, b"[" + data):
        with pytest.raises(ChatError) as found:
            read(path, content)
        assert found.value.code.startswith("import_")
