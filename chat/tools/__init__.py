"""Tools that a chat's model may call: what they are, and who allows it.

There are none until the providers file names an MCP server, or the service registers its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from chat.providers import Tool, ToolCall

Consent = Literal["ask", "always", "never"]
"""Whether a tool may be called: each time by the user's word, without, or not at all."""

Call = Callable[[Mapping[str, Any]], Awaitable[str]]
"""The function behind a tool: its arguments to its output. Raises `ToolFailed`, or anything."""

Ask = Callable[[ToolCall], Awaitable[bool]]
"""Asks the user whether this call may be made."""


class ToolFailed(Exception):
    """A tool could not do its work. What it says is for the log, not for the model or the user."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A tool, the function behind it, and what consent it needs."""

    tool: Tool
    call: Call
    consent: Consent = "ask"


class Registry:
    """Tools by name."""

    def __init__(self, registered: Iterable[Registered] = ()) -> None:
        self._registered: dict[str, Registered] = {}
        for one in registered:
            self.add(one)

    def add(self, registered: Registered) -> None:
        """Add a tool. Raises `ValueError` if its name is taken."""
        name = registered.tool.name
        if name in self._registered:
            raise ValueError(f"there is a tool {name!r} already")
        self._registered[name] = registered

    def __iter__(self) -> Iterator[Registered]:
        return iter(tuple(self._registered.values()))

    def decide(self, name: str, consent: Consent) -> None:
        """Change what consent a tool needs, if there is one of that name."""
        if (known := self._registered.get(name)) is not None:
            self._registered[name] = replace(known, consent=consent)

    def get(self, name: str) -> Registered | None:
        """The tool of that name, None if there is none that may be called."""
        registered = self._registered.get(name)
        return registered if registered and registered.consent != "never" else None

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What the model is told of."""
        return tuple(one.tool for one in self._registered.values() if one.consent != "never")

    @property
    def consents(self) -> Mapping[str, Consent]:
        """Every tool's name and the consent it needs, those that are never called too."""
        return {name: one.consent for name, one in self._registered.items()}
