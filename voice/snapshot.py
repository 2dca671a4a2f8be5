"""What another process needs to go on with a session: its configuration and what was said. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import msgspec
from msgspec import Struct

from chat.conversation import CallItem, Item, MessageItem, OutputItem
from voice.errors import VoiceError
from voice.protocol.config import SessionConfig

_KINDS: dict[str, type[MessageItem | CallItem | OutputItem]] = {
    "message": MessageItem,
    "call": CallItem,
    "output": OutputItem,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class Snapshot(Struct, frozen=True, kw_only=True):
    """A session between two events. `whose` is the key, and the browser, that let its client in."""

    session_id: str
    whose: tuple[str, str]
    config: SessionConfig
    items: list[tuple[str, dict[str, Any]]]
    conversation_id: str | None = None
    """Where it is stored, if it is."""
    languages: list[str]
    """Those of the conversation so far, the present one last."""

    @property
    def conversation(self) -> list[Item]:
        """What was said."""
        return [_KINDS[kind](**fields) for kind, fields in self.items]


def items_of(conversation: Iterable[Item]) -> list[tuple[str, dict[str, Any]]]:
    """The conversation as a snapshot holds it; words that are not known yet will not be known."""
    return [
        (_NAMES[type(item)], asdict(item))
        for item in conversation
        if not (isinstance(item, MessageItem) and item.text is None)
    ]


def encode(snapshot: Snapshot) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """Raises `VoiceError` `bad_snapshot` for what is none, or of another version."""
    try:
        snapshot = msgspec.json.decode(data, type=Snapshot)
        list(snapshot.conversation)
    except (msgspec.MsgspecError, TypeError, KeyError) as error:
        raise VoiceError(f"this is no session of ours: {error}", code="bad_snapshot") from None
    return snapshot
