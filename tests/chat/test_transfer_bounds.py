"""What is too long, too wide or of no kind, in files that are read and in what is set as PDF."""

from __future__ import annotations

import copy
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat.errors import ChatError
from chat.transfer import open_webui, reading
from chat.transfer.archives import ImportLimits, Uploaded, open_upload
from chat.transfer.drafts import Draft
from chat.transfer.pdf import to_pdf
from chat.transfer.schema import FORMAT
from tests.chat.test_transfer_foreign import WEBUI
from tests.chat.test_transfer_pdf import conversation, said, words

LIMITS = ImportLimits()


def read(*documents: Any) -> list[Draft]:
    files = [(f"{n}.json", json.dumps(given).encode()) for n, given in enumerate(documents)]
    return list(reading.read_drafts(Uploaded(None, files), LIMITS)[1])


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ([], "nothing in the file"),
        ([[WEBUI], [{"mapping": {}}]], "mixes formats"),
        ([{"format": "other", "by": FORMAT, "version": 1, "conversations": []}], "another format"),
    ],
)
def test_files_that_are_no_one_export(documents: list[Any], told: str) -> None:
    with pytest.raises(ChatError, match=told) as found:
        read(*documents)
    assert found.value.code == "import_unknown"


@pytest.mark.parametrize(
    ("limit", "told"),
    [("MAX_TITLE", "title"), ("MAX_TAGS", "tags"), ("MAX_TAG", "tags"), ("MAX_TEXT", "the text")],
)
def test_what_could_not_be_stored_is_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str, told: str
) -> None:
    monkeypatch.setattr(reading, limit, 0)
    with pytest.raises(ChatError, match=told) as found:
        read([WEBUI])
    assert found.value.code == "import_malformed"


def test_a_model_with_an_endless_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = open_webui.to_draft

    def longer(raw: Any, where: str) -> Draft:
        draft = parse(raw, where)
        first = draft.messages[0]
        endless = replace(first, message=replace(first.message, model="m" * 257))
        return replace(draft, messages=[endless, *draft.messages[1:]])

    monkeypatch.setitem(reading._PARSERS, "open_webui", longer)
    with pytest.raises(ChatError, match="model's"):
        read([WEBUI])


def test_files_that_are_no_objects_and_voices_that_are_nobodys_are_left_out() -> None:
    strange = copy.deepcopy(WEBUI)
    first = strange["chat"]["history"]["messages"]["a"]
    first["files"] = [7, *first["files"]]
    strange["chat"]["history"]["messages"]["b"]["content"] = " "
    (draft,) = read([strange])
    assert draft.messages[0].message.text == "Which bird?\n\n[image]\n\n[file: n.pdf]"
    assert "A jay" not in [item.message.text for item in draft.messages]


def test_files_that_are_not_in_the_upload_are_not_found(tmp_path: Path) -> None:
    alone = tmp_path / "conversations.json"
    alone.write_text("[]")
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("conversations.json", "[]")
    for path in (alone, packed):
        with open_upload(path, LIMITS) as uploaded, pytest.raises(ChatError) as refused:
            uploaded.read("attachments/a.png", 10)
        assert refused.value.code == "not_found"


def test_two_files_of_an_archive_in_one_place_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", "[]")
        again = copy.copy(archive.infolist()[0])
        again.filename = "conversations-1.json"
        archive.filelist.append(again)
    with pytest.raises(ChatError, match="overlap") as refused, open_upload(path, LIMITS):
        pass
    assert refused.value.code == "import_malformed"


def test_rules_soft_breaks_and_wide_tables_are_set() -> None:
    row = "| " + " | ".join(f"c{n}" for n in range(40)) + " |"
    table = f"{row}\n{'|---' * 40}|\n{row}"
    data = to_pdf(conversation("\u2026 123"), [said(f"one\ntwo\n\n---\n\n{table}")])
    assert "c0 | c1" in words(data)
    assert "one" in words(data)
