"""One file that holds a backup: rows, files and a manifest, compressed and, if wished, encrypted.

A plain archive is a `tar.gz` whose last member, `manifest.json`, has the SHA-256 of every other.
An encrypted one is a `tar` of two members: `archive.age`, the plain one encrypted with age for a
key of its own, and `key.age`, that key encrypted with the passphrase. So a large archive is never
in memory, and `age -d` can open it without this program.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pyrage

from chat.errors import ChatError

FORMAT = 1
MANIFEST = "manifest.json"
_MEMBER = re.compile(r"(rows/[a-z_]+\.jsonl|attachments/[A-Za-z0-9][A-Za-z0-9._-]*)")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in an archive. `files` has the SHA-256 and the size in bytes of every member."""

    made_at: str
    revision: str
    rows: dict[str, int]
    files: dict[str, tuple[str, int]]
    format: int = FORMAT


def damaged(why: str) -> ChatError:
    """What is raised when an archive is not what it says."""
    return ChatError("backup_damaged", f"the backup cannot be used: {why}")


def pack(
    target: Path, rows: Path, files: Path, *, made_at: str, revision: str, counts: dict[str, int]
) -> Manifest:
    """Write a plain archive of the files in the folder `rows` and of the attachments in `files`."""
    members = {f"rows/{path.name}": path for path in sorted(rows.iterdir())}
    for path in sorted(files.iterdir()) if files.is_dir() else ():
        if path.is_file() and _MEMBER.fullmatch(f"attachments/{path.name}"):
            members[f"attachments/{path.name}"] = path
    digests: dict[str, tuple[str, int]] = {}
    with tarfile.open(target, "w:gz", compresslevel=6) as tar:
        for name, path in members.items():
            try:
                stream = path.open("rb")
            except FileNotFoundError:  # an attachment that was removed meanwhile
                continue
            with stream:
                info = tar.gettarinfo(fileobj=stream)
                info.name, info.uname, info.gname = name, "", ""
                info.uid = info.gid = 0
                hashed = _Hashed(stream)
                tar.addfile(info, hashed)
                digests[name] = (hashed.digest.hexdigest(), info.size)
        manifest = Manifest(made_at, revision, counts, digests)
        told = json.dumps(asdict(manifest), indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(told)
        tar.addfile(info, BytesIO(told))
    return manifest


def unpack(archive: Path, folder: Path) -> Manifest:
    """Take a plain archive apart into `folder` and compare every file with the manifest.

    Raises `ChatError` (`backup_damaged`).
    """
    digests: dict[str, tuple[str, int]] = {}
    told = None
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for info in tar:
                stream = tar.extractfile(info) if info.isreg() else None
                if stream is None:
                    raise damaged(f"{info.name!r} is no plain file")
                if info.name == MANIFEST:
                    told = json.loads(stream.read())
                    continue
                if not _MEMBER.fullmatch(info.name) or info.name in digests:
                    raise damaged(f"it has no business to contain {info.name!r}")
                digests[info.name] = _extract(stream, folder / info.name)
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError) as error:
        raise damaged(str(error) or type(error).__name__) from None
    return _compared(told, digests)


def _compared(told: Any, digests: dict[str, tuple[str, int]]) -> Manifest:
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise damaged("there is no manifest that this release can read")
    try:
        promised = {name: (str(sha), int(size)) for name, (sha, size) in told["files"].items()}
        manifest = Manifest(
            str(told["made_at"]),
            str(told["revision"]),
            {str(name): int(count) for name, count in told["rows"].items()},
            promised,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise damaged("its manifest is incomplete") from None
    for name in promised.keys() | digests.keys():
        if promised.get(name) != digests.get(name):
            raise damaged(f"{name} is not what the manifest says")
    return manifest


def _extract(stream: IO[bytes], target: Path) -> tuple[str, int]:
    target.parent.mkdir(parents=True, exist_ok=True)
    hashed = _Hashed(stream)
    with target.open("wb") as out:
        shutil.copyfileobj(hashed, out, _CHUNK)
    return hashed.digest.hexdigest(), target.stat().st_size


class _Hashed:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.digest.update(data)
        return data


def encrypt(plain: Path, target: Path, passphrase: str) -> None:
    """Encrypt the archive `plain` into `target`."""
    key = pyrage.x25519.Identity.generate()
    sealed = plain.with_name("archive.age")
    with plain.open("rb") as source, sealed.open("wb") as out:
        pyrage.encrypt_io(source, out, [key.to_public()])
    key_file = plain.with_name("key.age")
    key_file.write_bytes(pyrage.passphrase.encrypt(str(key).encode(), passphrase))
    with tarfile.open(target, "w") as tar:
        for path in (key_file, sealed):
            tar.add(path, path.name, filter=_nobodys)


def _nobodys(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uname, info.gname, info.uid, info.gid = "", "", 0, 0
    return info


@contextmanager
def decrypted(archive: Path, passphrase: str | None, folder: Path) -> Iterator[Path]:
    """The plain archive in `archive`, which may be encrypted; `folder` is for what is decrypted.

    Raises `ChatError`: `backup_not_found`, `backup_passphrase` (none or a wrong one),
    `backup_damaged`.
    """
    if not archive.is_file():
        raise ChatError("backup_not_found", f"there is no backup {archive}")
    try:
        tar = tarfile.open(archive, "r:")  # noqa: SIM115 - closed below; this asks what it is
    except tarfile.TarError:
        yield archive  # compressed, so it is a plain one
        return
    except OSError as error:
        raise damaged(str(error)) from None
    with tar:
        if not passphrase:
            raise ChatError("backup_passphrase", "the backup is encrypted: it needs a passphrase")
        plain = folder / "archive.tar.gz"
        try:
            key_text = _member(tar, "key.age").read()
            with plain.open("wb") as out:
                try:
                    key = pyrage.passphrase.decrypt(key_text, passphrase).decode()
                except pyrage.DecryptError:
                    raise ChatError("backup_passphrase", "the passphrase is wrong") from None
                identity = pyrage.x25519.Identity.from_str(key)
                pyrage.decrypt_io(_member(tar, "archive.age"), out, [identity])
        except (OSError, tarfile.TarError, pyrage.DecryptError, ValueError) as error:
            raise damaged(str(error) or "it cannot be decrypted") from None
    yield plain


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        stream = tar.extractfile(name)
    except KeyError:
        stream = None
    if stream is None:
        raise damaged(f"there is no {name} in it")
    return stream
