"""The weights folder: what is in it, whether it is what the manifest says, and how it gets there.

A file appears under its final name only whole, verified and flushed to the disk. What was verified
is remembered in `.verified.json` (size, modification time, hash), so that asking again costs a
`stat` a file instead of reading hundreds of megabytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.errors import disk_errors
from models.manifest import File, Manifest, load_manifest

VERIFIED = ".verified.json"
WORK = ".fetch"  # parts of downloads, unfinished files and the lock; same file system as the rest

_BLOCK = 1 << 20

State = Literal["ready", "unverified", "partial", "missing"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is not as it should be. `reason`: `missing`, `wrong_size` or `wrong_hash`."""

    path: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """A model as `vivavoce models list` shows it. `size` is in bytes, `files` a count."""

    model: str
    set: str
    used_by: str
    licence: str
    files: int
    size: int
    state: State


def missing(
    manifest: Manifest, weights: Path, sets: Iterable[str] | None = ("starter",)
) -> list[File]:
    """The files of these sets or models that are absent or not what the manifest says.

    A file that was verified before and has not been touched since costs one `stat`; any other
    one of the right size is read and hashed. Writes nothing and needs no network.
    """
    known = _read_verified(weights)
    return [
        file
        for file in manifest.select(sets)
        if not (_is_known(weights, file, known) or _examine(weights, file) is None)
    ]


def unremembered(weights: Path, files: Iterable[File]) -> list[File]:
    """Those of `files` that were never verified or were touched since. Reads no weights."""
    known = _read_verified(weights)
    return [file for file in files if not _is_known(weights, file, known)]


def verify(
    weights: Path,
    sets: Iterable[str] | None = ("starter",),
    *,
    manifest: Manifest | None = None,
) -> list[Problem]:
    """Read and hash every file of these sets or models, whatever was remembered; [] is good.

    A damaged file is forgotten, so that the next fetch replaces it.
    """
    known = _read_verified(weights)
    problems = []
    for file in (manifest or load_manifest()).select(sets):
        problem = _examine(weights, file)
        if problem is None:
            continue
        problems.append(problem)
        known.pop(file.path, None)
    if problems and weights.is_dir():
        with suppress(OSError):  # a read-only store is still worth verifying
            _write_verified(weights, known)
    return problems


def status(weights: Path, *, manifest: Manifest | None = None) -> list[Row]:
    """One row for every model of the manifest, in its order. Reads no weights.

    States: `ready`; `unverified` (all there with the right size, not all of them hashed yet);
    `partial`; `missing`.
    """
    known = _read_verified(weights)
    groups: dict[str, list[File]] = {}
    for file in (manifest or load_manifest()).files:
        groups.setdefault(file.model, []).append(file)
    return [
        Row(
            model=name,
            set=files[0].set,
            used_by=files[0].used_by,
            licence=files[0].licence,
            files=len(files),
            size=sum(file.size for file in files),
            state=_state(weights, files, known),
        )
        for name, files in groups.items()
    ]


def install(weights: Path, file: File, whole: Path) -> None:
    """Move the verified file `whole` to its final name, so that even a power cut leaves all of it.

    `whole` lies on the same file system and is removed from its old name.
    """
    target = weights / file.path
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _flush(whole)
        whole.replace(target)
        _flush(target.parent)


def remember(weights: Path, files: Iterable[File]) -> None:
    """Note that these files have just been verified; writes only when that is news."""
    known = _read_verified(weights)
    with disk_errors(weights / VERIFIED):
        news = {file.path: _stamp(weights, file) for file in files}
        if any(known.get(path) != stamp for path, stamp in news.items()):
            _write_verified(weights, known | news)


def held(part: Path) -> int:
    """How many bytes `part` holds."""
    return part.stat().st_size if part.exists() else 0


def hash_file(path: Path) -> str:
    """The sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with disk_errors(path), path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _read_verified(weights: Path) -> dict[str, Any]:
    """What was verified: path -> [size, mtime_ns, sha256]. Empty when there is no usable note."""
    try:
        value = json.loads((weights / VERIFIED).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_verified(weights: Path, known: dict[str, Any]) -> None:
    """Replace the note. It is not flushed: losing it costs one hashing, never correctness."""
    new = weights / f"{VERIFIED}.{os.getpid()}"  # a killed run's is cleared by the next fetch
    try:
        new.write_text(json.dumps(known, indent=0, sort_keys=True), "utf-8")
        new.replace(weights / VERIFIED)
    finally:
        new.unlink(missing_ok=True)


def _is_known(weights: Path, file: File, known: dict[str, Any]) -> bool:
    try:
        return bool(known.get(file.path) == _stamp(weights, file))
    except OSError:
        return False


def _stamp(weights: Path, file: File) -> list[Any]:
    stat = (weights / file.path).stat()
    # The size is the manifest's: a file of another size is never equal to its own note.
    return [file.size if stat.st_size == file.size else -1, stat.st_mtime_ns, file.sha256]


def _examine(weights: Path, file: File) -> Problem | None:
    path = weights / file.path
    if not path.is_file():
        return Problem(file.path, "missing", f"{path} is not there")
    if (size := path.stat().st_size) != file.size:
        return Problem(file.path, "wrong_size", f"{path} has {size} bytes, not {file.size}")
    if (sha256 := hash_file(path)) != file.sha256:
        message = f"{path} has sha256 {sha256}, not {file.sha256}"
        return Problem(file.path, "wrong_hash", message)
    return None


def _state(weights: Path, files: list[File], known: dict[str, Any]) -> State:
    if all(_is_known(weights, file, known) for file in files):
        return "ready"
    there = [_has_size(weights / file.path, file.size) for file in files]
    if all(there):
        return "unverified"
    return "partial" if any(there) else "missing"


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder; its file systems journal renames themselves
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
