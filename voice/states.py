"""Where sessions are kept so that they outlive this process: Redis or Valkey."""

from __future__ import annotations

import logging
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

PREFIX = "vivavoce:session:"
TIMEOUT = 2.0
"""Seconds that an answer may take. Nobody waits for it in a conversation but who comes back."""


class States:
    """Sessions by the digest of their token. What does not work is logged, and never raised: a
    conversation does not end because its safety net has torn.
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
        )
        self._works = True

    async def save(self, name: str, state: bytes, *, seconds: float) -> None:
        """Keep `state` for so long."""
        await self._try("SET", PREFIX + name, state, "PX", max(1, int(seconds * 1000)))

    async def take(self, name: str) -> bytes | None:
        """What is kept, which is not kept any longer: one process alone goes on with it."""
        state = await self._try("GETDEL", PREFIX + name)
        return state if isinstance(state, bytes) else None

    async def drop(self, name: str) -> None:
        """Keep it no longer."""
        await self._try("DEL", PREFIX + name)

    async def close(self) -> None:
        """Give back the connections."""
        await self._redis.aclose()

    async def _try(self, *command: Any) -> Any:
        try:
            answer = await self._redis.execute_command(*command)
        except (RedisError, OSError) as error:
            if self._works:
                log.error("sessions cannot be kept in Redis: %s", error)
            self._works = False
            return None
        self._works = True
        return answer
