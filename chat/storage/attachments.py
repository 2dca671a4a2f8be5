"""The rows of attachments; the files themselves are the business of whoever takes them in."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from chat.errors import ChatError
from chat.storage.content import clean, seal
from chat.storage.database import Storage
from chat.storage.limits import MAX_NAME, at_most
from chat.storage.purging import purge_unused
from chat.storage.records import Attachment, is_id, new_id, now
from chat.storage.rows import not_found, read_attachment
from chat.storage.schema import attachments

__all__ = ["add", "get", "list_ids", "purge_unused", "remove"]

_A = attachments.c


async def add(
    storage: Storage,
    owner: str,
    *,
    name: str,
    media_type: str,
    size: int,
    stored_name: str,
    id: str = "",  # noqa: A002 - the record's own name for it
) -> Attachment:
    """Note a file that lies at `attachments/<stored_name>`, or return the one of that id.

    Raises `ChatError`: `exists` (the stored name), `invalid_request` (id), `too_large` (the name).
    """
    id_ = id or new_id("att")
    if not is_id(id_, "att"):
        raise ChatError("invalid_request", "an attachment's id is att_ and A-Za-z0-9_-")
    name = at_most(name, MAX_NAME, "file's name")
    made = Attachment(id_, name, media_type, size, stored_name, now())
    values = {
        "owner": owner,
        "id": id_,
        "name": seal(storage.content, owner, name),
        "media_type": media_type,
        "size": size,
        "stored_name": stored_name,
        "created_at": made.created_at,
    }
    try:
        async with storage.disk.write() as connection:
            await connection.execute(insert(attachments).values(values))
    except IntegrityError:
        for there in await list_ids(storage, owner, [id_]):
            return there
        raise ChatError("exists", "there is another file of this name") from None
    return made


async def get(storage: Storage, owner: str, attachment_id: str) -> Attachment:
    """The attachment. Raises `ChatError` (`not_found`)."""
    for found in await list_ids(storage, owner, [attachment_id]):
        return found
    raise not_found("attachment")


async def list_ids(storage: Storage, owner: str, ids: Sequence[str]) -> tuple[Attachment, ...]:
    """Those of `ids` that the owner has, in that order."""
    wanted = [clean(id_) for id_ in ids]
    query = select(*_A).where(_A.owner == owner, _A.id.in_(wanted))
    async with storage.disk.read() as connection:
        rows = {row.id: row for row in await connection.execute(query)}
    return tuple(
        read_attachment(storage.content, owner, rows[id_]) for id_ in wanted if id_ in rows
    )


async def remove(storage: Storage, owner: str, attachment_id: str) -> Attachment:
    """Forget an attachment; the caller removes the file.

    Raises `ChatError`: `not_found`, `in_use` (a message has it).
    """
    query = (
        delete(attachments).where(_A.owner == owner, _A.id == clean(attachment_id)).returning(*_A)
    )
    try:
        async with storage.disk.write() as connection:
            row = (await connection.execute(query)).one_or_none()
    except IntegrityError:
        raise ChatError("in_use", "a message has this attachment") from None
    if row is None:
        raise not_found("attachment")
    return read_attachment(storage.content, owner, row)
