"""API keys for programs, and short-lived client secrets for browsers.

A key is 256 random bits. What is kept of it is its SHA-256: a slow password hash protects short
secrets people think up from being guessed, and nobody guesses 256 bits, so a fast hash costs every
request nothing and gives nothing away (NIST SP 800-63B, 5.1.2.2, on look-up secrets). The file is
read again when it has changed, so a key revoked on the command line is refused at once.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from voice.errors import ConfigError, Overloaded, VoiceError

SCOPES = {
    "realtime": "the Realtime WebSocket, and client secrets for it",
    "audio": "transcriptions and speech",
    "chat": "chat completions",
    "models": "what models, voices and languages there are",
    "metrics": "Prometheus metrics",
}
"""What a key may be good for."""

KEY_PREFIX = "vv_"
SECRET_PREFIX = "ek_"  # noqa: S105  what OpenAI's begin with; clients look for it
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key. `created` and `revoked` are ISO 8601 times in UTC, `revoked` empty
    while the key is good; revoked ones stay, so that a server never opens because of it.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    sha256: str
    created: str
    revoked: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """Who was let in: a key, or a client secret and the session it was made for.

    `key_id` is the key's own or, of a secret, that of the key which minted it; empty if none did.
    """

    key_id: str
    scopes: frozenset[str]
    ephemeral: bool = False
    session: Any = None


class Keys:
    """The keys in a file; every change is written whole, to the owner only (mode 0600)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def all(self) -> tuple[Key, ...]:
        """Every key there ever was, oldest first. Raises `ConfigError` if the file is damaged."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, ()
            return ()
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen != self._seen:
            self._keys = _read(self._path)
            self._seen = seen
        return self._keys

    def create(self, name: str, scopes: Iterable[str]) -> tuple[Key, str]:
        """A new key and the text to be given to its user, which is nowhere kept.

        Raises `ConfigError` for a scope there is not, or for none.
        """
        wanted = tuple(scope for scope in SCOPES if scope in set(scopes))
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not wanted:
            raise ConfigError(
                f"no such scope: {', '.join(unknown) or '(none)'}; known: {', '.join(SCOPES)}"
            )
        text = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        key = Key("key_" + secrets.token_hex(6), name, wanted, digest(text), _now())
        with self._changing() as keys:
            self._write([*keys, key])
        return key, text

    def revoke(self, key_id: str) -> Key:
        """Make a key worthless from now on. Raises `ConfigError` if there is none of that id."""
        with self._changing() as keys:
            found = next((key for key in keys if key.id == key_id), None)
            if found is None:
                raise ConfigError(f"there is no key {key_id}; `vivavoce keys list` shows them")
            revoked = found if found.revoked else replace(found, revoked=_now())
            self._write([revoked if key is found else key for key in keys])
        return revoked

    def find(self, text: str) -> Key | None:
        """The good key whose text this is. Every key is compared, each in constant time."""
        given, found = digest(text), None
        for key in self.all():
            if hmac.compare_digest(key.sha256, given) and not key.revoked:
                found = key
        return found

    def stands(self, key_id: str) -> bool:
        """Whether the key of this id is good still."""
        return any(key.id == key_id and not key.revoked for key in self.all())

    @contextmanager
    def _changing(self) -> Iterator[tuple[Key, ...]]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{self._path}.lock", timeout=10, mode=0o600):
                self._seen = None
                yield self.all()
        except Timeout:
            raise ConfigError("another program is changing the keys") from None
        except OSError as error:
            raise ConfigError(f"the keys cannot be written ({error.strerror})") from None

    def _write(self, keys: list[Key]) -> None:
        body = json.dumps({"version": 1, "keys": [asdict(key) for key in keys]}, indent=1)
        # mkstemp makes the file with mode 0600; the rename replaces the old one in one step.
        handle, made = tempfile.mkstemp(dir=self._path.parent, prefix=".keys-")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(self._path)
        except OSError:
            Path(made).unlink(missing_ok=True)
            raise
        self._seen = None


class ClientSecrets:
    """Secrets that let a browser open Realtime sessions for some minutes; in memory only, so a
    restart ends them. At most `capacity` at a time.
    """

    def __init__(self, *, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic):
        self._capacity = capacity
        self._clock = clock
        self._known: dict[str, tuple[float, Credential]] = {}

    def mint(self, *, seconds: float, key_id: str = "", session: Any = None) -> str:
        """A new secret, good for `seconds`. Raises `Overloaded` if too many are out."""
        now = self._clock()
        if len(self._known) >= self._capacity:
            self._known = {name: kept for name, kept in self._known.items() if kept[0] > now}
        if len(self._known) >= self._capacity:
            raise Overloaded("too many client secrets are in use", code="too_many_secrets")
        text = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        credential = Credential(key_id, frozenset({"realtime"}), ephemeral=True, session=session)
        self._known[digest(text)] = (now + seconds, credential)
        return text

    def find(self, text: str) -> Credential | None:
        """What the secret is good for; None if it is wrong or expired.

        It is looked up by its hash: how long that takes tells about the hash, which cannot be
        steered towards one that exists.
        """
        name = digest(text)
        until, credential = self._known.get(name, (0.0, None))
        if credential is not None and until <= self._clock():
            del self._known[name]
            return None
        return credential


class Door:
    """Decides whether a request may come in, by what it shows.

    `required` asks for a key even where none was ever made; otherwise a server without keys is
    open, as it has always been on loopback.
    """

    def __init__(self, keys: Keys, secrets_: ClientSecrets, *, required: bool = False) -> None:
        self.keys = keys
        self.secrets = secrets_
        self._required = required

    @property
    def open(self) -> bool:
        """Whether requests without a key are let in."""
        return not self._required and not self.keys.all()

    def admit(self, text: str | None, scope: str | None) -> Credential:
        """Let in who shows `text` for `scope` (None: any key will do).

        Raises `VoiceError` `missing_api_key`, `invalid_api_key` or `missing_scope`. An open server
        looks at client secrets only: programs send it whatever key they have at hand.
        """
        found: Credential | None = None
        if text and text.startswith(SECRET_PREFIX):
            found = self.secrets.find(text)
            if found is None or not self.stands(found):
                raise VoiceError(
                    "this client secret is wrong or has expired", code="invalid_api_key"
                )
        elif self.open:
            return Credential("", frozenset(SCOPES))
        elif text and (key := self.keys.find(text)):
            found = Credential(key.id, frozenset(key.scopes))
        elif text:
            raise VoiceError("this API key is wrong or was revoked", code="invalid_api_key")
        if found is None:
            raise VoiceError(
                "this server wants an API key: Authorization: Bearer vv_...", code="missing_api_key"
            )
        if scope is not None and scope not in found.scopes:
            raise VoiceError(
                f"this key is not good for {scope!r}", code="missing_scope", param=scope
            )
        return found

    def stands(self, credential: Credential) -> bool:
        """Whether who was let in may stay: the key behind it is good, or none was needed."""
        if credential.key_id:
            return self.keys.stands(credential.key_id)
        return self.open


def digest(text: str) -> str:
    """The SHA-256 of a secret, in hexadecimal."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> tuple[Key, ...]:
    try:
        listed = json.loads(path.read_bytes())["keys"]
        return tuple(Key(**{**key, "scopes": tuple(key["scopes"])}) for key in listed)
    except (OSError, ValueError, TypeError, LookupError):
        # A server that took a damaged file for an empty one would stand open.
        raise ConfigError("the file of keys is damaged or cannot be read") from None
