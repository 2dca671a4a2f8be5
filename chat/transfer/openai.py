"""Conversations of OpenAI's data export (`conversations.json`). Pure.

The export has no published schema. What is read here, as several tools and descriptions of it
agree: `mapping` is a tree of nodes (`parent`, `message`), `current_node` the newest one shown; a
message has `author.role`, `create_time` in seconds, `content` with `content_type` and `parts` or
`text`, and `metadata` with `model_slug` and `is_visually_hidden_from_conversation`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from chat.storage.records import NewMessage, Role
from chat.transfer.drafts import Draft, DraftMessage, Node, grow, malformed, moment, title_of

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "developer": "system",
    "function": "tool",
}
_HIDDEN = {
    "user_editable_context",
    "model_editable_context",
    "thoughts",
    "reasoning_recap",
}
"""Instructions and thoughts, which the page they come from does not show in the conversation."""

_PLACEHOLDERS = {
    "image_asset_pointer": "[image]",
    "audio_asset_pointer": "",
    "real_time_user_audio_video_asset_pointer": "",
    "video_container_asset_pointer": "[video]",
}
"""For parts that are files. Sound comes with its transcript, which says more."""


class Author(Struct):
    """Who speaks."""

    role: str


class Content(Struct):
    """What is said; most kinds use `parts`, some `text` or `result`."""

    content_type: str = "text"
    parts: list[Any] | None = None
    text: Any = None
    result: Any = None
    language: Any = None
    url: Any = None
    title: Any = None


class Said(Struct):
    """A message."""

    author: Author
    content: Content | None = None
    create_time: float | None = None
    status: str | None = None
    metadata: dict[str, Any] | None = None


class Place(Struct):
    """A node of the tree."""

    message: Said | None = None
    parent: str | None = None


class OpenAiConversation(Struct):
    """A conversation of the export."""

    mapping: dict[str, Place]
    title: str | None = None
    create_time: float | None = None
    update_time: float | None = None
    current_node: str | None = None
    is_archived: bool | None = None
    is_starred: bool | None = None


def to_draft(raw: bytes | msgspec.Raw, where: str) -> Draft:
    """One conversation of the export. Raises `ChatError` `import_malformed`."""
    try:
        found = msgspec.json.decode(raw, type=OpenAiConversation)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise malformed(where, str(error)) from None
    nodes = {
        id_: Node(id_, place.parent, _to_message(place.message))
        for id_, place in found.mapping.items()
    }
    messages, head = grow(nodes, found.current_node, f"{where}.mapping")
    title, source = title_of(found.title)
    return Draft(
        title=title,
        title_source=source,
        messages=tuple(map(DraftMessage, messages)),
        head=head,
        created_at=moment(found.create_time),
        updated_at=moment(found.update_time),
        archived=bool(found.is_archived),
        pinned=bool(found.is_starred),
    )


def _to_message(said: Said | None) -> NewMessage | None:
    if said is None or said.content is None:
        return None
    metadata = said.metadata or {}
    if metadata.get("is_visually_hidden_from_conversation") or said.author.role not in _ROLES:
        return None
    text = _words(said.content)
    if not text.strip():
        return None
    model = metadata.get("model_slug")
    return NewMessage(
        role=_ROLES[said.author.role],
        text=text,
        status="interrupted" if said.status == "in_progress" else "complete",
        model=model[:256] if isinstance(model, str) and said.author.role == "assistant" else "",
        created_at=moment(said.create_time),
    )


def _words(content: Content) -> str:
    """The text of a message as Markdown; what is no text is named in brackets."""
    kind = content.content_type
    if kind in _HIDDEN:
        return ""
    if content.parts is not None:
        pieces = [_part(part) for part in content.parts]
        return "\n\n".join(piece for piece in pieces if piece)
    text = next((t for t in (content.text, content.result) if isinstance(t, str)), "")
    if kind in {"code", "execution_output"} and text.strip():
        language = content.language if kind == "code" else ""
        language = language if isinstance(language, str) and language.isalnum() else ""
        return _fenced(text, "" if language == "unknown" else language)
    if kind == "tether_quote" and text:
        source = " ".join(str(s) for s in (content.title, content.url) if isinstance(s, str))
        return f"{source}\n\n" + "\n".join(f"> {line}" for line in text.splitlines())
    return text or ("" if kind == "text" else f"[{kind[:60]}]")


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    kind = part.get("content_type")
    if isinstance(kind, str) and kind in _PLACEHOLDERS:
        return _PLACEHOLDERS[kind]
    text = part.get("text")
    if isinstance(text, str):
        return text
    return f"[{kind[:60]}]" if isinstance(kind, str) else ""


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
