"""Sources that fail or send something else, and archives that are not to be trusted."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from models.manifest import Manifest
from tests.models import local_registry as local
from tests.models.fetching import leftovers, refused, run, written
from tests.models.local_registry import Registry

pytestmark = pytest.mark.usefixtures("pauses")


# Sources that fail


def test_sources_are_tried_in_order_and_the_hash_decides(
    weights: Path, registry: Registry, manifest: Manifest, tmp_path: Path
) -> None:
    wrong = bytes(len(local.LLM))
    registry.add_hub("org/wrong", "llm.gguf", wrong)
    text = local.model("llm", "large") + local.entry(
        "llm/llm.gguf",
        local.LLM,
        local.hub("org/gone", "llm.gguf"),
        local.hub("org/wrong", "llm.gguf"),
        f'{{ url = "{registry.address}/cdn/{local.sha256(local.LLM)}" }}',
    )
    assert run(weights, written(tmp_path, text)).fetched == ("llm/llm.gguf",)
    asked = [path for path, _ in registry.requests]
    assert [path.split("/")[1:3] for path in asked] == [
        ["hub", "org"],
        ["hub", "org"],
        ["cdn", local.sha256(wrong)],
        ["cdn", local.sha256(local.LLM)],
    ]


def test_a_wrong_hash_is_refused_and_leaves_nothing(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    path = f"/cdn/{local.sha256(local.LLM)}"
    registry.files[path] = bytes(len(local.LLM))
    error = refused(weights, manifest)
    assert error.code == "hash_mismatch"
    assert "none of it was installed" in error.message
    assert str(weights / "llm/llm.gguf") in error.message
    assert leftovers(weights) == set()
    # The other files came all the same.
    assert set(local.contents(weights)) == set(local.FILES) - {"llm/llm.gguf"}


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("lengthless", [False, True])
def test_a_wrong_size_is_refused(
    weights: Path, manifest: Manifest, registry: Registry, change: int, lengthless: bool
) -> None:
    registry.lengthless = lengthless
    registry.files[f"/cdn/{local.sha256(local.LLM)}"] = (local.LLM + b"x")[
        : len(local.LLM) + change
    ]
    assert refused(weights, manifest, ("large",)).code == "hash_mismatch"
    assert local.contents(weights) == {}


def test_an_archive_with_another_hash_is_refused_before_it_is_downloaded(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    registry.add_pypi("my-vad", "my_vad-1.0-py3-none-any.whl", b"something else")
    error = refused(weights, manifest, ("vad",))
    assert error.code == "hash_mismatch"
    assert "announces another sha256" in error.message
    assert registry.asked("/packages/") == []


def test_a_member_with_another_hash_is_refused(
    weights: Path, manifest: Manifest, registry: Registry, tmp_path: Path
) -> None:
    text = local.fill(registry).replace(local.sha256(local.VAD), "0" * 64)
    error = refused(weights, written(tmp_path, text), ("vad",))
    assert error.code == "hash_mismatch"
    assert local.contents(weights) == {}
    assert ".tmp" not in leftovers(weights)


def test_an_unreachable_registry_says_what_to_do_and_is_asked_once(
    weights: Path,
    manifest: Manifest,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://user:secret@127.0.0.1:9/npm")
    error = refused(weights, manifest)
    assert error.code == "source_unreachable"
    for told in ("npm voices@2.0.0", "npm_config_registry", str(weights / "tts/voices/ann.bin")):
        assert told in error.message
    assert "secret" not in error.message
    assert len(pauses) == 3  # one round of attempts for three voices
    assert set(local.contents(weights)) == {p for p in local.FILES if not p.startswith("tts/")}


def test_an_index_that_lists_no_such_file_is_named(
    weights: Path, manifest: Manifest, registry: Registry
) -> None:
    registry.pages["/simple/my-vad/"] = ("text/html", "<html><a href='other.whl'>other</a></html>")
    error = refused(weights, manifest, ("vad",))
    assert error.code == "source_unreachable"
    assert "does not list my_vad-1.0-py3-none-any.whl" in error.message
    assert "PIP_INDEX_URL" in error.message


@pytest.mark.parametrize("text", ["[]", "not json", '{"dist": {}}'])
def test_a_registry_that_answers_nonsense_is_no_crash(
    weights: Path, manifest: Manifest, registry: Registry, text: str
) -> None:
    registry.pages["/npm/voices/2.0.0"] = ("application/json", text)
    assert refused(weights, manifest, ("tts",)).code == "source_unreachable"


def test_an_unknown_set_is_refused_with_the_known_ones(weights: Path, manifest: Manifest) -> None:
    error = refused(weights, manifest, ("starter", "enormous"))
    assert error.code == "unknown_model"
    assert "enormous" in error.message
    assert "large" in error.message
    assert not weights.exists()


# Archives are data


def test_a_member_that_declares_another_size_is_not_unpacked(
    weights: Path, manifest: Manifest, registry: Registry, tmp_path: Path
) -> None:
    bomb = local.zipped({"big": bytes(20_000_000)})
    assert len(bomb) < 100_000
    registry.add_pypi("bomb", "bomb-1-py3-none-any.whl", bomb)
    text = "\n".join(
        [
            local.archive("pypi", "bomb==1", "bomb-1-py3-none-any.whl", bomb),
            local.model("bomb", "starter"),
            local.entry("bomb/big", b"small", '{ pypi = "bomb==1", member = "big" }'),
        ]
    )
    error = refused(weights, written(tmp_path, text))
    assert error.code == "bad_archive"
    assert "unpacked size" in error.message
    assert local.contents(weights) == {}


def test_a_member_that_lies_about_its_size_ends_the_reading(
    weights: Path, manifest: Manifest, registry: Registry, tmp_path: Path
) -> None:
    honest = local.zipped({"big": bytes(2_000_000)})
    # The sizes in the local header and in the central directory now say 5.
    lying = honest.replace((2_000_000).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    assert lying != honest
    registry.add_pypi("lie", "lie-1-py3-none-any.whl", lying)
    text = "\n".join(
        [
            local.archive("pypi", "lie==1", "lie-1-py3-none-any.whl", lying),
            local.model("lie", "starter"),
            local.entry("lie/big", bytes(5), '{ pypi = "lie==1", member = "big" }'),
        ]
    )
    assert refused(weights, written(tmp_path, text)).code == "bad_archive"
    assert local.contents(weights) == {}


def test_a_link_in_a_tar_file_is_not_followed(
    weights: Path, manifest: Manifest, registry: Registry, tmp_path: Path
) -> None:
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        link = tarfile.TarInfo("package/passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    registry.add_npm("link", "1.0.0", "link-1.0.0.tgz", out.getvalue())
    text = "\n".join(
        [
            local.archive("npm", "link@1.0.0", "link-1.0.0.tgz", out.getvalue()),
            local.model("link", "starter"),
            local.entry("link/x", b"x", '{ npm = "link@1.0.0", member = "package/passwd" }'),
        ]
    )
    assert refused(weights, written(tmp_path, text)).code == "bad_archive"


@pytest.mark.parametrize("name", ["broken-1.tgz", "broken-1-py3-none-any.whl"])
@pytest.mark.parametrize("data", [b"no archive at all", b"\x1f\x8b\x08\x00broken", b"PK\x03\x04"])
def test_a_broken_archive_is_refused(
    weights: Path, manifest: Manifest, registry: Registry, tmp_path: Path, name: str, data: bytes
) -> None:
    registry.add_pypi("broken", name, data)
    text = "\n".join(
        [
            local.archive("pypi", "broken==1", name, data),
            local.model("broken", "starter"),
            local.entry("broken/x", b"x", '{ pypi = "broken==1", member = "x" }'),
        ]
    )
    assert refused(weights, written(tmp_path, text)).code == "bad_archive"
