"""The manifest: the one that ships is sound, and a wrong one is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import ModelError
from models.manifest import HubFile, Joined, Url, load_manifest

HASH = "ab" * 32
COMMIT = "cd" * 20

GOOD = f"""
[[archive]]
pypi = "pack==1.0"
file = "pack-1.0-py3-none-any.whl"
size = 5
sha256 = "{HASH}"

[[model]]
name = "vad"
set = "starter"
used_by = "vad"
licence = "MIT"

[[model.file]]
path = "vad/a.onnx"
size = 3
sha256 = "{HASH}"
sources = [
  {{ pypi = "pack==1.0", member = "pack/a.onnx" }},
  {{ hub = "org/repo", revision = "{COMMIT}", file = "sub/a.onnx" }},
  {{ url = "https://example.org/a.onnx" }},
]
"""


def loaded(folder: Path, text: str):  # type: ignore[no-untyped-def]
    path = folder / "manifest.toml"
    path.write_text(text)
    return load_manifest(path)


def test_a_good_manifest_is_read(tmp_path: Path) -> None:
    [file] = loaded(tmp_path, GOOD).files
    assert (file.path, file.model, file.set, file.licence) == (
        "vad/a.onnx",
        "vad",
        "starter",
        "MIT",
    )
    assert [type(source) for source in file.sources] == [Joined, HubFile, Url]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"vad/a.onnx"', '"../a.onnx"', "plain relative path"),
        ('"vad/a.onnx"', '"/etc/a.onnx"', "plain relative path"),
        ('"vad/a.onnx"', '"vad/../../a"', "plain relative path"),
        ('"vad/a.onnx"', "'vad\\a.onnx'", "plain relative path"),
        ('"vad/a.onnx"', '"C:/a.onnx"', "plain relative path"),
        ('"vad/a.onnx"', '"vad//a.onnx"', "plain relative path"),
        ('"vad/a.onnx"', '".fetch/lock"', "plain relative path"),
        ('"vad/a.onnx"', '""', "path is missing"),
        ('"pack/a.onnx"', '"../a.onnx"', "plain relative path"),
        ('"sub/a.onnx"', '"../../api/token"', "plain relative path"),
        ('"org/repo"', '"../repo"', "plain relative path"),
        (f'"{COMMIT}"', '"main"', "not a commit"),
        ("https://", "file://", "neither https nor http"),
        ("size = 3", "size = 0", "positive whole number"),
        ("size = 3", "size = true", "positive whole number"),
        ("size = 5", 'size = "5"', "positive whole number"),
        (HASH, HASH.upper(), "64 lower-case hex digits"),
        (HASH, "abc", "64 lower-case hex digits"),
        ('pypi = "pack==1.0"', 'pypi = "pack>=1.0"', "name==version"),
        ('pypi = "pack==1.0"', 'npm = "pack"', "name@version"),
        ('"pack-1.0-py3-none-any.whl"', '"../x.whl"', "no .whl"),
        ('"pack-1.0-py3-none-any.whl"', '"pack-1.0.exe"', "no .whl"),
        ('{ pypi = "pack==1.0"', '{ pypi = "pack==2.0"', "no [[archive]] pins"),
        ('name = "vad"', 'name = "vad"\ncolour = "red"', "unknown colour"),
        ('licence = "MIT"', "", "licence is missing"),
        ("sources = [", "sauces = [", "unknown sauces"),
        ("[[model.file]]", "[model.file]", "not a list of tables"),
        ("[[archive]]", "[[archive]", "cannot be read"),
    ],
)
def test_what_is_wrong_is_refused_and_named(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(ModelError) as caught:
        loaded(tmp_path, text)
    assert caught.value.code == "bad_manifest"
    assert reason in caught.value.message


def test_a_path_may_be_used_only_once_whatever_its_case(tmp_path: Path) -> None:
    second = GOOD[GOOD.index("[[model]]") :].replace("vad/a.onnx", "vad/A.onnx")
    with pytest.raises(ModelError, match=r"two files are installed as vad/A\.onnx"):
        loaded(tmp_path, GOOD + second.replace('name = "vad"', 'name = "other"'))


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_manifest(tmp_path / "none.toml")
    assert caught.value.code == "bad_manifest"
    assert "none.toml" in caught.value.message


def test_the_shipped_manifest_has_the_starter_and_the_large_set() -> None:
    manifest = load_manifest()
    starter = manifest.select(["starter"])
    assert {file.model for file in starter} == {
        "silero-vad",
        "smart-turn",
        "whisper-base",
        "kokoro",
        "smollm2-135m",
    }
    assert sum(file.path.startswith("kokoro/voices/") for file in starter) == 54
    # Every starter file has a registry as its first source: no hub is needed for it.
    assert all(isinstance(file.sources[0], Joined) for file in starter)
    assert {file.model for file in manifest.select(["large"])} == {
        "whisper-small",
        "whisper-large-v3-turbo",
        "kokoro-fp32",
        "smart-turn-fp32",
        "qwen3-4b-instruct",
    }
    assert {file.set for file in manifest.files} == {"starter", "large"}


def test_selecting_keeps_the_order_of_the_manifest() -> None:
    manifest = load_manifest()
    chosen = manifest.select(["smollm2-135m", "silero-vad"])
    assert [file.model for file in chosen] == ["silero-vad", "smollm2-135m"]
    assert manifest.select(None) == manifest.files
