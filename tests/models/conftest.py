"""A registry to fetch from, what is to be fetched, and where to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.manifest import Manifest
from tests.models import local_registry as local
from tests.models.fetching import written
from tests.models.local_registry import Registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    with local.serving(Registry()) as registry:
        yield registry


@pytest.fixture
def manifest(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """Of everything there is, in the registry."""
    for name, value in local.variables(registry).items():
        monkeypatch.setenv(name, value)
    return written(tmp_path, local.fill(registry))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits in these tests; what would have been waited is listed."""
    waited: list[float] = []
    monkeypatch.setattr("models.download.time.sleep", waited.append)
    return waited


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tmp_path / "weights"
