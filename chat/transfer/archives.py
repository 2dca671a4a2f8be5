"""Read an uploaded file: JSON as it is, or in a ZIP archive that may be hostile. Blocking.

Of an archive only the members that are asked for are unpacked, one at a time, in memory, up to a
cap, whatever sizes it claims; no member's name is ever a path on our disk.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chat.errors import ChatError

CONVERSATIONS = re.compile(r"(?:.*/)?conversations(?:-\d{1,5})?\.json", re.DOTALL)
"""What the file with the conversations is called; OpenAI cuts a long one into numbered pieces."""

_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """What is taken. `max_bytes`: of the file as it comes. `max_json_bytes`: of all conversations,
    unpacked. `max_members`: of an archive. `max_conversations`, `max_messages`: of one import.
    """

    max_bytes: int = 512 * 2**20
    max_json_bytes: int = 256 * 2**20
    max_members: int = 100_000
    max_conversations: int = 50_000
    max_messages: int = 1_000_000


class Uploaded:
    """An opened upload. `documents` are the JSON texts in it, as (name, bytes)."""

    def __init__(self, archive: zipfile.ZipFile | None, documents: Sequence[tuple[str, bytes]]):
        self._archive = archive
        self.documents = documents

    def read(self, member: str, max_bytes: int) -> bytes:
        """A file of the archive. Raises `ChatError`: `not_found`, `import_too_large`,
        `import_malformed`.
        """
        if self._archive is None:
            raise ChatError("not_found", "there is no archive with files")
        try:
            info = self._archive.getinfo(member)
        except KeyError:
            raise ChatError("not_found", f"the archive has no {member[:150]!r}") from None
        return _unpack(self._archive, info, max_bytes)


@contextmanager
def open_upload(path: Path, limits: ImportLimits) -> Iterator[Uploaded]:
    """Open an uploaded file.

    Raises `ChatError`: `import_too_large`, `import_malformed` (a damaged, encrypted or strange
    archive), `import_unknown` (no conversations in it).
    """
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise ChatError(
            "import_too_large", f"the file has {size:,} bytes; {limits.max_bytes:,} are taken"
        )
    with path.open("rb") as file:
        if not file.read(4).startswith(b"PK"):
            if size > limits.max_json_bytes:
                raise _too_large(limits.max_json_bytes)
            file.seek(0)
            yield Uploaded(None, [("", file.read().removeprefix(b"\xef\xbb\xbf"))])
            return
        try:
            archive = zipfile.ZipFile(file)
        except _UNREADABLE as error:
            raise ChatError("import_malformed", f"the ZIP archive is damaged: {error}") from None
        with archive:
            yield Uploaded(archive, _documents(archive, limits))


def _documents(archive: zipfile.ZipFile, limits: ImportLimits) -> list[tuple[str, bytes]]:
    members = archive.infolist()
    if len(members) > limits.max_members:
        raise ChatError(
            "import_too_large",
            f"the archive has {len(members):,} files; {limits.max_members:,} are taken",
        )
    wanted = sorted(
        (info for info in members if CONVERSATIONS.fullmatch(info.filename)),
        key=lambda info: info.filename,
    )
    if not wanted:
        only = [info for info in members if info.filename.endswith(".json")]
        wanted = only if len(only) == 1 else []
    if not wanted:
        raise ChatError("import_unknown", "there is no conversations.json in the archive")
    if len({info.header_offset for info in wanted}) != len(wanted):
        raise ChatError("import_malformed", "files of the archive overlap")
    room = limits.max_json_bytes
    documents = []
    for info in wanted:
        data = _unpack(archive, info, room)
        room -= len(data)
        documents.append((info.filename[:150], data.removeprefix(b"\xef\xbb\xbf")))
    return documents


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
    if info.file_size > max_bytes:
        raise _too_large(max_bytes)
    try:
        # Without a bound more would be unpacked than the size that was looked at, and dropped then.
        with archive.open(info) as member:
            return member.read(info.file_size + 1)
    except _UNREADABLE as error:
        why = "it is encrypted" if info.flag_bits & 1 else str(error)
        raise ChatError("import_malformed", f"{info.filename[:150]}: {why}") from None


def _too_large(max_bytes: int) -> ChatError:
    return ChatError("import_too_large", f"unpacked it has more than {max_bytes:,} bytes")
