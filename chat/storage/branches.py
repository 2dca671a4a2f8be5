"""Queries that walk the tree of messages, one step of the database's own a message."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, literal, select

from chat.storage.rows import MESSAGE
from chat.storage.schema import conversations, messages

_M = messages.c
_C = conversations.c


def select_branch(
    owner: str,
    conversation_id: str,
    start: ColumnElement[bool],
    length: int,
    *,
    titled: bool = False,
) -> tuple[Select[Any], dict[str, Any]]:
    """From the message that `start` picks up to its ancestors, newest first, at most `length`.

    `titled`: each row has the conversation's title and its source too, and of a deleted
    conversation there are none. `start` compares a column of `messages` with a value. Gives a
    statement, which is kept, since making it takes longer than running it, and its parameters.
    """
    compared: Any = start
    column, value = compared.left, getattr(compared.right, "value", None)  # nothing equals NULL
    parameters = {
        "of_owner": owner,
        "of_conversation": conversation_id,
        "from_value": value,
        "most": length,
    }
    return _branch_from(column.name, titled), parameters


@cache
def _branch_from(start: str, titled: bool) -> Select[Any]:
    owner: Any = bindparam("of_owner")
    conversation_id: Any = bindparam("of_conversation")
    mine = (_M.owner == owner, _M.conversation_id == conversation_id)
    picked = _M[start] == bindparam("from_value")
    first = select(*MESSAGE, literal(1).label("depth")).where(*mine, picked)
    branch = first.cte("branch", recursive=True)
    parent = messages.alias("parent")
    step = (
        select(*(parent.c[column.name] for column in MESSAGE), (branch.c.depth + 1).label("depth"))
        .join_from(branch, parent, parent.c.id == branch.c.parent_id)
        .where(
            parent.c.owner == owner,
            parent.c.conversation_id == conversation_id,
            branch.c.depth < bindparam("most"),
        )
    )
    branch = branch.union_all(step)
    found = select(*(branch.c[column.name] for column in MESSAGE)).order_by(branch.c.depth)
    if not titled:
        return found
    here = (_C.owner == owner) & (_C.id == branch.c.conversation_id) & _C.deleted_at.is_(None)
    return found.add_columns(_C.title, _C.title_source).join(conversations, here)


def select_newest_below(owner: str, conversation_id: str, message_id: str) -> Select[Any]:
    """The id of the newest message that descends from this one, or its own."""
    mine = (_M.owner == owner, _M.conversation_id == conversation_id)
    first = select(_M.id, _M.position).where(*mine, _M.id == message_id)
    below = first.cte("below", recursive=True)
    child = messages.alias("child")
    below = below.union_all(
        select(child.c.id, child.c.position)
        .join_from(below, child, child.c.parent_id == below.c.id)
        .where(child.c.owner == owner, child.c.conversation_id == conversation_id)
    )
    return select(below.c.id).order_by(below.c.position.desc()).limit(1)
