"""The seldom taken ways of the modules that only compute."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chat.conversation import Conversation, MessageItem
from chat.errors import ChatError
from chat.rendering import render
from chat.storage import records
from chat.storage.limits import row_cursor, time_cursor
from chat.storage.words import fold, marked, read_query, words
from chat.transfer.markdown import file_name, remarks, to_markdown
from chat.transfer.own import to_draft

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_what_was_cut_off_a_message_may_follow_after_all() -> None:
    said = Conversation()
    said.add(MessageItem("a", "assistant", "One two"))
    assert said.truncate("a", "One").cut
    assert said.uncut("a") == MessageItem("a", "assistant", "One", cut=False)


def cursor(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@pytest.mark.parametrize("plain", ["a", "a|b|c", "2026-01-01T00:00:00|x", "then|x"])
def test_a_cursor_of_a_time_has_one_with_its_zone(plain: str) -> None:
    with pytest.raises(ChatError) as refused:
        time_cursor(cursor(plain))
    assert refused.value.code == "invalid_request"


@pytest.mark.parametrize("plain", ["m", "m|1|2", "m|-1", "m|one", f"m|{2**63}", "m\0|1"])
def test_a_cursor_of_a_row_has_one_that_can_be(plain: str) -> None:
    with pytest.raises(ChatError) as refused:
        row_cursor(cursor(plain))
    assert refused.value.code == "invalid_request"


def test_a_mark_that_stands_alone_is_no_word() -> None:
    assert fold("\u0301") == ""
    assert [word.folded for word in words("\u0301 \u00e9t\u00e9")] == ["ete"]


def test_only_what_is_near_the_first_hit_is_shown() -> None:
    text = f"needle {'hay ' * 200}needle"
    pieces = marked(text, read_query("needle "))
    assert [piece.text for piece in pieces if piece.marked] == ["needle"]
    assert len("".join(piece.text for piece in pieces)) < 400


def entry(**changes: Any) -> bytes:
    """A conversation in our own format; `messages` as they are given."""
    message = {"id": "1", "role": "user", "text": "Hi", "created_at": "2026-11-21T12:00:00Z"}
    whole = {
        "id": "c",
        "title": "A",
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
        "messages": [{**message, **one} for one in changes.pop("messages", [{}])],
    }
    return json.dumps(whole | changes).encode()


@pytest.mark.parametrize(
    ("changes", "words_of_it"),
    [
        ({"messages": [{}, {}]}, "messages[1]: another message has the same id"),
        ({"messages": [{"parent": "0"}]}, "its parent does not stand before it"),
        ({"head": "2"}, "the head is none of the messages"),
        ({"messages": [{"created_at": "2026-11-21T12:00:00"}]}, "a time has no zone"),
        (
            {
                "messages": [
                    {"attachments": [{"name": "x", "media_type": "a/b", "size": 1, "file": "../x"}]}
                ]
            },
            "an attachment's file is not one in attachments/",
        ),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_with_its_place(
    changes: dict[str, Any], words_of_it: str
) -> None:
    with pytest.raises(ChatError) as refused:
        to_draft(entry(**changes), "$")
    assert refused.value.code == "import_malformed"
    assert words_of_it in refused.value.message
    assert refused.value.message.startswith("$")


MESSAGE = records.Message(
    id="msg_1",
    conversation_id="conv_1",
    parent_id=None,
    role="assistant",
    text="",
    status="complete",
    cut=False,
    spoken=False,
    model="",
    prompt_tokens=0,
    completion_tokens=0,
    timings={},
    tool_calls=(),
    tool_call_id="",
    attachments=(),
    audio=None,
    error=None,
    created_at=NOON,
    position=1,
)
TALK = records.Conversation(
    id="conv_1",
    title="???",
    title_source="given",
    pinned=False,
    archived=False,
    tags=(),
    draft="",
    head="msg_1",
    version=1,
    created_at=NOON,
    updated_at=NOON,
    deleted_at=None,
)


def test_remarks_say_what_is_to_know() -> None:
    assert remarks(MESSAGE) == ""
    heard = replace(MESSAGE, spoken=True, cut=True, status="interrupted", model="small")
    assert remarks(heard) == "spoken, interrupted; this is what was heard, small"
    assert remarks(replace(MESSAGE, status="failed")) == "failed"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("```py\nx", "x\n```\n"),
        ("~~~\nx\n~~~", "x\n~~~\n"),
        ("```py\n```js\nx\n```", "x\n```\n"),
        ("``` a`b", "``` a`b\n"),
        ("", "UTC\n"),
    ],
)
def test_an_open_fence_is_closed(text: str, end: str) -> None:
    shown = to_markdown(TALK, [replace(MESSAGE, text=text)])
    assert shown.endswith(end)
    assert "Tags" not in shown


def test_arguments_cannot_end_their_fence() -> None:
    call = records.StoredCall("c", "look", '{"at":"```"}')
    shown = to_markdown(TALK, [replace(MESSAGE, tool_calls=(call,))])
    assert shown.endswith('````\n{"at":"```"}\n````\n')


def test_a_title_without_letters_gives_a_file_a_name() -> None:
    assert file_name(TALK, ".md") == "2026-11-21-conversation.md"


def test_a_picture_inside_a_link_or_from_nowhere_is_its_words() -> None:
    assert 'class="image"' in render("![a](https://x.example/y.png)")
    inside = render("[![a](https://x.example/y.png)](https://z.example)")
    assert ("<img" in inside, 'class="image"' in inside, ">a</a>" in inside) == (False, False, True)
    assert "href" not in render("![a](javascript:alert)")
