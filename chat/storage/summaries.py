"""What the beginnings of branches came to, in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError

from chat.storage.connection import Connection
from chat.storage.content import clean, seal, unseal
from chat.storage.database import Storage
from chat.storage.limits import MAX_TEXT, at_most
from chat.storage.records import now
from chat.storage.rows import not_found
from chat.storage.schema import summaries

_S = summaries.c


@dataclass(frozen=True, slots=True)
class Summary:
    """What was said up to the message `message_id`, itself included."""

    message_id: str
    text: str


async def put(
    storage: Storage, owner: str, conversation_id: str, message_id: str, text: str
) -> None:
    """Keep the summary of what leads to a message. Raises `ChatError`: `not_found`, `too_large`."""
    conversation_id = clean(conversation_id)
    values = {
        "owner": owner,
        "conversation_id": conversation_id,
        "message_id": clean(message_id),
        "text": seal(storage.content, owner, at_most(text, MAX_TEXT, "text")),
        "created_at": now(),
    }
    database = storage.of(conversation_id)
    add = postgresql_insert if database.dialect == "postgresql" else sqlite_insert
    query = add(summaries)
    new = {"text": query.excluded.text, "created_at": query.excluded.created_at}
    keys = ["owner", "conversation_id", "message_id"]
    query = query.on_conflict_do_update(index_elements=keys, set_=new)

    async def keep(connection: Connection) -> None:
        await connection.execute(query, values)

    try:
        await database.transact(keep)
    except IntegrityError:
        raise not_found("message") from None


async def newest(
    storage: Storage, owner: str, conversation_id: str, branch: Sequence[str]
) -> Summary | None:
    """The summary that covers most of a branch, given as its messages' ids in reading order."""
    conversation_id = clean(conversation_id)
    query = select(_S.message_id, _S.text).where(
        _S.owner == owner, _S.conversation_id == conversation_id, _S.message_id.in_(branch)
    )

    async def look(connection: Connection) -> dict[str, str]:
        rows = await connection.execute(query)
        return {row.message_id: row.text for row in rows}

    found = await storage.of(conversation_id).query(look) if branch else {}
    last = next((id_ for id_ in reversed(branch) if id_ in found), None)
    return None if last is None else Summary(last, unseal(storage.content, owner, found[last]))
