"""One operation of the API as data: where it is, what it takes and gives, and who answers it.

Routing, checks, the OpenAPI document and the tests all read the same table (`chat.api.table`).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from chat.api.core import Core
from chat.api.shapes import Shape
from chat.api.spool import Spooled

ROOT = "/api/v1"

Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose owner is known and whose query and body have been checked.

    `ids` are those in the path; `query` and `body` are what the operation declares, `upload` is the
    file of one that takes a file.
    """

    core: Core
    request: Request
    owner: str
    ids: Mapping[str, str]
    query: Any = None
    body: Any = None
    upload: Spooled | None = None

    def stands(self) -> bool:
        """Whether who asks may still: a stream that is open ends where not."""
        return self.core.stands(self.request)

    @property
    def if_match(self) -> str | None:
        """The header."""
        return self.request.headers.get("if-match")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be answered as JSON; `headers` beside it."""

    value: Shape | None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    """0: the operation's own."""


Handle = Callable[[Call], Awaitable[Answer | Response]]

Follow = Callable[[Call, Mapping[str, Any]], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`path` is below `/api/v1`. `creates`: it takes an Idempotency-Key. `updates`: If-Match.

    `follow` turns a kept answer (as JSON) into a stream for who accepts one. `takes_file`: the body
    is one, of at most so many bytes as that field of `Limits` says. `gives`: media types beside
    JSON. `public`: nobody in particular asks.
    """

    method: Method
    path: str
    name: str
    summary: str
    handle: Handle
    tag: str
    status: int = 200
    query: type[Shape] | None = None
    body: type[Shape] | None = None
    answer: type[Shape] | None = None
    creates: bool = False
    updates: bool = False
    takes_file: Literal["", "upload_bytes", "import_bytes"] = ""
    gives: tuple[str, ...] = ()
    follow: Follow | None = None
    refusals: tuple[str, ...] = ()
    public: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """The names in the path's braces."""
        return tuple(re.findall(r"{(\w+)}", self.path))


def answer_bytes(value: Shape | None) -> bytes:
    """The JSON text of an answer; nothing for none."""
    return b"" if value is None else msgspec.json.encode(value)
