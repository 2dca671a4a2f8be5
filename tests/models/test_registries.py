"""Where a file is looked for: mirrors, logins, the forms of an index page."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from models import registries
from models.errors import ModelError
from models.manifest import Archive, HubFile
from models.registries import Page, archive_address, base, hub_address, shown

HASH = "ab" * 32
WHEEL = Archive("pypi", "My_Pack.Age", "1.0", "my_pack_age-1.0-py3-none-any.whl", 5, HASH)
TARBALL = Archive("npm", "@scope/pack", "1.0.0", "pack-1.0.0.tgz", 5, HASH)


@pytest.fixture(autouse=True)
def no_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    names = registries.PYPI_VARIABLES + registries.NPM_VARIABLES + registries.HUB_VARIABLES
    for name in names:
        monkeypatch.delenv(name, raising=False)


def answers(kind: str, text: str, asked: list[str]) -> Callable[[str, str], Page]:
    def get(url: str, _accept: str) -> Page:
        asked.append(url)
        return Page(url, kind, text)

    return get


@pytest.mark.parametrize(
    ("kind", "variable", "value", "expected"),
    [
        ("pypi", "", "", "https://pypi.org/simple"),
        ("pypi", "PIP_INDEX_URL", "https://mirror/simple/", "https://mirror/simple"),
        ("pypi", "UV_DEFAULT_INDEX", "corp=https://mirror/simple", "https://mirror/simple"),
        ("pypi", "PIP_INDEX_URL", "", "https://pypi.org/simple"),
        ("npm", "", "", "https://registry.npmjs.org"),
        ("npm", "npm_config_registry", "http://mirror:4873/", "http://mirror:4873"),
        ("hub", "", "", "https://huggingface.co"),
        ("hub", "HF_ENDPOINT", "https://hub.local", "https://hub.local"),
    ],
)
def test_a_variable_names_the_mirror(
    monkeypatch: pytest.MonkeyPatch, kind: str, variable: str, value: str, expected: str
) -> None:
    if variable:
        monkeypatch.setenv(variable, value)
    assert base(kind) == expected


@pytest.mark.parametrize("style", ["html", "json"])
def test_both_forms_of_an_index_page_are_read(style: str) -> None:
    asked: list[str] = []
    href = f"../../files/{WHEEL.file}"
    if style == "html":
        kind = "text/html; charset=utf-8"
        text = f'<a href="../../files/old.whl">old</a><a href="{href}#sha256={HASH}">x</a>'
    else:
        kind = "application/vnd.pypi.simple.v1+json"
        entries = [
            {"filename": "old.whl", "url": "../../files/old.whl", "hashes": {}},
            {"filename": WHEEL.file, "url": href, "hashes": {"sha256": HASH}},
        ]
        text = json.dumps({"files": entries})
    address = archive_address(WHEEL, answers(kind, text, asked))
    assert asked == ["https://pypi.org/simple/my-pack-age/"]  # PEP 503 normalises the name
    assert address == f"https://pypi.org/files/{WHEEL.file}"


def test_a_mirrors_login_is_used_for_its_files_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@mirror/simple")
    page = f'<a href="https://mirror/f/{WHEEL.file}">x</a>'
    address = archive_address(WHEEL, answers("text/html", page, []))
    assert address == f"https://me:secret@mirror/f/{WHEEL.file}"
    assert shown(address) == f"https://mirror/f/{WHEEL.file}"
    elsewhere = f'<a href="https://cdn/f/{WHEEL.file}">x</a>'
    assert archive_address(WHEEL, answers("text/html", elsewhere, [])).startswith("https://cdn/")


def test_an_npm_mirror_is_not_left_for_the_public_registry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("npm_config_registry", "https://mirror/npm/")
    asked: list[str] = []
    path = "/@scope/pack/-/pack-1.0.0.tgz"
    text = json.dumps({"dist": {"tarball": f"https://registry.npmjs.org{path}"}})
    address = archive_address(TARBALL, answers("application/json", text, asked))
    assert asked == ["https://mirror/npm/@scope%2Fpack/1.0.0"]
    assert address == f"https://mirror/npm{path}"


def test_signed_addresses_are_shown_without_their_signature() -> None:
    assert shown("https://cdn/x?sig=abc#frag") == "https://cdn/x"


def test_another_hash_on_the_index_is_a_mismatch() -> None:
    page = f'<a href="{WHEEL.file}#sha256={"0" * 64}">x</a>'
    with pytest.raises(ModelError) as caught:
        archive_address(WHEEL, answers("text/html", page, []))
    assert caught.value.code == "hash_mismatch"


@pytest.mark.parametrize(
    "text", ['{"files": null}', '{"files": [{}]}', '{"files": ["x"]}', "[1]", "{"]
)
def test_a_malformed_index_is_unreachable_not_a_crash(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        archive_address(WHEEL, answers("application/json", text, []))
    assert caught.value.code == "source_unreachable"


@pytest.mark.parametrize("dist", [None, "x", {"tarball": 1}, {"tarball": "file:///etc/passwd"}])
def test_a_malformed_npm_answer_is_unreachable_not_a_crash(dist: object) -> None:
    with pytest.raises(ModelError) as caught:
        archive_address(TARBALL, answers("application/json", json.dumps({"dist": dist}), []))
    assert caught.value.code == "source_unreachable"


def test_a_hub_address_names_the_commit() -> None:
    source = HubFile("org/repo", "cd" * 20, "onnx/model q8.onnx")
    expected = f"https://huggingface.co/org/repo/resolve/{'cd' * 20}/onnx/model%20q8.onnx"
    assert hub_address(source) == expected
