"""To fetch what a manifest names, and to see what became of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import store
from models.errors import ModelError
from models.fetch import Report, fetch
from models.manifest import Manifest, load_manifest
from models.progress import Silent


def written(folder: Path, text: str) -> Manifest:
    path = folder / "manifest.toml"
    path.write_text(text)
    return load_manifest(path)


def run(weights: Path, manifest: Manifest, sets: tuple[str, ...] | None = None) -> Report:
    return fetch(weights, sets, manifest=manifest, progress=Silent())


def refused(weights: Path, manifest: Manifest, sets: tuple[str, ...] | None = None) -> ModelError:
    """The error that fetching ends with."""
    with pytest.raises(ModelError) as caught:
        run(weights, manifest, sets)
    return caught.value


def leftovers(weights: Path) -> set[str]:
    """The suffixes of what is still in the working folder."""
    return {path.suffix for path in (weights / store.WORK).iterdir()} - {""}
