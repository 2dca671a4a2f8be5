"""Bring the weights folder up to the manifest: download, verify, assemble, install.

It can be stopped at any point, `kill -9` and power cuts included, and started again: downloads go
on where they ended, unfinished files are never under a final name, and only one process at a time
works on a folder. When everything is there it touches neither the network nor the disk.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from models import obtain, store
from models.download import open_client
from models.errors import ModelError, disk_errors
from models.manifest import File, HubFile, Joined, Manifest, Source, load_manifest
from models.obtain import Tried, Work, archives
from models.progress import Progress, progress_on
from models.registries import advice
from models.store import held

_SLACK = 8 << 20  # what the file system itself may want, on top of the files
_MB = 1_000_000
_NAMED = 3  # files named in an error message; the rest is counted


@dataclass(frozen=True, slots=True)
class Report:
    """What a fetch did: paths newly installed, and the number of files there already."""

    fetched: tuple[str, ...]
    kept: int


def fetch(
    weights: Path,
    sets: Iterable[str] | None = ("starter",),
    *,
    manifest: Manifest | None = None,
    progress: Progress | None = None,
) -> Report:
    """Make sure that `weights` holds every file of these sets or models, verified.

    `sets` names sets or single models; None is everything. Progress goes to stderr unless told
    otherwise. Files that lie there already (put there by hand, say) are verified and kept.

    Raises `ModelError`: `unknown_model`, `bad_manifest`, `source_unreachable`, `hash_mismatch`,
    `bad_archive`, `disk_full`, `not_writable`, `disk_error`. When a source fails, every other file
    is installed before the error is raised.
    """
    manifest = manifest or load_manifest()
    wanted = manifest.select(sets)
    if not store.unremembered(weights, wanted):
        return Report((), len(wanted))
    lacking = _lacking(weights, wanted)
    progress = progress or progress_on(sys.stderr)
    try:
        with _alone(weights, progress):
            # Another process may have fetched them while we waited for the lock.
            lacking = _lacking(weights, lacking)
            store.remember(weights, [file for file in wanted if file not in lacking])
            _clean(weights, manifest)
            _check_space(weights, lacking)
            fetched = _fetch_all(weights, lacking, progress)
            return Report(fetched, len(wanted) - len(fetched))
    except ModelError as error:
        if lacking or error.code != "not_writable":
            raise
        return Report((), len(wanted))  # complete, in a folder we may only read
    finally:
        progress.close()


def _lacking(weights: Path, wanted: Iterable[File]) -> list[File]:
    return store.missing(Manifest(tuple(wanted)), weights, None)


@contextmanager
def _alone(weights: Path, progress: Progress) -> Iterator[None]:
    """Hold the weights folder's lock; the system releases it if this process dies."""
    work = weights / store.WORK
    lock = FileLock(work / "lock")
    with disk_errors(work):
        work.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress.say(f"Another process is fetching into {weights}; waiting for it.")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _clean(weights: Path, manifest: Manifest) -> None:
    """Remove what a killed run left: unfinished files, and parts that nothing needs any more."""
    open_files = store.unremembered(weights, manifest.files)
    useful = {file.sha256 for file in open_files}
    useful |= {archive.sha256 for file in open_files for archive in archives(file.sources)}
    with disk_errors(weights):
        for path in (weights / store.WORK).iterdir():
            if path.suffix == ".tmp" or (path.suffix == ".part" and path.stem not in useful):
                path.unlink()
        for path in weights.glob(f"{store.VERIFIED}.*"):
            path.unlink()


def _check_space(weights: Path, lacking: list[File]) -> None:
    """Refuse at once what cannot fit: the files, and the archives of one file beside them."""
    if not lacking:
        return
    there = sum(held(part) for part in (weights / store.WORK).glob("*.part"))
    beside = max(sum(a.size for a in archives(file.sources[:1])) for file in lacking)
    need = sum(file.size for file in lacking) + beside + _SLACK - there
    free = shutil.disk_usage(weights).free
    if free < need:
        raise ModelError(
            "disk_full",
            f"{weights} has {free / _MB:.0f} MB free and needs {need / _MB:.0f} MB. "
            "Free some space, or choose a weights folder on another disk, and run again.",
        )


def _fetch_all(weights: Path, lacking: list[File], progress: Progress) -> tuple[str, ...]:
    failures: list[tuple[File, Tried]] = []
    fetched: list[str] = []
    with open_client() as client:
        work = Work(weights, client, progress)
        try:
            obtain.plan(work, lacking)
            for number, file in enumerate(lacking):
                if tried := obtain.obtain(work, file):
                    failures.append((file, tried))
                    continue
                rest = [*lacking[number + 1 :], *(failed for failed, _ in failures)]
                obtain.drop(work, file, {a for other in rest for a in archives(other.sources)})
                # Last, so that a run killed before it is followed by one that clears up.
                store.remember(weights, [file])
                fetched.append(file.path)
        finally:
            obtain.close(work)
    if failures:
        raise _explained(weights, failures)
    return tuple(fetched)


def _explained(weights: Path, failures: list[tuple[File, Tried]]) -> ModelError:
    """One error for all files that could not be had: why, and what to do about it."""
    codes = {error.code for _, tried in failures for _, error in tried}
    code = next(c for c in ("hash_mismatch", "bad_archive", "source_unreachable") if c in codes)
    lines = [f"{len(failures)} of the model files could not be fetched."]
    reasons: dict[str, None] = {}
    advices: dict[str, None] = {}
    for _, tried in failures:
        for source, error in tried:
            reasons[f"  {_named(source)}: {error.message}"] = None
            if error.code == "source_unreachable" and (told := advice(source)):
                advices[told] = None
    lines += reasons
    if code != "source_unreachable":
        lines.append(
            "What arrived was not what the manifest pins, so none of it was installed. "
            "If you use a mirror, it may be damaged or tampered with: try another one."
        )
    hints = ["check the network and the proxy variables", *advices]
    lines.append(f"What to do: {'; or '.join(hints)}; or put the files in place by hand:")
    for file, _ in failures[:_NAMED]:
        lines.append(f"  {weights / file.path} ({file.size} bytes, sha256 {file.sha256})")
    if len(failures) > _NAMED:
        lines.append(f"  and {len(failures) - _NAMED} more; `verify` lists them")
    lines.append("Then run again: what has been downloaded so far is kept.")
    return ModelError(code, "\n".join(lines))


def _named(source: Source) -> str:
    if isinstance(source, Joined):
        return " + ".join(str(archive) for archive in archives((source,)))
    if isinstance(source, HubFile):
        return f"hub {source.repo}"
    return "url"
