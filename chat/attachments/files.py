"""Where attachments lie: `<data folder>/attachments/`, under names the server chose.

A document's words lie beside it in `<stored name>.words`. No name a client gave is ever part of a
path. Blocking: call it on a thread.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chat.attachments import Accepted
from chat.errors import ChatError

_STORED = re.compile(r"[0-9a-f]{32}\.(png|jpg|webp|txt|pdf|wav|flac|ogg|opus|webm|mp3|m4a)")
_WORDS = ".words"


def folder_of(data_dir: Path) -> Path:
    """The folder of attachments."""
    return data_dir / "attachments"


def save(data_dir: Path, accepted: Accepted) -> str:
    """Write the file, durably and all or nothing; the name it has now."""
    folder = folder_of(data_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stored = secrets.token_hex(16) + accepted.suffix
    if accepted.kind == "pdf":
        words = accepted.text or ""
        if accepted.shortened:
            words = f"({accepted.shortened})\n{words}"
        _write(folder / (stored + _WORDS), words.encode())
    _write(folder / stored, accepted.data)
    return stored


def save_sound(data_dir: Path, data: bytes, suffix: str) -> str:
    """Write a recording, durably and all or nothing; its name is for `Message.audio`.

    `suffix`: `.wav`, `.opus` and the like. Raises `ValueError` for one that is no sound's.
    """
    stored = secrets.token_hex(16) + suffix
    if not _STORED.fullmatch(stored):
        raise ValueError(f"no sound has the suffix {suffix!r}")
    folder = folder_of(data_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / stored, data)
    return stored


def path_of(data_dir: Path, stored: str) -> Path:
    """Where the file of that stored name lies.

    Raises `ChatError` `not_found` if it is no such name or there is no such file.
    """
    path = folder_of(data_dir) / stored
    if not _STORED.fullmatch(stored) or path.is_symlink() or not path.is_file():
        raise ChatError("not_found", "there is no such file")
    return path


def read(data_dir: Path, stored: str) -> bytes:
    """The file's bytes. Raises `ChatError` `not_found`."""
    return path_of(data_dir, stored).read_bytes()


def words_of(data_dir: Path, stored: str) -> str | None:
    """A document's words, None for an image. Raises `ChatError` `not_found`."""
    path = path_of(data_dir, stored)
    if path.suffix == ".txt":
        return path.read_text("utf-8")
    if path.suffix == ".pdf":
        return path.with_name(stored + _WORDS).read_text("utf-8")
    return None


def remove(data_dir: Path, stored: str) -> None:
    """Delete the file and its words; nothing happens if it is gone already."""
    if _STORED.fullmatch(stored):
        folder = folder_of(data_dir)
        (folder / stored).unlink(missing_ok=True)
        (folder / (stored + _WORDS)).unlink(missing_ok=True)


def find_orphans(
    data_dir: Path, known: Collection[str], *, older_than: timedelta = timedelta(hours=24)
) -> list[str]:
    """Files that no row in `known` (stored names) speaks of, nor has for a while.

    Younger ones may belong to a row that is being written. Leftovers of interrupted writes are
    among them.
    """
    folder = folder_of(data_dir)
    if not folder.is_dir():
        return []
    latest = (datetime.now(UTC) - older_than).timestamp()
    found = []
    for path in folder.iterdir():
        stored = path.name.removesuffix(_WORDS)
        with suppress(FileNotFoundError):
            if stored not in known and path.lstat().st_mtime < latest:
                found.append(path.name)
    return sorted(found)


def remove_orphans(
    data_dir: Path, known: Collection[str], *, older_than: timedelta = timedelta(hours=24)
) -> int:
    """Delete what `find_orphans` finds; how many files."""
    orphans = find_orphans(data_dir, known, older_than=older_than)
    for name in orphans:
        (folder_of(data_dir) / name).unlink(missing_ok=True)
    return len(orphans)


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    with suppress(OSError, AttributeError):
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
