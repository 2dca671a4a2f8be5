"""The one seam between what people write and what lies on the disk."""

from __future__ import annotations

import json
from typing import Any, Protocol


class Content(Protocol):
    """How an owner's texts are stored: every title, draft, message, file name, tool call and job.

    `plain` says that what is stored can be read by the database, so that it may be indexed for
    search. An implementation that encrypts sets it False; then nothing is indexed and
    `search.search` raises `search_unavailable`.
    """

    plain: bool

    def seal(self, owner: str, text: str) -> str:
        """What is stored for `text`; may differ each time."""
        ...

    def label(self, owner: str, text: str) -> str:
        """The same, but always the same for the same owner and text, so that it can be compared.

        For tags. `open` opens it too.
        """
        ...

    def open(self, owner: str, stored: str) -> str:
        """The text that was sealed as `stored`. Raises `ChatError` (`sealed`) if it cannot."""
        ...


class Plain:
    """Texts as they are."""

    plain = True

    def seal(self, owner: str, text: str) -> str:
        """`text`."""
        return text

    def label(self, owner: str, text: str) -> str:
        """`text`."""
        return text

    def open(self, owner: str, stored: str) -> str:
        """`stored`."""
        return stored


def clean(text: str) -> str:
    """`text` without what a database cannot hold: NUL is dropped, lone surrogates become U+FFFD."""
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def seal(content: Content, owner: str, text: str) -> str:
    """The cleaned text, sealed; an empty text says nothing and stays empty."""
    text = clean(text)
    return content.seal(owner, text) if text else ""


def unseal(content: Content, owner: str, stored: str) -> str:
    """The opposite of `seal`."""
    return content.open(owner, stored) if stored else ""


def seal_json(content: Content, owner: str, value: Any) -> str:
    """`value` as compact JSON, sealed."""
    return seal(content, owner, json.dumps(value, separators=(",", ":")))


def unseal_json(content: Content, owner: str, stored: str) -> Any:
    """The opposite of `seal_json`."""
    return json.loads(unseal(content, owner, stored))
