"""Read single files out of package archives, as data.

Nothing is unpacked as a whole, nothing is imported or run, and no path from inside an archive ever
becomes a path on disk: a member is a stream of bytes that the caller writes where it wants.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from models.errors import ModelError

# member name -> (declared size in bytes, stream)
Read = Callable[[str], tuple[int, IO[bytes]]]

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,  # an OSError, but nothing is wrong with the disk
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression method that zipfile does not know
    RuntimeError,  # zipfile: an encrypted member
)


@contextmanager
def opened(path: Path, name: str) -> Iterator[Read]:
    """Open the archive at `path`; its `name` tells a tar file (`.tgz`, `.tar.gz`) from a zip file.

    Yields a function that returns a member's declared size and its bytes. That function, and
    reading the stream inside the `with` block, raise `ModelError` `bad_archive`.
    """
    with archive_errors(name):
        if name.endswith((".tgz", ".tar.gz")):
            with tarfile.open(path, "r:gz") as tar:
                yield lambda member: _tar_member(tar, name, member)
        else:
            with zipfile.ZipFile(path) as archive:
                yield lambda member: _zip_member(archive, name, member)


@contextmanager
def archive_errors(name: str) -> Iterator[None]:
    """Turn what the archive modules raise into a `ModelError`."""
    try:
        yield
    except _BROKEN as error:
        raise ModelError("bad_archive", f"{name} cannot be read: {error}") from error


def _zip_member(archive: zipfile.ZipFile, name: str, member: str) -> tuple[int, IO[bytes]]:
    with archive_errors(name):
        try:
            info = archive.getinfo(member)
        except KeyError:
            raise ModelError("bad_archive", f"{name} has no {member}") from None
        return info.file_size, archive.open(info)


def _tar_member(tar: tarfile.TarFile, name: str, member: str) -> tuple[int, IO[bytes]]:
    with archive_errors(name):
        # Iterating reads on only as far as needed; members already seen come first.
        info = next((info for info in tar if info.name == member), None)
        stream = tar.extractfile(info) if info is not None and info.isreg() else None
        if info is None or stream is None:
            raise ModelError("bad_archive", f"{name} has no plain file {member}")
        return info.size, stream
