"""What the API works with: given by who composes the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request

from chat.api.idempotency import Pending
from chat.api.live import Hub
from chat.jobs import Jobs
from chat.storage import LOCAL_OWNER, Storage
from chat.talk import Talk
from chat.tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one request may bring or ask for."""

    body_bytes: int = 2 * 2**20
    """A JSON body."""
    upload_bytes: int = 20 * 2**20
    """An attachment."""
    import_bytes: int = 200 * 2**20
    """A file of conversations."""
    heartbeat_seconds: float = 15.0
    """The longest silence of a stream of events."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model as its user sees it: a name and a tier, never where it runs or with which key."""

    name: str
    tier: str
    default: bool = False


def _local(_: Request) -> str:
    return LOCAL_OWNER


def _always(_: Request) -> bool:
    return True


def _none() -> None:
    return None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Core:
    """`who` tells the owner that a request acts for; it raises `ChatError` `invalid_api_key` where
    there is none. `stands` tells later on whether it still may, while its
    stream is open. `tools` are those of the text chat, if there are any. `others` are OpenAPI
    documents of the same server's other routes.
    """

    storage: Storage
    talk: Talk
    jobs: Jobs
    live: Hub
    data_dir: Path
    models: Callable[[], Sequence[Choice]] = tuple
    who: Callable[[Request], str] = _local
    stands: Callable[[Request], bool] = _always
    tools: Callable[[], Toolbox | None] = _none
    limits: Limits = field(default_factory=Limits)
    now: Callable[[], datetime] = _now
    others: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    pending: Pending = field(default_factory=Pending)
