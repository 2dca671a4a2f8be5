"""Tools of a real MCP server, over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from chat.errors import ChatError
from chat.providers.config import McpEntry
from chat.tools import Registry, ToolFailed
from chat.tools import mcp_servers as module
from chat.tools.mcp_servers import McpServer, McpServers

PROGRAM = (sys.executable, str(Path(__file__).parent / "mcp_program.py"))
SILENT = McpEntry(command=(sys.executable, "-c", "import sys; sys.stdin.read()"))
ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notes() -> AsyncIterator[McpServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTHER_SECRET", "2")
        entry = McpEntry(command=PROGRAM, pass_env=("MY_SECRET",))
        server = McpServer("notes", entry, {"MY_SECRET": "1"})
        await server.start()
    yield server
    await server.close()


async def test_tools_are_found_and_called_at_once(notes: McpServer) -> None:
    tools = {each.tool.name: each for each in await notes.tools()}
    assert tools["notes__add"].tool.description == "Adds two numbers."
    assert tools["notes__add"].tool.parameters["required"] == ["a", "b"]
    assert await tools["notes__long_text"].call({"count": 3}) == "xxx"  # it is `long.text` there
    call = tools["notes__add"].call
    sums = await asyncio.gather(*(call({"a": n, "b": 1}) for n in range(20)))
    assert sums == [str(n + 1) for n in range(20)]


async def test_what_goes_wrong_is_a_failure_and_the_connection_stays(notes: McpServer) -> None:
    client = notes._client
    for name, arguments in (("fail", {}), ("add", {"a": "many"}), ("unknown", {})):
        with pytest.raises(ToolFailed):
            await notes.call(name, arguments)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await notes.call("sleep", {})
    assert await notes.call("add", {"a": 1, "b": 1}) == "2"
    assert notes._client is client


async def test_a_program_sees_only_what_it_is_given_of_the_environment(notes: McpServer) -> None:
    assert await notes.call("environment", {}) == "MY_SECRET"


async def test_a_server_that_ended_is_started_anew(notes: McpServer) -> None:
    with pytest.raises(ToolFailed):
        await notes.call("leave", {})
    assert await notes.call("add", {"a": 1, "b": 1}) == "2"


async def test_consent_is_each_tools_own_and_a_server_that_is_down_harms_no_other() -> None:
    registry = Registry()
    servers = McpServers(
        {
            "down": McpEntry(command=(sys.executable, "-c", "raise SystemExit(1)")),
            "missing": McpEntry(command=("/no/such/program",)),
            "notes": McpEntry(command=PROGRAM, tools={"add": "always", "leave": "never"}),
        }
    )
    try:
        assert await servers.register(registry) == ["down", "missing"]
        assert registry.consents["notes__add"] == "always"
        assert registry.consents["notes__fail"] == "ask"
        assert registry.get("notes__leave") is None
        known = dict(registry.consents)
        await servers.register(registry)  # once more is harmless
        assert registry.consents == known
    finally:
        await servers.close()


async def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_SECONDS", 0.3)
    server = McpServer("silent", SILENT, {})
    with pytest.raises(ToolFailed, match="in time"):
        await server.tools()
    await server.close()


async def test_starting_can_be_called_off() -> None:
    server = McpServer("silent", SILENT, {})
    task = asyncio.create_task(server.start())
    while server._task is None:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server._task is None


async def test_a_missing_key_is_told() -> None:
    for entry in (
        McpEntry(url="http://127.0.0.1:9/mcp", key_env="NO_KEY"),
        McpEntry(command=PROGRAM, pass_env=("NO_KEY",)),
    ):
        with pytest.raises(ChatError, match=r"mcp\.notes\.(key|pass)_env"):
            await McpServers({"notes": entry}, {}).register(Registry())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = subprocess.Popen([*PROGRAM, str(port)], stderr=subprocess.PIPE)
    assert program.stderr is not None
    for line in program.stderr:
        if b"Uvicorn running" in line:
            break
    yield f"http://127.0.0.1:{port}/mcp"
    program.terminate()
    program.wait()
    program.stderr.close()


async def test_over_http(address: str) -> None:
    server = McpServer("web", McpEntry(url=address, key_env="KEY"), {"KEY": "secret"})
    try:
        tools = {each.tool.name: each for each in await server.tools()}
        assert await tools["web__add"].call({"a": 2, "b": 3}) == "5"
        with pytest.raises(ToolFailed):
            await tools["web__fail"].call({})
    finally:
        await server.close()


async def test_over_http_with_nobody_there() -> None:
    server = McpServer("web", McpEntry(url="http://127.0.0.1:9/mcp"), {})
    with pytest.raises(ToolFailed):
        await server.tools()
    await server.close()


async def test_the_library_is_loaded_only_where_it_is_used() -> None:
    code = (
        "import sys, chat.tools.loop, chat.tools.mcp_servers, chat.providers.pool\n"
        "assert not {'mcp', 'mcp_types', 'httpx2', 'xllamacpp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
