"""The commands that look after what was said: `vivavoce backup` and `vivavoce restore`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from chat.errors import ChatError
from voice.errors import VoiceError
from voice.settings import Settings, read_settings

if TYPE_CHECKING:
    from chat.storage import Storage
    from chat.storage.archive import Manifest

_data_dir = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder for weights and data."
)
_passphrase = click.option(
    "--passphrase-file",
    type=click.File(),
    help="File with the passphrase (- is standard input); else it is "
    "VIVAVOCE_STORAGE_BACKUP_PASSPHRASE, and without both there is none.",
)


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@_passphrase
@_data_dir
def back_up(
    file: Path | None, force: bool, passphrase_file: TextIO | None, data_dir: Path | None
) -> None:
    """Write conversations and attachments to FILE, while the server may go on.

    Without FILE it is named by the time, in `backups` of the data folder. With a passphrase it is
    encrypted. It is read through once and compared with its manifest before this ends.
    """
    settings, passphrase = _read(data_dir, passphrase_file)
    backup = _backup()
    made = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}{backup.SUFFIX}"
    target = file or settings.data_dir / "backups" / made

    async def write(storage: Storage) -> Manifest:
        await backup.back_up(storage, target, passphrase=passphrase, force=force)
        manifest: Manifest = await asyncio.to_thread(backup.verify, target, passphrase=passphrase)
        return manifest

    manifest = _run(settings, write)
    click.echo(f"{_told(manifest)} written to {target}, and verified")
    if not passphrase:
        click.echo("It is not encrypted: whoever can read it can read all conversations.", err=True)


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the conversations and files that are there.")
@_passphrase
@_data_dir
def restore(file: Path, force: bool, passphrase_file: TextIO | None, data_dir: Path | None) -> None:
    """Put what is in FILE in place of everything that is stored. Stop the server first.

    The whole file is verified before anything is touched. It may be of the other database.
    """
    settings, passphrase = _read(data_dir, passphrase_file)

    async def read(storage: Storage) -> Manifest:
        restored = _backup().restore(storage, file, passphrase=passphrase, force=force)
        manifest: Manifest = await restored
        return manifest

    manifest = _run(settings, read)
    click.echo(f"{_told(manifest)} restored, as of {manifest.made_at}")


def _backup() -> Any:
    # The other commands need not wait for the database's libraries.
    return import_module("chat.storage.backup")


def _told(manifest: Manifest) -> str:
    files = sum(name.startswith("attachments/") for name in manifest.files)
    rows = manifest.rows
    return f"{rows['conversations']} conversations, {rows['messages']} messages, {files} files"


def _read(data_dir: Path | None, file: TextIO | None) -> tuple[Settings, str | None]:
    """The settings and the passphrase, if there is one."""
    try:
        settings = read_settings(data_dir=data_dir)
        text = file.read() if file else settings.storage.backup_passphrase.get_secret_value()
    except VoiceError as error:
        raise click.ClickException(error.message) from None
    except (OSError, UnicodeDecodeError):
        raise click.ClickException("the passphrase file cannot be read") from None
    passphrase = text.strip()
    if file and not passphrase:
        raise click.ClickException("the passphrase file is empty")
    return settings, passphrase or None


def _run(settings: Settings, work: Callable[[Storage], Awaitable[Manifest]]) -> Manifest:
    """Do `work` with the storage open; failures are one line with their code."""

    async def run() -> Manifest:
        url = settings.storage.url.get_secret_value()
        opening: Any = import_module("chat.storage")
        storage: Storage = await opening.open_storage(url, data_dir=settings.data_dir)
        try:
            return await work(storage)
        finally:
            await storage.close()

    try:
        return asyncio.run(run())
    except ChatError as error:
        raise click.ClickException(f"{error.message} ({error.code})") from None
