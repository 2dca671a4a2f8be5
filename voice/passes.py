"""What stands for a key for a while: client secrets, and the sessions of browsers.

Both are 256 random bits and in memory only, so a restart ends them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from voice.errors import Overloaded

PASS_BYTES = 32


@dataclass(frozen=True, slots=True)
class Credential:
    """Who was let in: a key, or what stands for it.

    `key_id` is the key's own or that of the key behind a client secret or a browser's session;
    empty if there is none. `ephemeral` is a client secret, `session` how its conversations begin.
    `browser` names the browser's session, empty if it is none.
    """

    key_id: str
    scopes: frozenset[str]
    ephemeral: bool = False
    session: Any = None
    browser: str = ""


class Passes:
    """Random texts that begin with `prefix`, and the credentials they stand for.

    At most `capacity` at a time; `clock` counts seconds.
    """

    def __init__(
        self,
        prefix: str = "",
        *,
        capacity: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = prefix
        self._capacity = capacity
        self._clock = clock
        self._known: dict[str, tuple[float, Credential]] = {}

    def mint(self, credential: Credential, *, seconds: float) -> str:
        """A new text, good for `seconds`. Raises `Overloaded` if too many are out."""
        now = self._clock()
        if len(self._known) >= self._capacity:
            self._known = {name: kept for name, kept in self._known.items() if kept[0] > now}
        if len(self._known) >= self._capacity:
            raise Overloaded("too many secrets are in use", code="too_many_secrets")
        text = self._prefix + secrets.token_urlsafe(PASS_BYTES)
        self._known[digest(text)] = (now + seconds, credential)
        return text

    def find(self, text: str) -> Credential | None:
        """What the text stands for; None if it is wrong or expired.

        It is looked up by its hash: how long that takes tells about the hash, which cannot be
        steered towards one that exists.
        """
        name = digest(text)
        return self._known[name][1] if self.holds(name) else None

    def holds(self, name: str) -> bool:
        """Whether the text whose `digest` this is still stands for something."""
        if name in self._known and self._known[name][0] <= self._clock():
            del self._known[name]
        return name in self._known

    def end(self, name: str) -> None:
        """Make the text whose `digest` this is worthless."""
        self._known.pop(name, None)


def digest(text: str) -> str:
    """The SHA-256 of a secret, in hexadecimal."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
