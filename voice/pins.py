"""A kiosk operator's PIN, kept as a slow hash: `echo 1234 | python -m voice.pins` prints one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sys

_SCRYPT = {"n": 2**14, "r": 8, "p": 1}
"""The parameters of RFC 7914, section 12, for what a person types."""
_FORM = re.compile("scrypt:[0-9a-f]{32}:[0-9a-f]{64}")


def hash_pin(pin: str) -> str:
    """`scrypt:SALT:HASH`, in hexadecimal digits."""
    salt = secrets.token_bytes(16)
    return f"scrypt:{salt.hex()}:{_hash(pin, salt).hex()}"


def is_hash(kept: str) -> bool:
    """Whether `kept` is of the form that `hash_pin` makes."""
    return _FORM.fullmatch(kept) is not None


def pin_is_right(pin: str, kept: str) -> bool:
    """Whether `kept` is the hash of `pin`; takes some tens of milliseconds."""
    _, salt, digest = kept.split(":")
    return hmac.compare_digest(_hash(pin, bytes.fromhex(salt)), bytes.fromhex(digest))


def _hash(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, dklen=32, **_SCRYPT)


if __name__ == "__main__":
    sys.stdout.write(f"{hash_pin(sys.stdin.readline().strip())}\n")
