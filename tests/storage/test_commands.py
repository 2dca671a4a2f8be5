"""`vivavoce backup` and `vivavoce restore`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chat.storage import conversations, open_storage
from voice.cli import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(main, arguments, input=given, catch_exceptions=False)


def titles(folder: Path, *new: str) -> list[str]:
    """Makes conversations of these titles and returns all there are."""

    async def work() -> list[str]:
        storage = await open_storage("", data_dir=folder)
        for title in new:
            await conversations.create(storage, "local", title=title)
        page = await conversations.list_page(storage, "local")
        await storage.close()
        return [found.title for found in page.conversations]

    return asyncio.run(work())


@pytest.mark.slow
def test_there_and_back(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    titles(tmp_path / "data", "One")
    made = run("backup", "one.backup", "--data-dir", data, "--passphrase-file", "-", given="open")
    assert made.exit_code == 0, made.output
    assert "1 conversations, 0 messages, 0 files written to one.backup, and verified" in made.output
    again = run("backup", "one.backup", "--data-dir", data)
    assert again.exit_code == 1
    assert "one.backup exists already (backup_exists)" in again.output
    assert titles(tmp_path / "data", "Two") == ["Two", "One"]
    asked = run("restore", "one.backup", "--data-dir", data, "--force")
    assert "needs a passphrase (backup_passphrase)" in asked.output
    Path("secret").write_text("open\n")
    refused = run("restore", "one.backup", "--data-dir", data, "--passphrase-file", "secret")
    assert refused.exit_code == 1
    assert "(restore_not_empty)" in refused.output
    how = ("--data-dir", data, "--passphrase-file", "secret", "--force")
    done = run("restore", "one.backup", *how)
    assert done.exit_code == 0, done.output
    assert titles(tmp_path / "data") == ["One"]


def test_without_a_name_or_a_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles(tmp_path / "data", "One")
    made = run("backup", "--data-dir", str(tmp_path / "data"))
    assert made.exit_code == 0, made.output
    assert "not encrypted" in made.output
    assert len(list((tmp_path / "data" / "backups").glob("*.vivavoce-backup"))) == 1
    empty = run("backup", "--passphrase-file", "-", given=" \n")
    assert (empty.exit_code, "empty" in empty.output) == (1, True)
    monkeypatch.setenv("VIVAVOCE_STORAGE_URL", "mysql://x")
    wrong = run("backup", "x.backup")
    assert (wrong.exit_code, "(storage_url)" in wrong.output) == (1, True)
    monkeypatch.setenv("VIVAVOCE_PORT", "many")
    assert run("backup", "y.backup").exit_code == 1
