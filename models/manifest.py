"""Read and check `manifest.toml`: which weight files there are, and where each can come from.

Everything is checked before anything is downloaded: a path that could leave the weights folder, a
hash that is no hash or a revision that can move makes the whole manifest unusable.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ModelError

MANIFEST = Path(__file__).with_name("manifest.toml")

# The first character is never a dot: no hidden file, no "..", nothing that is the store's own.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PYPI = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_NPM = re.compile(r"((?:@[a-z0-9._-]+/)?[a-z0-9][a-z0-9._-]*)@([0-9][A-Za-z0-9.+-]*)")


@dataclass(frozen=True, slots=True)
class Archive:
    """A registry's package file, pinned by its own hash. `registry` is `pypi` or `npm`."""

    registry: str
    name: str
    version: str
    file: str
    size: int
    sha256: str

    def __str__(self) -> str:
        joint = "==" if self.registry == "pypi" else "@"
        return f"{self.registry} {self.name}{joint}{self.version}"


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside an archive."""

    archive: Archive
    member: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Members of archives that give the file when written one after the other; usually just one."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a hub repository at one commit."""

    repo: str
    revision: str
    file: str


@dataclass(frozen=True, slots=True)
class Url:
    """A plain address."""

    url: str


Source = Joined | HubFile | Url


@dataclass(frozen=True, slots=True)
class File:
    """A weight file: where it is installed (below the weights folder), its hash and its sources."""

    path: str
    size: int
    sha256: str
    sources: tuple[Source, ...]
    model: str
    set: str
    used_by: str
    licence: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All known weight files, in the order in which they are fetched."""

    files: tuple[File, ...]

    def select(self, names: Iterable[str] | None = None) -> tuple[File, ...]:
        """The files of the named sets or models, in manifest order; all of them for `None`.

        Raises `ModelError` `unknown_model` for a name that is neither a set nor a model.
        """
        if names is None:
            return self.files
        wanted = set(names)
        known = {name for file in self.files for name in (file.set, file.model)}
        if unknown := sorted(wanted - known):
            raise ModelError(
                "unknown_model",
                f"No set or model is called {', '.join(unknown)}. "
                f"Known: {', '.join(sorted(known))}.",
            )
        return tuple(f for f in self.files if f.set in wanted or f.model in wanted)


def load_manifest(path: Path | None = None) -> Manifest:
    """Read the manifest at `path` (default: the one in this package).

    Raises `ModelError` `bad_manifest`, naming the entry that is wrong.
    """
    path = path or MANIFEST
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError("bad_manifest", f"{path} cannot be read: {error}") from error
    try:
        return _parse(raw)
    except _Wrong as error:
        raise ModelError("bad_manifest", f"{path}: {error}") from error


class _Wrong(Exception):
    pass


def _parse(raw: Mapping[str, Any]) -> Manifest:
    _only(raw, {"archive", "model"}, "manifest")
    archives: dict[str, Archive] = {}
    for entry in _tables(raw, "archive", "manifest"):
        key, archive = _archive(entry)
        if key in archives:
            raise _Wrong(f"archive {key} is named twice")
        archives[key] = archive
    files = [
        file for entry in _tables(raw, "model", "manifest") for file in _model(entry, archives)
    ]
    seen: dict[str, str] = {}
    for file in files:
        # Compared without case: some file systems do not tell "A" from "a".
        if seen.setdefault(file.path.casefold(), file.path) is not file.path:
            raise _Wrong(f"two files are installed as {file.path}")
    return Manifest(tuple(files))


def _archive(entry: Mapping[str, Any]) -> tuple[str, Archive]:
    registry = "pypi" if "pypi" in entry else "npm"
    _only(entry, {registry, "file", "size", "sha256"}, "archive")
    key = _text(entry, registry, "archive")
    match = (_PYPI if registry == "pypi" else _NPM).fullmatch(key)
    if match is None:
        raise _Wrong(f"archive {key!r}: write name==version for pypi, name@version for npm")
    file = _text(entry, "file", key)
    if not _NAME.fullmatch(file) or not file.endswith((".whl", ".zip", ".tgz", ".tar.gz")):
        raise _Wrong(f"archive {key}: {file!r} is no .whl, .zip, .tgz or .tar.gz file name")
    size, sha256 = _size(entry, key), _hash(entry, key)
    return f"{registry} {key}", Archive(registry, match[1], match[2], file, size, sha256)


def _model(entry: Mapping[str, Any], archives: Mapping[str, Archive]) -> list[File]:
    name = _text(entry, "name", "model")
    _only(entry, {"name", "set", "used_by", "licence", "file"}, name)
    if not _NAME.fullmatch(name):
        raise _Wrong(f"{name!r} is no model name")
    files = []
    for item in _tables(entry, "file", name):
        path = _text(item, "path", name)
        _only(item, {"path", "size", "sha256", "sources"}, path)
        _check_path(path)
        sources = tuple(_source(s, archives, path) for s in _tables(item, "sources", path))
        if not sources:
            raise _Wrong(f"{path} has no sources")
        files.append(
            File(
                path=path,
                size=_size(item, path),
                sha256=_hash(item, path),
                sources=sources,
                model=name,
                set=_text(entry, "set", name),
                used_by=_text(entry, "used_by", name),
                licence=_text(entry, "licence", name),
            )
        )
    if not files:
        raise _Wrong(f"model {name} has no files")
    return files


def _source(entry: Mapping[str, Any], archives: Mapping[str, Archive], path: str) -> Source:
    if "parts" in entry:
        _only(entry, {"parts"}, path)
        parts = tuple(_member(part, archives, path) for part in _tables(entry, "parts", path))
        if not parts:
            raise _Wrong(f"{path}: a source with no parts")
        return Joined(parts)
    if "hub" in entry:
        _only(entry, {"hub", "revision", "file"}, path)
        repo, file = _text(entry, "hub", path), _text(entry, "file", path)
        revision = _text(entry, "revision", path)
        if not _COMMIT.fullmatch(revision):
            raise _Wrong(f"{path}: revision {revision!r} is not a commit; a branch can move")
        _check_path(repo)
        _check_path(file)
        return HubFile(repo, revision, file)
    if "url" in entry:
        _only(entry, {"url"}, path)
        url = _text(entry, "url", path)
        if not url.startswith(("https://", "http://")):
            raise _Wrong(f"{path}: {url!r} is neither https nor http")
        return Url(url)
    return Joined((_member(entry, archives, path),))


def _member(entry: Mapping[str, Any], archives: Mapping[str, Archive], path: str) -> Member:
    registry = "pypi" if "pypi" in entry else "npm"
    _only(entry, {registry, "member"}, path)
    key = f"{registry} {_text(entry, registry, path)}"
    if key not in archives:
        raise _Wrong(f"{path}: no [[archive]] pins {key}")
    member = _text(entry, "member", path)
    _check_path(member)
    return Member(archives[key], member)


def _check_path(path: str) -> None:
    """Only plain names joined by `/`: no root, drive, backslash, `.`, `..` or hidden name."""
    if not all(_NAME.fullmatch(name) for name in path.split("/")):
        raise _Wrong(f"{path!r} is not a plain relative path")


def _only(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(entry) - known):
        raise _Wrong(f"{where}: unknown {', '.join(unknown)}")


def _tables(entry: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _Wrong(f"{where}: {key} is not a list of tables")
    return value


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise _Wrong(f"{where}: {key} is missing or not a text")
    return value


def _size(entry: Mapping[str, Any], where: str) -> int:
    value = entry.get("size")
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise _Wrong(f"{where}: size is not a positive whole number")
    return value


def _hash(entry: Mapping[str, Any], where: str) -> str:
    value = _text(entry, "sha256", where)
    if not _SHA256.fullmatch(value):
        raise _Wrong(f"{where}: sha256 is not 64 lower-case hex digits")
    return value
