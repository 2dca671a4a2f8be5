"""An MCP server, made with the library's own server: over stdio, or HTTP at the port given."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("notes")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool(name="long.text")
def long_text(count: int) -> str:
    """Gives a long text."""
    return "x" * count


@server.tool()
def fail() -> str:
    """Fails, and tells too much."""
    raise RuntimeError("no such file /srv/secret")


@server.tool()
def leave() -> str:
    """Ends the server."""
    os._exit(1)


@server.tool()
def environment() -> str:
    """Names what of the environment it sees."""
    return " ".join(sorted(name for name in os.environ if name.endswith("_SECRET")))


@server.tool()
async def sleep() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return "never"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
