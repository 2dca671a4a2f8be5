"""What the weights folder knows about itself, and the real store against the real manifest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models import store
from models.manifest import Manifest, load_manifest
from tests.models import local_registry as local

WEIGHTS = Path(__file__).parents[2] / "data" / "models"


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    path = tmp_path / "manifest.toml"
    text = [local.model("vad", "starter"), local.entry("vad/a", b"aaa", local.hub("o/r", "a"))]
    text += [local.entry("vad/b", b"bbbb", local.hub("o/r", "b"))]
    path.write_text("\n".join(text))
    return load_manifest(path)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    (folder / "vad").mkdir(parents=True)
    (folder / "vad/a").write_bytes(b"aaa")
    (folder / "vad/b").write_bytes(b"bbbb")
    return folder


def state(weights: Path, manifest: Manifest) -> str:
    [row] = store.status(weights, manifest=manifest)
    return row.state


def test_states_of_a_model(weights: Path, manifest: Manifest) -> None:
    assert state(weights, manifest) == "unverified"
    store.remember(weights, manifest.files)
    assert state(weights, manifest) == "ready"
    (weights / "vad/b").unlink()
    assert state(weights, manifest) == "partial"
    (weights / "vad/a").unlink()
    assert state(weights, manifest) == "missing"


def test_a_row_sums_up_a_model(weights: Path, manifest: Manifest) -> None:
    [row] = store.status(weights, manifest=manifest)
    assert (row.model, row.set, row.licence, row.files, row.size) == ("vad", "starter", "MIT", 2, 7)


def test_missing_hashes_what_it_does_not_know(weights: Path, manifest: Manifest) -> None:
    assert store.missing(manifest, weights) == []
    (weights / "vad/a").write_bytes(b"xxx")
    assert [file.path for file in store.missing(manifest, weights)] == ["vad/a"]
    assert not (weights / store.VERIFIED).exists()  # asking writes nothing


def test_missing_reads_nothing_that_was_verified(
    weights: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.remember(weights, manifest.files)
    monkeypatch.setattr(store, "hash_file", lambda path: pytest.fail(f"read {path}"))
    assert store.missing(manifest, weights) == []


def test_a_touched_file_is_looked_at_again(weights: Path, manifest: Manifest) -> None:
    store.remember(weights, manifest.files)
    path = weights / "vad/a"
    time = path.stat().st_mtime_ns
    path.write_bytes(b"xxx")
    os.utime(path, ns=(time, time + 1))
    assert [file.path for file in store.missing(manifest, weights)] == ["vad/a"]


@pytest.mark.parametrize("note", ["", "[]", "{", '{"vad/a": 1, "vad/b": {"size": 4}}', "\xff"])
def test_an_unreadable_note_only_costs_a_hash(weights: Path, manifest: Manifest, note: str) -> None:
    (weights / store.VERIFIED).write_text(note, "latin-1")
    assert state(weights, manifest) == "unverified"
    assert store.missing(manifest, weights) == []
    store.remember(weights, manifest.files)
    assert state(weights, manifest) == "ready"


def test_verify_names_each_problem(weights: Path, manifest: Manifest) -> None:
    assert store.verify(weights, manifest=manifest) == []
    (weights / "vad/a").write_bytes(b"xxx")
    (weights / "vad/b").write_bytes(b"longer")
    problems = store.verify(weights, manifest=manifest)
    assert [(p.path, p.reason) for p in problems] == [
        ("vad/a", "wrong_hash"),
        ("vad/b", "wrong_size"),
    ]
    (weights / "vad/a").unlink()
    assert store.verify(weights, manifest=manifest)[0].reason == "missing"


def test_a_folder_that_does_not_exist_is_simply_empty(tmp_path: Path, manifest: Manifest) -> None:
    nowhere = tmp_path / "nowhere"
    assert len(store.missing(manifest, nowhere)) == 2
    assert len(store.verify(nowhere, manifest=manifest)) == 2
    assert state(nowhere, manifest) == "missing"
    assert not nowhere.exists()


@pytest.mark.models
def test_the_real_starter_set_is_what_the_manifest_says() -> None:
    assert store.verify(WEIGHTS) == []
