"""A conversation: items in order, each with an id. Pure.

The kinds are those of the Realtime protocol: messages, function calls and their outputs. One
session owns a conversation; nothing here is locked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from chat.errors import ChatError

Role = Literal["user", "assistant", "system"]


@dataclass(frozen=True, slots=True)
class MessageItem:
    """Something said. `text` is None while the words are not known yet (speech in transcription).

    `cut` says that the listener interrupted an assistant's message: `text` is what was heard.
    """

    id: str
    role: Role
    text: str | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class CallItem:
    """The assistant called the function `name`; `arguments` is a JSON text."""

    id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class OutputItem:
    """What the function call `call_id` gave."""

    id: str
    call_id: str
    output: str


Item = MessageItem | CallItem | OutputItem

ROOT = "root"
"""As `after`: before everything else (the protocol's word for it)."""


class Conversation:
    """Items in order. Iterating gives them first to last.

    Operations on an id that is not there raise `ChatError` `item_not_found`.
    """

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self.changes = 0
        """How often something was added, changed or taken out."""

    def __iter__(self) -> Iterator[Item]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._items

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids in order."""
        return tuple(self._items)

    @property
    def answered(self) -> set[str]:
        """The `call_id`s of the function calls that have an output."""
        return {item.call_id for item in self if isinstance(item, OutputItem)}

    def get(self, item_id: str) -> Item:
        """The item with this id."""
        if item_id not in self._items:
            raise ChatError("item_not_found", f"there is no item {item_id!r} in the conversation")
        return self._items[item_id]

    def previous_id(self, item_id: str) -> str | None:
        """The id before this one, None for the first."""
        self.get(item_id)
        ids = self.ids
        position = ids.index(item_id)
        return ids[position - 1] if position else None

    def add(self, item: Item, *, after: str | None = None) -> None:
        """Put `item` at the end, or after the item `after`, or with `ROOT` at the beginning.

        Raises `ChatError` `item_exists` if its id is taken.
        """
        if item.id in self._items or item.id == ROOT:
            raise ChatError("item_exists", f"there is an item {item.id!r} already")
        self.changes += 1
        if after is None:
            self._items[item.id] = item
            return
        if after != ROOT:
            self.get(after)
        ids = list(self.ids)
        ids.insert(0 if after == ROOT else ids.index(after) + 1, item.id)
        items = {**self._items, item.id: item}
        self._items = {item_id: items[item_id] for item_id in ids}

    def delete(self, item_id: str) -> Item:
        """Take the item out and return it."""
        item = self.get(item_id)
        del self._items[item_id]
        self.changes += 1
        return item

    def set_text(self, item_id: str, text: str) -> MessageItem:
        """Give a message its words: a transcript that came, or more of a reply."""
        return self._set(replace(self._message(item_id), text=text))

    def truncate(self, item_id: str, heard: str) -> MessageItem:
        """Cut an assistant's message down to what was heard of it, which may be nothing.

        Raises `ChatError` `item_not_assistant` if it is another kind of item.
        """
        item = self._message(item_id)
        if item.role != "assistant":
            raise ChatError("item_not_assistant", "only an assistant's message can be truncated")
        return self._set(replace(item, text=heard, cut=True))

    def uncut(self, item_id: str) -> MessageItem:
        """What was cut off a message follows in another one: the listener had not interrupted."""
        return self._set(replace(self._message(item_id), cut=False))

    def _set(self, item: MessageItem) -> MessageItem:
        self._items[item.id] = item
        self.changes += 1
        return item

    def _message(self, item_id: str) -> MessageItem:
        item = self.get(item_id)
        if not isinstance(item, MessageItem):
            raise ChatError("item_not_message", f"the item {item_id!r} is not a message")
        return item
