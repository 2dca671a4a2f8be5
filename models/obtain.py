"""Get one file from the first of its sources that has it, as a whole and verified.

Archives are downloaded once however many files come from them, and removed when no file still to
be fetched needs them.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from models import store
from models.archive import Read, archive_errors, opened
from models.download import download, get_page
from models.errors import ModelError, NoAnswer, disk_errors
from models.manifest import Archive, File, HubFile, Joined, Source, Url
from models.progress import Progress
from models.registries import archive_address, hub_address
from models.store import hash_file, held

_BLOCK = 1 << 20
# What another source can make good; everything else (a full disk, say) ends the fetch.
OF_SOURCES = frozenset({"hash_mismatch", "bad_archive", "source_unreachable"})

Tried = list[tuple[Source, ModelError]]


@dataclass(slots=True)
class Work:
    """What one run knows while it works. `silent` are registries that could not be connected to."""

    weights: Path
    client: httpx2.Client
    progress: Progress
    readers: dict[Archive, tuple[Read, ExitStack]] = field(default_factory=dict)
    failed: dict[Archive, ModelError] = field(default_factory=dict)
    silent: dict[str, NoAnswer] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)

    def part(self, sha256: str) -> Path:
        """Where the download with this hash grows."""
        return self.weights / store.WORK / f"{sha256}.part"


def archives(sources: tuple[Source, ...]) -> list[Archive]:
    """The archives that these sources take members from, each once."""
    found = [part.archive for s in sources if isinstance(s, Joined) for part in s.members]
    return list(dict.fromkeys(found))


def plan(work: Work, files: list[File]) -> None:
    """Count what is to be downloaded when every file's first source has it."""
    for file in files:
        first = archives(file.sources[:1])
        work.planned |= {a.sha256: a.size for a in first} or {file.sha256: file.size}
    work.progress.total(sum(work.planned.values()))
    work.progress.advance(sum(held(work.part(sha256)) for sha256 in work.planned))


def obtain(work: Work, file: File) -> Tried:
    """Install `file` from the first source that has it.

    Returns [] when it is installed, otherwise what each source failed with. Raises `ModelError`
    only where no other source could help (`disk_full`, `not_writable`, `disk_error`).
    """
    tried: Tried = []
    for source in file.sources:
        try:
            if isinstance(source, Joined):
                whole = _join(work, file, source)
            else:
                whole = _download_file(work, file, source)
            store.install(work.weights, file, whole)
        except ModelError as error:
            if error.code not in OF_SOURCES:
                raise
            tried.append((source, error))
        else:
            return []
    return tried


def drop(work: Work, done: File, needed: set[Archive]) -> None:
    """Remove the archives of `done` that are not `needed` any more."""
    for archive in archives(done.sources):
        if archive in needed:
            continue
        if archive in work.readers:
            work.readers.pop(archive)[1].close()
        work.part(archive.sha256).unlink(missing_ok=True)


def close(work: Work) -> None:
    """Close the archives that are still open; their parts stay for the next run."""
    for _, stack in work.readers.values():
        stack.close()
    work.readers.clear()


def _download_file(work: Work, file: File, source: HubFile | Url) -> Path:
    """Download the file itself; its part is the whole."""
    if isinstance(source, HubFile):
        registry, address = "hub", hub_address(source)
    else:
        registry, address = urlsplit(source.url).netloc, source.url
    work.progress.label(file.path)
    if error := work.silent.get(registry):
        raise error
    try:
        _download(work, address, file.size, file.sha256)
    except NoAnswer as error:
        work.silent[registry] = error
        raise
    return work.part(file.sha256)


def _join(work: Work, file: File, source: Joined) -> Path:
    """Write the members one after the other into one unfinished file and check it."""
    # All archives first, so that being killed while fetching the last one loses none.
    readers = [_reader(work, part.archive) for part in source.members]
    archive = source.members[-1].archive
    whole = work.weights / store.WORK / f"{file.sha256}.tmp"
    digest = hashlib.sha256()
    room = file.size
    try:
        with disk_errors(whole), whole.open("wb") as out:
            for part, read in zip(source.members, readers, strict=True):
                declared, stream = read(part.member)
                room -= declared
                with stream, archive_errors(archive.file):
                    if room < 0:  # known before a single byte of a bomb is unpacked
                        break
                    while block := stream.read(_BLOCK):
                        out.write(block)
                        digest.update(block)
        if room != 0:
            message = f"{archive}: the unpacked size is not the manifest's {file.size} bytes"
            raise ModelError("bad_archive", message)
        if digest.hexdigest() != file.sha256:
            raise ModelError("hash_mismatch", f"{archive}: {file.path} has another sha256")
    except BaseException:
        whole.unlink(missing_ok=True)
        raise
    return whole


def _reader(work: Work, archive: Archive) -> Read:
    """The opened archive, downloaded now or earlier; a failure is remembered for this run."""
    if archive in work.failed:
        raise work.failed[archive]
    if archive not in work.readers:
        try:
            work.readers[archive] = _open(work, archive)
        except ModelError as error:
            work.failed[archive] = error
            raise
    return work.readers[archive][0]


def _open(work: Work, archive: Archive) -> tuple[Read, ExitStack]:
    part = work.part(archive.sha256)
    work.progress.label(str(archive))
    # One that an earlier run completed needs no network.
    if held(part) != archive.size or hash_file(part) != archive.sha256:
        if error := work.silent.get(archive.registry):
            raise error
        try:
            address = archive_address(archive, lambda url, kind: get_page(work.client, url, kind))
            _download(work, address, archive.size, archive.sha256)
        except NoAnswer as error:
            work.silent[archive.registry] = error
            raise
    stack = ExitStack()
    return stack.enter_context(opened(part, archive.file)), stack


def _download(work: Work, address: str, size: int, sha256: str) -> None:
    if sha256 not in work.planned:  # not a first source: more to come than was planned
        work.planned[sha256] = size
        work.progress.total(sum(work.planned.values()))
        work.progress.advance(held(work.part(sha256)))
    part = work.part(sha256)
    download(work.client, address, part, size=size, sha256=sha256, advance=work.progress.advance)
