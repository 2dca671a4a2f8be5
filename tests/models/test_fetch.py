"""Fetching against a local registry that imitates the real ones, well-behaved and otherwise."""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from models import store
from models.fetch import Report, fetch
from models.manifest import Manifest
from models.progress import Lines, progress_on
from tests.models import local_registry as local
from tests.models.fetching import leftovers, refused, run
from tests.models.local_registry import Registry

EVERYTHING = ("starter", "large")
pytestmark = pytest.mark.usefixtures("pauses")


# The good way


def test_everything_arrives_and_is_what_it_should_be(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    report = run(weights, manifest)
    assert set(report.fetched) == set(local.FILES)
    assert report.kept == 0
    assert local.contents(weights) == local.FILES
    assert store.verify(weights, None, manifest=manifest) == []
    assert leftovers(weights) == set()
    # Each archive was downloaded once, however many files come from it.
    downloads = [path for path, _ in registry.requests if path in registry.files]
    assert len(downloads) == len(set(downloads)) == 5


def test_only_the_asked_for_set_or_model_is_fetched(weights: Path, manifest: Manifest) -> None:
    assert run(weights, manifest, ("vad",)).fetched == ("vad/vad.onnx",)
    assert "llm/llm.gguf" not in run(weights, manifest, ("starter",)).fetched
    assert run(weights, manifest, ("llm",)).fetched == ("llm/llm.gguf",)
    assert local.contents(weights) == local.FILES


def test_the_second_time_is_offline_and_reads_no_weights(
    weights: Path, manifest: Manifest, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(weights, manifest)
    registry.requests.clear()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(store, "hash_file", lambda path: pytest.fail(f"read {path}"))
    assert run(weights, manifest) == Report((), len(local.FILES))
    assert registry.requests == []


def test_hub_files_follow_the_redirect_to_the_cdn(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    run(weights, manifest, ("large",))
    assert [path for path, _ in registry.requests] == [
        f"/hub/org/llm/resolve/{local.COMMIT}/llm.gguf",
        f"/cdn/{local.sha256(local.LLM)}",
    ]


def test_files_put_in_place_by_hand_are_verified_and_kept(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    for path, data in local.FILES.items():
        (weights / path).parent.mkdir(parents=True, exist_ok=True)
        (weights / path).write_bytes(data)
    assert run(weights, manifest) == Report((), len(local.FILES))
    assert registry.requests == []
    assert {row.state for row in store.status(weights, manifest=manifest)} == {"ready"}


@pytest.mark.parametrize("damage", ["shorter", "other bytes"])
def test_a_damaged_file_is_replaced(weights: Path, manifest: Manifest, damage: str) -> None:
    run(weights, manifest)
    path = weights / "stt/model.bin"
    path.write_bytes(local.STT[:-1] if damage == "shorter" else bytes(len(local.STT)))
    assert run(weights, manifest).fetched == ("stt/model.bin",)
    assert path.read_bytes() == local.STT


def test_damage_that_kept_size_and_time_is_found_by_verify_and_then_repaired(
    weights: Path, manifest: Manifest
) -> None:
    run(weights, manifest)
    path = weights / "vad/vad.onnx"
    stat = path.stat()
    path.write_bytes(bytes(len(local.VAD)))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    [problem] = store.verify(weights, None, manifest=manifest)
    assert (problem.path, problem.reason) == ("vad/vad.onnx", "wrong_hash")
    assert run(weights, manifest).fetched == ("vad/vad.onnx",)
    assert store.verify(weights, None, manifest=manifest) == []


# Broken connections


@pytest.mark.parametrize("lengthless", [False, True])
def test_a_cut_connection_is_resumed_where_it_broke(
    weights: Path, manifest: Manifest, registry: Registry, lengthless: bool
) -> None:
    path = f"/cdn/{local.sha256(local.LLM)}"
    registry.lengthless = lengthless
    registry.cuts[path] = [40_000, 0, 30_000]
    run(weights, manifest, ("large",))
    assert [asked for _, asked in registry.asked(path)] == [
        None,
        "bytes=40000-",
        "bytes=40000-",
        "bytes=70000-",
    ]
    assert local.contents(weights) == {"llm/llm.gguf": local.LLM}


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    path = f"/cdn/{local.sha256(local.LLM)}"
    registry.cuts[path] = [50_000, 0, 0, 0, 0]
    assert refused(weights, manifest, ("large",)).code == "source_unreachable"
    assert local.contents(weights) == {}
    assert leftovers(weights) == {".part"}
    registry.cuts.clear()
    registry.requests.clear()
    run(weights, manifest, ("large",))
    assert registry.asked(path) == [(path, "bytes=50000-")]


def test_a_server_without_ranges_starts_over(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    registry.without_range = True
    registry.cuts[f"/cdn/{local.sha256(local.LLM)}"] = [100_000]
    run(weights, manifest, ("large",))
    assert local.contents(weights) == {"llm/llm.gguf": local.LLM}


def test_a_part_that_does_not_belong_is_thrown_away_once(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    part = weights / store.WORK / f"{local.sha256(local.LLM)}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    run(weights, manifest, ("large",))
    assert [asked for _, asked in registry.asked("/cdn/")] == ["bytes=1000-", None]
    assert local.contents(weights) == {"llm/llm.gguf": local.LLM}


def test_a_part_longer_than_the_file_is_thrown_away(weights: Path, manifest: Manifest) -> None:
    part = weights / store.WORK / f"{local.sha256(local.LLM)}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(local.LLM) + 1))
    run(weights, manifest, ("large",))
    assert local.contents(weights) == {"llm/llm.gguf": local.LLM}


def test_a_busy_server_is_asked_again_after_the_time_it_names(
    weights: Path, manifest: Manifest, registry: Registry, pauses: list[float]
) -> None:
    registry.statuses["/simple/my-vad/"] = [503, 429]
    run(weights, manifest, ("vad",))
    assert pauses == [7.0, 7.0]


def test_old_parts_and_unfinished_files_are_cleared_away(weights: Path, manifest: Manifest) -> None:
    work = weights / store.WORK
    work.mkdir(parents=True)
    (work / f"{'0' * 64}.part").write_bytes(b"of an older manifest")
    (work / f"{local.sha256(local.STT)}.tmp").write_bytes(b"half")
    run(weights, manifest)
    assert leftovers(weights) == set()


# The disk


def test_too_little_room_is_said_before_anything_is_downloaded(
    weights: Path, manifest: Manifest, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 1_000_000))
    error = refused(weights, manifest)
    assert error.code == "disk_full"
    assert "1 MB free" in error.message
    assert registry.requests == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_meanwhile_leaves_no_half_files(
    weights: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        error = refused(weights, manifest)
    assert error.code == "disk_full"
    assert "Free some space" in error.message
    assert local.contents(weights) == {}
    assert leftovers(weights) == set()
    run(weights, manifest)
    assert local.contents(weights) == local.FILES


def test_a_folder_that_cannot_be_made_is_said(weights: Path, manifest: Manifest) -> None:
    weights.write_text("a file, not a folder")
    assert refused(weights, manifest).code in {"not_writable", "disk_error"}


def test_a_complete_folder_that_may_only_be_read_is_fine(
    weights: Path, manifest: Manifest, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(weights, manifest)
    (weights / store.VERIFIED).unlink()
    registry.requests.clear()

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(store, "_write_verified", read_only)
    assert run(weights, manifest) == Report((), len(local.FILES))
    (weights / "vad/vad.onnx").unlink()
    assert refused(weights, manifest).code == "not_writable"
    assert registry.requests == []


# What is shown


def test_a_log_gets_plain_lines(weights: Path, manifest: Manifest) -> None:
    out = io.StringIO()
    shown = progress_on(out)
    assert isinstance(shown, Lines)
    fetch(weights, EVERYTHING, manifest=manifest, progress=Lines(out, every_s=0.0))
    lines = out.getvalue().splitlines()
    assert any(line.endswith("MB: pypi My.Vad==1.0") for line in lines)
    assert not any("\r" in line for line in lines)
    assert lines[-1].endswith("llm/llm.gguf")


def test_a_terminal_gets_a_bar_that_ends_full(weights: Path, manifest: Manifest) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    shown = progress_on(out)
    fetch(weights, EVERYTHING, manifest=manifest, progress=shown)
    assert "100%" in out.getvalue().rsplit("\r", 1)[-1]
