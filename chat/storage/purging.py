"""Getting rid of what was deleted, for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, not_, select, tuple_

from chat.storage.connection import Connection
from chat.storage.content import clean
from chat.storage.database import Database, Storage
from chat.storage.records import Purged
from chat.storage.rows import not_found
from chat.storage.schema import attachments, conversations, message_attachments, messages

BATCH = 100
"""Conversations that go in one transaction, so that a writer who waits does not wait long."""

_C = conversations.c
_M = messages.c
_A = attachments.c
_L = message_attachments.c


async def purge(storage: Storage, *, before: datetime) -> Purged:
    """Remove every owner's conversations that were deleted before that time.

    The files that `Purged` names belong to nothing any more; the caller removes them.
    """
    count, files = 0, set[str]()
    for database in (storage.disk, storage.memory):
        while (batch := await _purge(database, before)).conversations:
            count += batch.conversations
            files.update(batch.files)
    return Purged(count, tuple(sorted(files)))


async def _purge(database: Database, before: datetime) -> Purged:
    async with database.write() as connection:
        due = select(_C.owner, _C.id).where(_C.deleted_at < before).limit(BATCH)
        keys = [tuple(row) for row in await connection.execute(due)]
        return await _remove(connection, keys)


async def _remove(connection: Connection, keys: Sequence[tuple[str, str]]) -> Purged:
    """Remove the conversations with these owners and ids, and what belonged to them alone."""
    if not keys:
        return Purged(0, ())
    theirs = tuple_(_M.owner, _M.conversation_id).in_(keys)
    sounds = select(_M.audio).where(theirs, _M.audio.is_not(None))
    audio = set((await connection.execute(sounds)).scalars())
    links = select(_L.owner, _L.attachment_id).where(tuple_(_L.owner, _L.conversation_id).in_(keys))
    linked = {tuple(row) for row in await connection.execute(links)}
    gone = delete(conversations).where(tuple_(_C.owner, _C.id).in_(keys))
    count = (await connection.execute(gone)).rowcount
    if audio:
        # A copy of a conversation refers to the same sound.
        shared = select(_M.audio).where(_M.audio.in_(audio))
        audio -= set((await connection.execute(shared)).scalars())
    if linked:
        unused = (
            delete(attachments)
            .where(tuple_(_A.owner, _A.id).in_(linked), _unused())
            .returning(_A.stored_name)
        )
        audio |= set((await connection.execute(unused)).scalars())
    return Purged(count, tuple(audio))


async def purge_one(storage: Storage, owner: str, conversation_id: str) -> Purged:
    """Remove one conversation for good, whether it was deleted before or not.

    Raises `ChatError` (`not_found`).
    """
    conversation_id = clean(conversation_id)
    async with storage.of(conversation_id).write() as connection:
        gone = await _remove(connection, [(owner, conversation_id)])
    if not gone.conversations:
        raise not_found()
    return gone


async def purge_unused(storage: Storage, *, before: datetime) -> Purged:
    """Remove attachments that were added before that time and never sent."""
    query = delete(attachments).where(_A.created_at < before, _unused()).returning(_A.stored_name)
    async with storage.disk.write() as connection:
        names = (await connection.execute(query)).scalars().all()
    return Purged(0, tuple(names))


def _unused() -> ColumnElement[bool]:
    return not_(exists().where(_L.owner == _A.owner, _L.attachment_id == _A.id))


def remove_files(storage: Storage, names: tuple[str, ...]) -> int:
    """Remove stored files by the names that `Purged` gives (blocking); returns how many were."""
    removed = 0
    for name in names:
        path = storage.files / name
        if path.parent == storage.files and path.is_file():
            path.unlink()
            removed += 1
    return removed
