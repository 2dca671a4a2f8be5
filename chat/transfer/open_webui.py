"""Conversations of Open WebUI's export. Pure.

A list of chats, each `{title, created_at, updated_at, pinned, archived, meta: {tags}, chat: {title,
history: {currentId, messages}}}`; messages are a mapping from id to `{parentId, role, content,
timestamp, model, files, error, usage}`. Old exports have `chat.messages`, a list, instead of
`history`. Times are seconds, in old versions milliseconds.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from chat.storage.limits import MAX_TAG, MAX_TAGS
from chat.storage.records import NewMessage, Role
from chat.transfer.drafts import Draft, DraftMessage, Node, grow, malformed, moment, title_of

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
}
_REASONING = re.compile(r"<details type=\"(?:reasoning|tool_calls|code_interpreter)\"[^>]*>")
_END = "</details>"


class Said(Struct, rename="camel"):
    """A message. `content` is a text, rarely a list of parts."""

    role: str
    content: Any = ""
    parent_id: str | None = None
    timestamp: float | None = None
    model: Any = None
    files: list[Any] | None = None
    error: Any = None
    usage: dict[str, Any] | None = None
    done: Any = None


class History(Struct, rename="camel"):
    """The tree."""

    messages: dict[str, Said] = {}
    current_id: str | None = None


class Chat(Struct):
    """What was said."""

    title: str | None = None
    history: History | None = None
    messages: list[Said] = []
    timestamp: float | None = None
    tags: Any = None


class Exported(Struct):
    """A row of the export."""

    chat: Chat
    title: str | None = None
    created_at: float | None = None
    updated_at: float | None = None
    archived: bool | None = None
    pinned: bool | None = None
    meta: dict[str, Any] | None = None


def to_draft(raw: bytes | msgspec.Raw, where: str) -> Draft:
    """One conversation of the export. Raises `ChatError` `import_malformed`."""
    try:
        found = msgspec.json.decode(raw, type=Exported)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise malformed(where, str(error)) from None
    chat = found.chat
    if chat.history is not None and chat.history.messages:
        nodes = {
            id_: Node(id_, said.parent_id, _to_message(said))
            for id_, said in chat.history.messages.items()
        }
        current = chat.history.current_id
    else:
        nodes = {
            str(number): Node(str(number), str(number - 1) if number else None, _to_message(said))
            for number, said in enumerate(chat.messages)
        }
        current = None
    messages, head = grow(nodes, current, f"{where}.chat.history.messages")
    title, source = title_of(found.title or chat.title)
    created = moment(found.created_at) or moment(chat.timestamp)
    return Draft(
        title=title,
        title_source=source,
        messages=tuple(map(DraftMessage, messages)),
        head=head,
        created_at=created,
        updated_at=moment(found.updated_at) or created,
        archived=bool(found.archived),
        pinned=bool(found.pinned),
        tags=_tags((found.meta or {}).get("tags")) or _tags(chat.tags),
    )


def _tags(value: Any) -> tuple[str, ...]:
    """Tags are texts, in old versions `{name}`."""
    if not isinstance(value, list):
        return ()
    names = [tag.get("name") if isinstance(tag, dict) else tag for tag in value]
    kept = dict.fromkeys(name[:MAX_TAG] for name in names if isinstance(name, str) and name)
    return tuple(kept)[:MAX_TAGS]


def _to_message(said: Said) -> NewMessage | None:
    role = _ROLES.get(said.role)
    if role is None:
        return None
    text = "\n\n".join(piece for piece in (_words(said.content), *_files(said.files)) if piece)
    error = _error(said.error)
    if not text.strip() and error is None:
        return None
    usage = said.usage or {}
    return NewMessage(
        role=role,
        text=text,
        status="failed" if error is not None else "complete",
        model=said.model[:256] if isinstance(said.model, str) and role == "assistant" else "",
        prompt_tokens=_count(usage.get("prompt_tokens", usage.get("prompt_eval_count"))),
        completion_tokens=_count(usage.get("completion_tokens", usage.get("eval_count"))),
        error=error,
        created_at=moment(said.timestamp),
    )


def _words(content: Any) -> str:
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n\n".join(text for text in texts if isinstance(text, str))
    return _without_details(content) if isinstance(content, str) else ""


def _without_details(text: str) -> str:
    """`text` without the folded blocks of thoughts and tool calls that are written into it."""
    pieces = []
    at = 0
    while found := _REASONING.search(text, at):
        pieces.append(text[at : found.start()])
        end = text.find(_END, found.end())
        at = len(text) if end < 0 else end + len(_END)
    pieces.append(text[at:])
    return "".join(pieces).strip() if len(pieces) > 1 else text


def _files(files: list[Any] | None) -> list[str]:
    """What was attached, named in brackets."""
    named = []
    for file in files or ():
        if isinstance(file, dict):
            name = file.get("name")
            kind = "image" if file.get("type") == "image" else "file"
            named.append(
                f"[{kind}: {name[:120]}]" if isinstance(name, str) and name else f"[{kind}]"
            )
    return named


def _error(error: Any) -> str | None:
    if not error:
        return None
    message = error.get("content") if isinstance(error, dict) else error
    return message[:1000] if isinstance(message, str) else "failed"


def _count(value: Any) -> int:
    return min(value, 2**53) if isinstance(value, int) and value > 0 else 0
