"""Files that people give to a conversation: images, text and PDF documents.

`accept` decides by content what a file is and makes it harmless; `files` keeps it under a name the
server chose. How a document's words come before a model is `chat.context`'s.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Literal

from chat.attachments import isolation
from chat.attachments.examination import IMAGE_TYPES, PDF_TYPE
from chat.attachments.limits import Limits
from chat.errors import ChatError

__all__ = ["Accepted", "Limits", "accept", "clean_name"]

MAX_NAME = 120
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A file that may be kept. `data` is what is stored: images are encoded anew, without
    metadata. `text` is a document's words (None for an image); `shortened` says why they are not
    all of it, empty if they are. `width` and `height` are an image's, in pixels.
    """

    kind: Literal["image", "text", "pdf"]
    name: str
    media_type: str
    suffix: str
    data: bytes = field(repr=False)
    text: str | None = field(default=None, repr=False)
    shortened: str = ""
    width: int = 0
    height: int = 0


async def accept(data: bytes, name: str, limits: Limits | None = None) -> Accepted:
    """Find out what `data` is, whatever it is called, and make it fit to be kept.

    Images and PDF documents are read in a process of their own with bounded time and memory.
    Raises `ChatError`: `attachment_too_large`, `attachment_unsupported` (neither an image, nor
    text, nor PDF), `attachment_unreadable` (damaged, encrypted, or it takes too long).
    """
    limits = limits or Limits()
    if not data:
        raise ChatError("attachment_unreadable", "the file is empty")
    if len(data) > limits.max_bytes:
        raise ChatError(
            "attachment_too_large",
            f"the file has {len(data):,} bytes; at most {limits.max_bytes:,} are taken",
        )
    name = clean_name(name)
    if _is_image(data):
        seen = await isolation.examine("image", data, limits)
        return Accepted(
            "image",
            name,
            seen.media_type,
            IMAGE_TYPES[seen.media_type],
            seen.data,
            width=seen.width,
            height=seen.height,
        )
    if b"%PDF-" in data[:1024]:
        seen = await isolation.examine("pdf", data, limits)
        return Accepted("pdf", name, PDF_TYPE, ".pdf", data, seen.text, seen.shortened)
    text = _decode(data)
    shortened = ""
    if len(text) > limits.max_text_chars:
        shortened = f"only the first {limits.max_text_chars:,} characters are used"
        text = text[: limits.max_text_chars]
    return Accepted("text", name, "text/plain", ".txt", text.encode(), text, shortened)


def clean_name(name: str) -> str:
    """A name that can be shown: no path, no control or direction characters, not too long.

    It is only ever shown; files are stored under other names.
    """
    name = re.split(r"[/\\]", name)[-1]
    name = unicodedata.normalize("NFC", name.encode("utf-8", "ignore").decode())
    name = "".join(" " if c.isspace() else c for c in name if unicodedata.category(c)[0] != "C")
    name = " ".join(name.split()).strip(". ")
    if len(name) > MAX_NAME:
        stem, dot, suffix = name.rpartition(".")
        keep = f"{dot}{suffix}" if stem and len(suffix) <= 10 else ""
        name = name[: MAX_NAME - len(keep)] + keep
    return name or "file"


def _is_image(data: bytes) -> bool:
    return data.startswith(_SIGNATURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _decode(data: bytes) -> str:
    """The text `data` is: UTF-8, or UTF-16 that says so."""
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8-sig")
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ChatError(
            "attachment_unsupported",
            "the file is not an image (PNG, JPEG, WebP, GIF), PDF, or text in UTF-8 "
            f"(byte {error.start:,} is not)",
        ) from None
    if found := _CONTROL.search(text):
        raise ChatError(
            "attachment_unsupported",
            f"the file is not text: it has a control character at {found.start():,}",
        )
    return text.replace("\r\n", "\n")
