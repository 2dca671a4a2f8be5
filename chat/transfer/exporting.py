"""Export one conversation, or all of an owner, as a stream of bytes.

Nothing waits for the whole: conversations are read one after the other while the file is sent.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from chat.attachments import files
from chat.errors import ChatError
from chat.storage import Storage, conversations, messages
from chat.storage.records import Conversation, Message, now
from chat.transfer import own
from chat.transfer.markdown import file_name, to_markdown
from chat.transfer.schema import FORMAT, VERSION

ExportFormat = Literal["json", "zip", "markdown", "pdf"]
"""`json`: everything but files. `zip`: that JSON and the attachments. The others: to read."""

_SUFFIX = {"json": ".json", "zip": ".zip", "markdown": ".md", "pdf": ".pdf"}
_TYPES = {
    ".json": "application/json",
    ".zip": "application/zip",
    ".md": "text/markdown; charset=utf-8",
    ".pdf": "application/pdf",
}
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Export:
    """A file to be sent: its name, media type, and bytes as they come."""

    name: str
    media_type: str
    chunks: AsyncIterator[bytes]


async def export(
    storage: Storage, owner: str, form: ExportFormat, conversation_id: str | None = None
) -> Export:
    """Export one conversation, or without an id all that are not deleted.

    All as Markdown or PDF is a ZIP archive of files; what is too long for PDF is Markdown there.
    Raises `ChatError` `not_found`, `too_large` (one conversation, as PDF); once bytes flow, an
    error breaks the stream off.
    """
    if conversation_id is None:
        suffix = ".json" if form == "json" else ".zip"
        name = f"conversations-{now().strftime('%Y-%m-%d')}{suffix}"
        found: AsyncIterator[Conversation] = _all(storage, owner)
    else:
        one = await conversations.get(storage, owner, conversation_id)
        suffix = _SUFFIX[form]
        name = file_name(one, suffix)
        found = _just(one)
        if form in {"markdown", "pdf"}:
            page = _page(form, one, await messages.everything(storage, owner, one.id))
            return Export(name, _TYPES[suffix], _cut(await page))
    if form == "json":
        chunks = _json(storage, owner, found)
    elif form == "zip":
        chunks = _archive(storage, owner, found)
    else:
        chunks = _pages(storage, owner, form, found)
    return Export(name, _TYPES[suffix], chunks)


async def _all(storage: Storage, owner: str) -> AsyncIterator[Conversation]:
    cursor = None
    while True:
        page = await conversations.list_page(
            storage, owner, cursor=cursor, limit=200, archived=None
        )
        for conversation in page.conversations:
            yield conversation
        cursor = page.cursor
        if cursor is None:
            return


async def _just(conversation: Conversation) -> AsyncIterator[Conversation]:
    yield conversation


async def _trees(
    storage: Storage, owner: str, found: AsyncIterator[Conversation]
) -> AsyncIterator[tuple[Conversation, tuple[Message, ...]]]:
    """The conversations with their messages; one that was deleted meanwhile is left out."""
    async for conversation in found:
        try:
            tree = await messages.everything(storage, owner, conversation.id)
        except ChatError as error:
            if error.code != "not_found":
                raise
        else:
            yield conversation, tree


async def _json(
    storage: Storage,
    owner: str,
    found: AsyncIterator[Conversation],
    attached: set[str] | None = None,
) -> AsyncIterator[bytes]:
    """The file `conversations.json`. Stored names of attachments are put into `attached`; without
    it the file says nothing of where they are.
    """
    head = {"format": FORMAT, "version": VERSION, "exported_at": datetime.now(UTC)}
    yield msgspec.json.encode(head)[:-1] + b',"conversations":['
    comma = b"\n"
    async for conversation, tree in _trees(storage, owner, found):
        if attached is not None:
            attached.update(file.stored_name for one in tree for file in one.attachments)
        entry = own.to_entry(conversation, tree, with_files=attached is not None)
        yield comma + await asyncio.to_thread(own.encode, entry)
        comma = b",\n"
    yield b"\n]}\n"


async def _archive(
    storage: Storage, owner: str, found: AsyncIterator[Conversation]
) -> AsyncIterator[bytes]:
    """`conversations.json`, then the attachments that were met while it was written."""
    attached: set[str] = set()
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(_info("conversations.json"), "w", force_zip64=True) as member:
            async for chunk in _json(storage, owner, found, attached):
                await asyncio.to_thread(member.write, chunk)
                yield pipe.take()
        for stored in sorted(attached):
            try:
                data = await asyncio.to_thread(files.read, storage.files.parent, stored)
            except ChatError:  # a file that is gone is left out
                continue
            # Images are compressed already.
            packed = zipfile.ZIP_DEFLATED if stored.endswith(".txt") else zipfile.ZIP_STORED
            info = _info(f"attachments/{stored}", packed)
            await asyncio.to_thread(archive.writestr, info, data)
            yield pipe.take()
    yield pipe.take()


async def _pages(
    storage: Storage, owner: str, form: ExportFormat, found: AsyncIterator[Conversation]
) -> AsyncIterator[bytes]:
    pipe = _Pipe()
    names: set[str] = set()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        async for conversation, tree in _trees(storage, owner, found):
            suffix = _SUFFIX[form]
            try:
                data = await _page(form, conversation, tree)
            except ChatError as error:
                if error.code != "too_large":
                    raise
                suffix = _SUFFIX["markdown"]
                data = await _page("markdown", conversation, tree)
            name = _unused(file_name(conversation, suffix), names)
            await asyncio.to_thread(archive.writestr, _info(name), data)
            yield pipe.take()
    yield pipe.take()


async def _page(form: ExportFormat, conversation: Conversation, tree: tuple[Message, ...]) -> bytes:
    if form == "markdown":
        return to_markdown(conversation, tree).encode()
    from chat.transfer.pdf import to_pdf  # noqa: PLC0415  fonts are heavy

    return await asyncio.to_thread(to_pdf, conversation, tree)


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), CHUNK):
        yield data[at : at + CHUNK]


def _unused(name: str, names: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    number, found = 1, name
    while found.casefold() in names:
        number += 1
        found = f"{stem}-{number}{dot}{suffix}"
    names.add(found.casefold())
    return found


def _info(name: str, packed: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, now().timetuple()[:6])
    info.compress_type = packed
    info.external_attr = 0o600 << 16
    return info


class _Pipe(io.RawIOBase):
    """What a ZIP archive is written into and taken out of; it cannot seek back."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._written += view
        return view.nbytes

    def take(self) -> bytes:
        """What was written since the last time."""
        written = bytes(self._written)
        self._written.clear()
        return written
