"""Streams of live updates end by themselves when the server is about to stop."""

from __future__ import annotations

import asyncio

import httpx2 as httpx

from tests.test_gateway import running


async def test_a_stream_ends_when_the_server_stops() -> None:
    async with running() as server:
        url = server.url.replace("ws:", "http:").replace("/v1/realtime", "/api/v1/events")
        async with (
            httpx.AsyncClient(timeout=20) as client,
            client.stream("GET", url) as answer,
        ):
            lines = answer.aiter_lines()
            while await anext(lines) != "event: hello":
                pass
            server.service.stopping = lambda: True
            async with asyncio.timeout(20):
                rest = [line async for line in lines]
            assert not any(line.startswith("event:") for line in rest)
