"""Creating something once, however often it is asked for (the IETF's draft on Idempotency-Key).

The same key with the same request gets the same answer; with another request it is refused.
An answer that was a failure is not kept: the same key may try again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from chat.errors import ChatError
from chat.storage import Storage
from chat.storage import idempotency as kept
from chat.storage.records import Answered

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Pending:
    """The keys that are being answered in this process, so that a double waits for its twin."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], asyncio.Event] = {}

    @asynccontextmanager
    async def alone(self, owner: str, key: str) -> AsyncIterator[None]:
        """Enter when nobody else is in with the same key."""
        name = (owner, key)
        while (other := self._running.get(name)) is not None:
            await other.wait()
        mine = self._running[name] = asyncio.Event()
        try:
            yield
        finally:
            del self._running[name]
            mine.set()


def check_key(key: str) -> str:
    """The key: 1 to 255 visible ASCII characters. Raises `ChatError` `invalid_value`."""
    if not _KEY.fullmatch(key):
        raise ChatError(
            "invalid_value", "Idempotency-Key is 1 to 255 visible ASCII characters without spaces"
        )
    return key


def fingerprint(*parts: bytes) -> str:
    """What tells one request from another: SHA-256 over its parts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


async def once(
    storage: Storage,
    owner: str,
    key: str,
    request: str,
    make: Callable[[], Awaitable[Answered]],
    *,
    ephemeral: bool = False,
) -> tuple[Answered, bool]:
    """The answer to the request with this fingerprint, and whether it is one that was given before.

    `make` creates the thing and gives the answer that is kept: in memory only if `ephemeral`.
    Raises `ChatError`: `idempotency_conflict` if the key came with another request, `in_progress`.
    """
    before = await kept.begin(storage, owner, key, request, ephemeral=ephemeral)
    if before is not None:
        return before, True
    try:
        answer = await make()
    except BaseException:
        # Cancelled too: the key must not stay taken by a request that is no more.
        await asyncio.shield(kept.give_up(storage, owner, key, ephemeral=ephemeral))
        raise
    await kept.finish(storage, owner, key, answer.status, answer.body, ephemeral=ephemeral)
    return answer, False
