"""How much of each thing is taken, and the cursors that lead from page to page."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from chat.errors import ChatError
from chat.storage.content import clean

MAX_TITLE = 300
MAX_DRAFT = 100_000
MAX_TEXT = 1_000_000
MAX_TAG = 64
MAX_NAME = 256
MAX_TOKENS = 2**53
MAX_TAGS = 32
MAX_PAGE = 200


def at_most(text: str, length: int, what: str) -> str:
    """The cleaned text. Raises `ChatError` (`too_large`) beyond `length` characters."""
    text = clean(text)
    if len(text) > length:
        raise ChatError("too_large", f"the {what} has more than {length} characters")
    return text


def page_size(limit: int) -> int:
    """`limit`, from 1 to 200."""
    return max(1, min(limit, MAX_PAGE))


def to_cursor(*parts: object) -> str:
    """An opaque text that leads to what comes after `parts`."""
    plain = "|".join(
        part.astimezone(UTC).isoformat() if isinstance(part, datetime) else str(part)
        for part in parts
    )
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _parts(cursor: str, count: int) -> list[str]:
    plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    parts = plain.split("|")
    if len(parts) != count or "\0" in plain:
        raise ValueError
    return parts


def time_cursor(cursor: str) -> tuple[datetime, str]:
    """The time and id in a cursor. Raises `ChatError` (`invalid_request`) if it is none of ours."""
    try:
        moment, id_ = _parts(cursor, 2)
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None:
            raise ValueError
    except (ValueError, binascii.Error, OverflowError):
        raise ChatError("invalid_request", "this is no cursor of such a list") from None
    return at, id_


def row_cursor(cursor: str) -> tuple[str, int]:
    """The kind and row number in a cursor. Raises `ChatError` (`invalid_request`)."""
    try:
        kind, row = _parts(cursor, 2)
        number = int(row)
        if not 0 <= number < 2**63:
            raise ValueError
    except (ValueError, binascii.Error):
        raise ChatError("invalid_request", "this is no cursor of such a list") from None
    return kind, number
