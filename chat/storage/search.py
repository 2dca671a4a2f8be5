"""Full-text search in titles and messages, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    cast,
    column,
    func,
    literal,
    literal_column,
    null,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from chat.errors import ChatError
from chat.storage.connection import Connection
from chat.storage.content import unseal
from chat.storage.database import Database, Storage
from chat.storage.limits import at_most, page_size, row_cursor, to_cursor
from chat.storage.records import SearchHit, SearchPage
from chat.storage.schema import conversations, messages
from chat.storage.words import Term, marked, query_of, read_query

MAX_QUERY = 500
FEW = 1000
"""So many matches are gathered and sorted; where there are more, walking back soon meets some."""
_C = conversations.c
_M = messages.c


async def search(
    storage: Storage,
    owner: str,
    query: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: int = 20,
    archived: bool | None = None,
    ephemeral: bool = False,
) -> SearchPage:
    """Titles, then messages, that have all of the words; of each the last stored first.

    `query`: words, `"a phrase"`, `beginning*`, `-without`; the last word counts as a beginning.
    `since` <= `created_at` < `until`. Deleted conversations are not found. Raises `ChatError`:
    `search_unavailable` (contents are stored so that the database cannot read them),
    `invalid_request` (cursor), `too_large`.
    """
    if not storage.content.plain:
        raise ChatError("search_unavailable", "there is no search in encrypted conversations")
    terms = read_query(at_most(query, MAX_QUERY, "query"))
    database = storage.kept(ephemeral=ephemeral)
    wanted = query_of(terms, database.dialect)
    kind, row = row_cursor(cursor) if cursor else ("t", 0)
    if kind not in {"t", "m"}:
        raise ChatError("invalid_request", "this is no cursor of a search")
    if not wanted:
        return SearchPage((), None)
    limit = page_size(limit)

    async def look(connection: Connection) -> SearchPage:
        found: list[Any] = []
        for part in "tm" if kind == "t" else "m":
            left = limit + 1 - len(found)
            if not left:
                break
            statement, place, created_at = _statement(database, owner, part, wanted)
            if part == kind and row:
                statement = statement.where(place < row)
            if since:
                statement = statement.where(created_at >= since)
            if until:
                statement = statement.where(created_at < until)
            if archived is not None:
                statement = statement.where(_C.archived.is_(archived))
            found += await connection.execute(_last(database, statement, place, left))
        more = None
        if len(found) > limit:
            last = found[limit - 1]
            more = to_cursor("t" if last.id is None else "m", last.row)
        hits = tuple(_hit(storage, owner, found_row, terms) for found_row in found[:limit])
        return SearchPage(hits, more)

    return await database.query(look)


def _statement(
    database: Database, owner: str, part: str, wanted: str
) -> tuple[Select[Any], ColumnElement[int], ColumnElement[datetime]]:
    """Selects what matches, as hits need it; also its place in the order, and its time."""
    rows = conversations if part == "t" else messages
    if part == "t":
        nothing = [null().label(name) for name in ("id", "role", "text")]
        query = select(
            _C.row, _C.id.label("conversation_id"), _C.title, _C.created_at, *nothing
        ).where(_C.owner == owner)
    else:
        # The unary plus keeps SQLite from walking through all messages of the owner: it has to
        # begin with what its index found, which comes in the order that is wanted.
        sqlite = database.dialect == "sqlite"
        their_owner = literal_column("+messages.owner") if sqlite else _M.owner
        theirs = literal_column("+messages.conversation_id") if sqlite else _M.conversation_id
        query = (
            select(
                _M.row,
                _M.conversation_id,
                _C.title,
                _M.created_at,
                _M.id,
                _M.role,
                _M.text,
            )
            .join_from(messages, conversations, (_C.owner == their_owner) & (_C.id == theirs))
            .where(their_owner == owner)
        )
    query = query.where(_C.deleted_at.is_(None))
    if database.dialect == "postgresql":
        asked = cast(cast(literal(wanted), Text), TSQUERY)
        return query.where(rows.c.words.op("@@")(asked)), rows.c.row, rows.c.created_at
    name = f"{rows.name}_index"
    index = table(name, column("rowid", BigInteger), column(name, Text))
    query = query.join(index, index.c.rowid == rows.c.row)
    return query.where(index.c[name].match(wanted)), index.c.rowid, rows.c.created_at


def _last(
    database: Database, statement: Select[Any], place: ColumnElement[int], wanted: int
) -> Select[Any]:
    """The `wanted` matches that were stored last, the last one first.

    PostgreSQL knows how frequent the most common words are. Of any other it may assume that it is
    in one row of two hundred (`DEFAULT_TS_MATCH_SEL`), and then walks back through the messages of
    everybody until it has met enough. So a few matches are looked up in the index first, whichever:
    most often they are all there are, and otherwise the word is common enough to walk.
    """
    if database.dialect != "postgresql":
        return statement.order_by(place.desc()).limit(wanted)
    few = statement.limit(FEW + 1).cte("few")
    all_of_them = select(func.count()).select_from(few).scalar_subquery() <= FEW
    walked = statement.where(~all_of_them).order_by(place.desc()).limit(wanted).subquery()
    both = union_all(select(few).where(all_of_them), select(walked)).subquery()
    return select(both).order_by(both.c.row.desc()).limit(wanted)


def _hit(storage: Storage, owner: str, row: Any, terms: Sequence[Term]) -> SearchHit:
    title = unseal(storage.content, owner, row.title)
    text = title if row.id is None else unseal(storage.content, owner, row.text)
    return SearchHit(
        row.conversation_id, title, row.id, row.role, marked(text, terms), row.created_at
    )
