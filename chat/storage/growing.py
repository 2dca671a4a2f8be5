"""Answers that are being written, stored many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import bindparam, literal, update

from chat.storage.connection import Connection
from chat.storage.content import seal
from chat.storage.database import Storage
from chat.storage.schema import messages

_M = messages.c

_GROW = (
    update(messages)
    .where(
        _M.owner == bindparam("of_owner"),
        _M.conversation_id == bindparam("of_conversation"),
        _M.id == bindparam("of_message"),
        _M.status == "streaming",
    )
    .values(text=bindparam("new_text"))
)


@dataclass(frozen=True, slots=True)
class Grown:
    """What a message that is still `streaming` has become."""

    owner: str
    conversation_id: str
    message_id: str
    text: str


async def store_grown(storage: Storage, grown: Iterable[Grown]) -> None:
    """Store all these texts, one transaction for all that are on the disk.

    Nobody is told: the conversations' versions stay, and a text is indexed when it has ended. What
    is gone, or has ended already, is left as it is.
    """
    rows: dict[bool, list[dict[str, str]]] = {}
    for one in grown:
        on_disk = storage.of(one.conversation_id) is storage.disk
        row = {
            "of_owner": one.owner,
            "of_conversation": one.conversation_id,
            "of_message": one.message_id,
            "new_text": seal(storage.content, one.owner, one.text),
        }
        rows.setdefault(on_disk, []).append(row)
    for on_disk, some in rows.items():
        await storage.kept(ephemeral=not on_disk).transact(partial(_grow, some))


async def _grow(rows: list[dict[str, str]], connection: Connection) -> None:
    await connection.execute(_GROW, rows)


async def settle(storage: Storage, *, before: datetime) -> int:
    """Mark replies that were still growing as `interrupted`, if they began before that time.

    For the start of a server, when whoever wrote them is gone. Returns how many.
    """
    query = (
        update(messages)
        .where(_M.status == literal("streaming", literal_execute=True), _M.created_at < before)
        .values(status="interrupted")
    )
    async with storage.disk.write() as connection:
        return (await connection.execute(query)).rowcount
