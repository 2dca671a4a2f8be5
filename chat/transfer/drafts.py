"""What a file becomes before it is stored: conversations whose messages form a tree. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chat.errors import ChatError
from chat.storage.records import NewMessage, TitleSource

MAX_TITLE = 200
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DraftFile:
    """An attachment; `file` is its place in the archive, None if it did not come along."""

    name: str
    media_type: str
    size: int
    file: str | None


@dataclass(frozen=True, slots=True)
class DraftMessage:
    """A message to be stored. Ids, parents and call ids are the file's own; parents come first."""

    message: NewMessage
    files: tuple[DraftFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A conversation to be stored; `head` is a message's id in the file."""

    title: str
    title_source: TitleSource
    messages: tuple[DraftMessage, ...]
    head: str | None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    pinned: bool = False
    archived: bool = False
    tags: tuple[str, ...] = ()
    draft: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A place in a foreign tree: `message` None where nothing was said that we keep."""

    id: str
    parent: str | None
    message: NewMessage | None = field(default=None)


def malformed(where: str, what: str) -> ChatError:
    """The error for a file that is not what it should be; `where` is the place in it."""
    return ChatError("import_malformed", f"{where}: {what}")


def grow(
    nodes: Mapping[str, Node], head: str | None, where: str
) -> tuple[list[NewMessage], str | None]:
    """The messages of a foreign tree, parents first, and the newest one of the branch shown.

    Places without a message are taken out: what followed them follows what they followed. A
    parent that is not in the file makes a beginning. Without a usable `head` it is the newest
    message. Raises `ChatError` `import_malformed` if the tree has a circle.
    """
    order = _parents_first(nodes, where)
    kept: dict[str, str | None] = {}  # place -> the nearest place with a message, itself or above
    messages: list[NewMessage] = []
    for node in order:
        above = kept.get(node.parent) if node.parent is not None else None
        if node.message is None:
            kept[node.id] = above
            continue
        kept[node.id] = node.id
        messages.append(_with_parent(node.message, node.id, above))
    shown = kept.get(head) if head is not None else None
    return messages, shown or (messages[-1].id if messages else None)


def _with_parent(message: NewMessage, id_: str, parent: str | None) -> NewMessage:
    return NewMessage(
        role=message.role,
        text=message.text,
        id=id_,
        parent_id=parent,
        status=message.status,
        model=message.model,
        prompt_tokens=message.prompt_tokens,
        completion_tokens=message.completion_tokens,
        error=message.error,
        created_at=message.created_at,
    )


def _parents_first(nodes: Mapping[str, Node], where: str) -> list[Node]:
    children: dict[str | None, list[Node]] = {}
    for node in nodes.values():
        parent = node.parent if node.parent in nodes else None
        children.setdefault(parent, []).append(node)
    order: list[Node] = []
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += reversed(children.get(node.id, []))
    if len(order) != len(nodes):
        lost = next(iter(nodes.keys() - {node.id for node in order}))
        raise malformed(where, f"the messages form a circle (at {lost[:80]!r})")
    return order


def moment(value: object) -> datetime | None:
    """A time given as seconds since 1970 (or milli-, micro-, nanoseconds), None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    seconds = float(value)
    for _ in ("milli", "micro", "nano"):
        if seconds > 1e11:  # the year 5138: in truth a smaller unit
            seconds /= 1000
    try:
        found = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return found if _EARLIEST <= found <= _LATEST else None


def title_of(title: str | None) -> tuple[str, TitleSource]:
    """A title as it came, on one line and not too long; `temporary` if there is none."""
    words = " ".join((title or "").split())[:MAX_TITLE]
    return (words, "given") if words else ("", "temporary")
