"""Tools of MCP servers (modelcontextprotocol.io): programs started here, or servers spoken to over
streamable HTTP.

The library is imported only when a server is started: it costs time and memory.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from chat.errors import ChatError
from chat.providers import Tool
from chat.providers.config import McpEntry, key_of
from chat.tools import Registered, Registry, ToolFailed

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

log = logging.getLogger(__name__)

START_SECONDS = 60.0
"""A package runner may have to fetch the program first."""

END_SECONDS = 10.0
MOST_TOOLS = 64
"""Of one server: each costs room in every prompt."""

NAME_CHARS = 64
"""The longest name that OpenAI and Anthropic take for a tool."""


class McpServer:
    """A connection to one server. It is made anew when it is lost, at the next call."""

    def __init__(
        self, name: str, entry: McpEntry, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.name = name
        self._entry = entry
        self._environment = environment
        self._client: Client | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect, if there is no connection. Raises `ToolFailed`, or `ChatError` `providers_file`
        for a key that is missing.
        """
        async with self._starting:
            if self._client is not None:
                return
            self._stop = asyncio.Event()
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            ready.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._task = asyncio.create_task(self._run(ready), name=f"mcp {self.name}")
            try:
                async with asyncio.timeout(START_SECONDS):
                    await asyncio.shield(ready)
            except TimeoutError:
                await self._end()
                raise ToolFailed(f"the MCP server {self.name} did not answer in time") from None
            except asyncio.CancelledError:
                await self._end()
                raise

    async def close(self) -> None:
        """Disconnect; a program that was started is ended."""
        async with self._starting:
            await self._end()

    async def tools(self) -> list[Registered]:
        """The server's tools, named `server__tool`. Raises `ToolFailed`."""
        client = await self._connected()
        try:
            async with asyncio.timeout(START_SECONDS):
                found = (await client.list_tools()).tools
        except Exception as error:
            raise ToolFailed(f"the MCP server {self.name} does not tell its tools") from error
        return [
            Registered(
                Tool(_name(self.name, tool.name), tool.description or "", tool.input_schema),
                partial(self.call, tool.name),
                self._entry.tools.get(tool.name, self._entry.consent),
            )
            for tool in found[:MOST_TOOLS]
        ]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """What the tool gives, as text. Raises `ToolFailed`."""
        client = await self._connected()
        try:
            result = await client.call_tool(tool, dict(arguments))
        except Exception as error:
            if _is_lost(error):  # the next call makes another connection
                await self.close()
            raise ToolFailed(f"{tool} of the MCP server {self.name}") from error
        text = _text(result)
        if result.is_error:
            raise ToolFailed(f"{tool} of the MCP server {self.name} said: {text[:500]}")
        return text

    async def _connected(self) -> Client:
        await self.start()
        if self._client is None:
            raise ToolFailed(f"the MCP server {self.name} went away")
        return self._client

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        if self._client is None:
            task.cancel()
        self._stop.set()
        _, late = await asyncio.wait([task], timeout=END_SECONDS)
        if late:
            log.warning("the MCP server %s does not end", self.name)

    async def _run(self, ready: asyncio.Future[None]) -> None:
        """Hold the connection until told to stop: it must end in the task that made it."""
        try:
            async with _connection(self._entry, self.name, self._environment) as client:
                self._client = client
                ready.set_result(None)
                await self._stop.wait()
        except ChatError as error:
            _give(ready, error)
        except Exception as error:
            log.warning("the MCP server %s is lost", self.name, exc_info=error)
            failure = ToolFailed(f"the MCP server {self.name} cannot be reached")
            failure.__cause__ = error
            _give(ready, failure)
        finally:
            self._client = None
            ready.cancel()


class McpServers:
    """All MCP servers of a providers file and their tools."""

    def __init__(
        self, entries: Mapping[str, McpEntry], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._servers = [McpServer(name, entry, environment) for name, entry in entries.items()]

    async def register(self, registry: Registry) -> list[str]:
        """Start the servers and add their tools; gives the names of those that did not start.

        A server that is down takes nothing else with it. Raises `ChatError` `providers_file` for
        a key that is missing.
        """
        found = await asyncio.gather(*map(_tools, self._servers))
        for tools in found:
            for registered in tools or ():
                if registered.tool.name not in registry.consents:
                    registry.add(registered)
        return [
            server.name for server, tools in zip(self._servers, found, strict=True) if tools is None
        ]

    async def close(self) -> None:
        """Disconnect from all of them."""
        await asyncio.gather(*(server.close() for server in self._servers))


async def _tools(server: McpServer) -> Sequence[Registered] | None:
    try:
        return await server.tools()
    except ToolFailed as error:
        log.warning("%s", error)
        return None


@asynccontextmanager
async def _connection(
    entry: McpEntry, name: str, environment: Mapping[str, str]
) -> AsyncIterator[Client]:
    import mcp  # noqa: PLC0415  only where a server is configured

    async with AsyncExitStack() as stack:
        if entry.url:
            import httpx2  # noqa: PLC0415
            from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

            key = key_of(entry.key_env, environment, f"mcp.{name}.key_env")
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers))
            transport = streamable_http_client(entry.url, http_client=http)
        else:
            from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415

            given = {
                variable: key_of(variable, environment, f"mcp.{name}.pass_env")
                for variable in entry.pass_env
            }
            command, *arguments = entry.command
            program = StdioServerParameters(command=command, args=arguments, env=given)
            # The present `sys.stderr` may be no real file, which a program would need.
            transport = stdio_client(program, errlog=sys.__stderr__ or sys.stderr)
        yield await stack.enter_async_context(mcp.Client(transport))


def _is_lost(error: Exception) -> bool:
    """Whether nothing more can be asked over the connection, as far as one can know."""
    from mcp import MCPError  # noqa: PLC0415
    from mcp_types import CONNECTION_CLOSED  # noqa: PLC0415

    return not isinstance(error, MCPError) or error.code == CONNECTION_CLOSED


def _give(ready: asyncio.Future[None], error: Exception) -> None:
    if not ready.done():
        ready.set_exception(error)


def _name(server: str, tool: str) -> str:
    """A name that providers take, for the tool of a server."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", f"{server}__{tool}")[:NAME_CHARS]


def _text(result: CallToolResult) -> str:
    """The text of a result; what is no text is named only."""
    return "\n".join(
        part.text if part.type == "text" else f"[{part.type}]" for part in result.content
    )
