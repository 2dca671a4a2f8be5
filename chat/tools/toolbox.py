"""The tools of a providers file, and what each owner has decided about them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from chat.errors import ChatError
from chat.providers.config import ProvidersFile
from chat.storage import Storage, preferences
from chat.tools import Consent, Registered, Registry
from chat.tools.loop import Bounds
from chat.tools.mcp_servers import McpServers

log = logging.getLogger(__name__)

DECIDED = "tools"
"""The name under which an owner's decisions lie among the preferences."""

AGAIN_SECONDS = 60.0
"""How long a server that did not start is left alone."""


class Toolbox:
    """Servers are started when tools are first wanted, and are everybody's; decisions are each
    owner's own. What the file says `never` of is nobody's to allow.
    """

    def __init__(
        self, file: ProvidersFile, storage: Storage, *, more: Registry | None = None
    ) -> None:
        """`more`: tools of the service's own."""
        given = file.tools
        self.bounds = Bounds(
            given.rounds, given.result_chars, given.call_seconds, given.consent_seconds
        )
        self._storage = storage
        self._servers = McpServers(file.mcp)
        self._all = more or Registry()
        self._missing = bool(file.mcp)
        self._tried: float | None = None
        self._starting = asyncio.Lock()
        self._deciding = asyncio.Lock()

    async def of(self, owner: str) -> Registry:
        """The tools as `owner` may use them: a registry of its own."""
        await self._start()
        if not self._all.consents:
            return Registry()
        decided = await self._decided(owner)
        return Registry(_as_decided(one, decided) for one in self._all)

    async def decide(self, owner: str, name: str, consent: Consent) -> Registered:
        """Keep what `owner` decided about a tool; `ask` forgets it. Raises `not_found`."""
        await self._start()
        known = self._all.get(name)
        if known is None:
            raise ChatError("not_found", "there is no such tool")
        async with self._deciding:
            decided = await self._decided(owner)
            decided.pop(name, None)
            if consent != "ask":
                decided[name] = consent
            await preferences.write(self._storage, owner, {DECIDED: decided or None})
        return _as_decided(known, decided)

    async def close(self) -> None:
        """End the servers."""
        await self._servers.close()

    async def _start(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._starting:
            due = self._tried is None or clock() - self._tried >= AGAIN_SECONDS
            if not self._missing or not due:
                return
            self._tried = clock()
            try:
                self._missing = bool(await self._servers.register(self._all))
            except ChatError as error:  # a key is missing: an answer without tools is one still
                log.warning("tools: %s", error.message)

    async def _decided(self, owner: str) -> dict[str, Any]:
        kept = (await preferences.read(self._storage, owner)).get(DECIDED)
        return dict(kept) if isinstance(kept, Mapping) else {}


def _as_decided(one: Registered, decided: Mapping[str, Any]) -> Registered:
    consent = decided.get(one.tool.name)
    if one.consent == "never" or consent not in ("always", "never"):
        return one
    return Registered(one.tool, one.call, consent)
