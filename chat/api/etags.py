"""Versions as entity tags (RFC 9110, 8.8.3 and 13.1). Pure."""

from __future__ import annotations

import re

from chat.errors import ChatError

_TAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"v([0-9]{1,15})")


def etag(version: int) -> str:
    """The entity tag of the `version`-th state of a thing."""
    return f'"v{version}"'


def expected_version(if_match: str | None, current: int | None = None) -> int | None:
    """The version an update is meant for; None for any (`If-Match: *`).

    Of several tags the one that is `current` counts. Raises `ChatError` `if_match_required`
    without a header, `version_conflict` if no tag in it is one of ours: weak ones never match.
    """
    if if_match is None or not if_match.strip():
        raise ChatError(
            "if_match_required", "an update needs If-Match with the ETag of what it changes, or *"
        )
    if if_match.strip() == "*":
        return None
    versions = [
        int(found[1])
        for weak, tag in _TAG.findall(if_match)
        if not weak and (found := _VERSION.fullmatch(tag))
    ]
    if not versions:
        raise ChatError("version_conflict", "this has changed since; get it again")
    return current if current is not None and current in versions else versions[0]


def unchanged(if_none_match: str | None, version: int) -> bool:
    """Whether the client has this version already (the weak comparison of RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(f'"{tag}"' == etag(version) for _, tag in _TAG.findall(if_none_match))
