"""What a transaction is given, whichever database it is on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import CursorResult, Executable

T = TypeVar("T")
Rows = CursorResult[*tuple[Any, ...]]


class Connection(Protocol):
    """A connection in a transaction: SQLAlchemy's asynchronous one is one."""

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        """The result of a statement, all of whose rows are here."""
        ...

    async def run_sync(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
        """What `function` gives, called with SQLAlchemy's synchronous connection."""
        ...


Work = Callable[[Connection], Awaitable[T]]
"""A whole transaction. It awaits nothing but its connection: on SQLite it runs in one go, in the
thread of that connection."""


class Direct:
    """A connection for who is in its thread already: nothing is ever waited for."""

    def __init__(self, connection: SyncConnection) -> None:
        self._connection = connection

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        """The result of a statement."""
        return self._connection.execute(statement, parameters)

    async def run_sync(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
        """What `function` gives."""
        return function(self._connection, *arguments, **named)


def drive(work: Work[T], connection: SyncConnection) -> T:
    """Run a transaction to its end here and now."""
    running: Any = work(Direct(connection))
    try:
        running.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    running.close()
    raise RuntimeError("a transaction awaits nothing but its connection")
