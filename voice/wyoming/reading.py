"""Reading events off a connection, none larger than it may be.

`wyoming.event.async_read_event` takes as many bytes as the sender announces, and cannot tell the
end of the connection from nonsense.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from wyoming.event import Event

from voice.errors import BadEvent

LINE_BYTES = 2**16
"""Longest header; also the limit to give the connection's `StreamReader`."""


async def read_event(reader: asyncio.StreamReader, *, limit: int) -> Event | None:
    """The next event, None at the end of the connection.

    Raises `BadEvent` if it is none, or if its data or its payload has more than `limit` bytes.
    """
    try:
        line = await reader.readline()
    except ValueError:
        raise BadEvent("the header of the event is too long", code="too_long") from None
    if not line.strip():
        return None
    head = _object(line)
    data = head.get("data") or {}
    if size := _size(head, "data_length", limit):
        data = {**data, **_object(await _exactly(reader, size))}
    payload = None
    if size := _size(head, "payload_length", limit):
        payload = await _exactly(reader, size)
    if not isinstance(head.get("type"), str) or not isinstance(data, dict):
        raise BadEvent("the event has no type")
    return Event(head["type"], data, payload)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadEvent("this is no JSON", code="invalid_json") from None
    if not isinstance(found, dict):
        raise BadEvent("this is no JSON object", code="invalid_json")
    return found


def _size(head: dict[str, Any], name: str, limit: int) -> int:
    size = head.get(name) or 0
    if not isinstance(size, int) or size < 0:
        raise BadEvent(f"{name} is no length", param=name)
    if size > limit:
        raise BadEvent(f"an event has at most {limit} bytes", code="too_long", param=name)
    return size


async def _exactly(reader: asyncio.StreamReader, size: int) -> bytes:
    try:
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise BadEvent("the connection ended within an event") from None
