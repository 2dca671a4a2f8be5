"""API keys for programs, and who is let in with them.

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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from chat.owners import LOCAL_OWNER
from voice.errors import ConfigError, VoiceError
from voice.passes import PASS_BYTES, Credential, Passes, digest

SCOPES = {
    "realtime": "the Realtime WebSocket, client secrets for it, and the page",
    "audio": "transcriptions and speech",
    "chat": "chat completions",
    "conversations": "the conversations of the key's owner, over the chat API",
    "models": "what models, voices and languages there are",
    "metrics": "Prometheus metrics",
}
"""What a key may be good for."""

KEY_PREFIX = "vv_"
SECRET_PREFIX = "ek_"  # noqa: S105  what OpenAI's begin with; clients look for it


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
    owner: str = ""
    """Whose conversations its holder has; empty: the key's own."""


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

    def create(self, name: str, scopes: Iterable[str], *, owner: str = "") -> tuple[Key, str]:
        """A new key and the text to be given to its user, which is nowhere kept.

        Raises `ConfigError` for a scope there is not, or for none.
        """
        wanted = tuple(scope for scope in SCOPES if scope in set(scopes))
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not wanted:
            raise ConfigError(
                f"no such scope: {', '.join(unknown) or '(none)'}; known: {', '.join(SCOPES)}"
            )
        text = KEY_PREFIX + secrets.token_urlsafe(PASS_BYTES)
        key = Key("key_" + secrets.token_hex(6), name, wanted, digest(text), _now(), owner=owner)
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

    def owner_of(self, key_id: str) -> str:
        """Who has the conversations of whoever shows this key; "local" where none is needed."""
        if not key_id:
            return LOCAL_OWNER
        key = next((key for key in self.all() if key.id == key_id), None)
        return (key and key.owner) or key_id

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


class Door:
    """Decides whether a request may come in, by what it shows.

    `required` asks for a key even where none was ever made; otherwise a server without keys is
    open, as it has always been on loopback.
    """

    def __init__(self, keys: Keys, *, required: bool = False) -> None:
        self.keys = keys
        self.secrets = Passes(SECRET_PREFIX)
        self.browsers = Passes()
        self._required = required

    @property
    def open(self) -> bool:
        """Whether requests without a key are let in."""
        return not self._required and not self.keys.all()

    def admit(self, text: str | None, scope: str | None, cookie: str | None = None) -> Credential:
        """Let in who shows `text`, or the `cookie` of a browser that has shown a key, for `scope`
        (None: any key will do).

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
        elif cookie and (visitor := self.browsers.find(cookie)) and self.stands(visitor):
            found = replace(visitor, browser=digest(cookie))
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
        """Whether who was let in may stay: the key behind it is good, or none was needed, and a
        browser has not signed out.
        """
        if credential.browser and not self.browsers.holds(credential.browser):
            return False
        if credential.key_id:
            return self.keys.stands(credential.key_id)
        return self.open


def client_secret(key_id: str = "", session: Any = None) -> Credential:
    """What a client secret stands for: Realtime sessions, which begin as `session` says."""
    return Credential(key_id, frozenset({"realtime"}), ephemeral=True, session=session)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> tuple[Key, ...]:
    try:
        listed = json.loads(path.read_bytes())["keys"]
        return tuple(Key(**{**key, "scopes": tuple(key["scopes"])}) for key in listed)
    except (OSError, ValueError, TypeError, LookupError):
        # A server that took a damaged file for an empty one would stand open.
        raise ConfigError("the file of keys is damaged or cannot be read") from None
