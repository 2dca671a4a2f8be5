"""Exports, imports, cleaning up, backups and mail as jobs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chat.attachments import Accepted, files
from chat.errors import ChatError
from chat.jobs import Hopeless
from chat.jobs.backups import make_backups
from chat.jobs.cleaning import Keeping, make_cleaning
from chat.jobs.kinds import Backups, all_kinds, all_repeated
from chat.jobs.mail import MailServer, make_mail
from chat.jobs.transfers import make_exports, make_imports
from chat.storage import Storage, attachments, conversations, messages
from chat.storage.backup import verify
from chat.storage.records import Job, NewMessage, now
from tests.databases import opened


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened("sqlite", tmp_path) as found:
        yield found


def job(payload: dict[str, Any], id_: str = "job_1") -> Job:
    at = now()
    return Job(id_, "o", "x", payload, "running", 1, at, None, None, None, None, at, at)


async def talked(storage: Storage, *attached: str) -> str:
    made = await conversations.create(storage, "o", title="Sea", title_source="given")
    await messages.append(storage, "o", made.id, NewMessage("user", "Hi", attachments=attached))
    return made.id


async def test_an_export_becomes_a_file_and_an_import_of_it_happens_once(
    storage: Storage, tmp_path: Path
) -> None:
    id_ = await talked(storage)
    made = await make_exports(storage, tmp_path)(job({"format": "zip", "conversation_id": id_}))
    assert made is not None
    path = tmp_path / "exports" / made["file"]
    assert (made["media_type"], made["size"]) == ("application/zip", path.stat().st_size)
    assert made["name"].endswith("-Sea.zip")
    upload = tmp_path / "uploads" / "import-1"
    upload.parent.mkdir()
    upload.write_bytes(path.read_bytes())
    run = make_imports(storage, tmp_path)
    done = await run(job({"file": "uploads/import-1"}))
    assert done is not None
    assert (done["conversations"], done["messages"], done["skipped"]) == (1, 1, ())
    assert not upload.exists()
    upload.write_bytes(path.read_bytes())
    await run(job({"file": "uploads/import-1"}))
    assert len((await conversations.list_page(storage, "o")).conversations) == 2


async def test_exports_and_imports_that_cannot_be(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(Hopeless):
        await make_exports(storage, tmp_path)(job({"format": "docx"}))
    with pytest.raises(ChatError, match="no such conversation"):
        await make_exports(storage, tmp_path)(job({"format": "json", "conversation_id": "conv_x"}))
    run = make_imports(storage, tmp_path)
    for place in ("../secret", "uploads/../vivavoce.db", "/etc/passwd", "uploads/none"):
        with pytest.raises(Hopeless):
            await run(job({"file": place}))
    broken = tmp_path / "uploads" / "b"
    broken.parent.mkdir()
    broken.write_text("{}")
    with pytest.raises(ChatError, match="no export"):
        await run(job({"file": "uploads/b"}))
    assert not broken.exists()


async def test_an_export_that_breaks_off_leaves_nothing(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        await make_exports(storage, tmp_path)(job({"format": "json"}))
    assert list((tmp_path / "exports").iterdir()) == []


async def added(storage: Storage, data_dir: Path) -> tuple[str, str]:
    """A file and its row: the row's id and the stored name."""
    stored = files.save(data_dir, Accepted("text", "x", "text/plain", ".txt", b"x", "x"))
    kept = await attachments.add(
        storage, "o", name="x", media_type="text/plain", size=1, stored_name=stored
    )
    return kept.id, stored


async def test_cleaning_up_takes_what_is_over_and_nothing_else(
    storage: Storage, tmp_path: Path
) -> None:
    (one, kept), (_, unused), (other, doomed) = [await added(storage, tmp_path) for _ in range(3)]
    here = await talked(storage, one)
    gone = await talked(storage, other)
    await conversations.delete(storage, "o", gone)
    orphan, fresh = tmp_path / "exports" / "old", tmp_path / "exports" / "fresh"
    orphan.parent.mkdir()
    for path in (orphan, fresh, tmp_path / "attachments" / "stray"):
        path.touch()
    for path in (orphan, tmp_path / "attachments" / "stray"):
        os.utime(path, (0, 0))
    cautious = await make_cleaning(storage, tmp_path)(job({}))
    assert cautious is not None
    assert (cautious["conversations"], cautious["orphans"], cautious["files"]) == (0, 1, 1)
    assert {path.name for path in storage.files.iterdir()} == {kept, unused, doomed}
    at_once = Keeping(deleted=timedelta(0), unused=timedelta(0))
    done = await make_cleaning(storage, tmp_path, at_once)(job({}))
    assert done is not None
    assert (done["conversations"], done["attachments"]) == (1, 2)
    assert {path.name for path in storage.files.iterdir()} == {kept}
    assert await messages.everything(storage, "o", here)
    assert fresh.exists()


async def test_backups_are_made_and_the_newest_are_kept(storage: Storage, tmp_path: Path) -> None:
    await talked(storage)
    folder = tmp_path / "backups"
    run = make_backups(storage, folder, keep=2)
    made = [await run(job({})) for _ in range(3)]
    assert sorted(path.name for path in folder.iterdir()) == [
        one["file"] for one in made[1:] if one
    ]
    assert verify(folder / str(made[2] and made[2]["file"])).rows["messages"] == 1


@dataclass
class Inbox:
    """What a mail server got, and what it answers to each command's first word."""

    answers: dict[str, str] = field(default_factory=dict)
    mail: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0


@asynccontextmanager
async def mail_server(**answers: str) -> AsyncIterator[Inbox]:
    inbox = Inbox(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := (await reader.readline()).decode().strip():
            inbox.commands.append(line)
            verb = line.split()[0].upper()
            if verb == "DATA" and "DATA" not in answers:
                writer.write(b"354 go on\r\n")
                inbox.mail.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(f"{answers.get(verb, '250 ok')}\r\n".encode())
            await writer.drain()
            if verb == "QUIT":
                break
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        inbox.port = server.sockets[0].getsockname()[1]
        yield inbox


def posted(port: int, **more: Any) -> MailServer:
    return MailServer("127.0.0.1", port, "Vivavoce <v@example.org>", security="none", **more)


MAIL = {"to": "ann@example.org", "subject": "Grüße", "text": "Your export is ready.\n"}


async def test_mail_is_sent() -> None:
    async with mail_server() as inbox:
        assert await make_mail(posted(inbox.port))(job(MAIL)) == {"to": "ann@example.org"}
    (mail,) = inbox.mail
    assert "Message-ID: <job_1@example.org>" in mail
    assert "Your export is ready." in mail
    assert "rcpt to:<ann@example.org>" in [command.lower() for command in inbox.commands]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"RCPT": "550 nobody"}, Hopeless),
        ({"RCPT": "451 later"}, ChatError),
        ({"MAIL": "554 no"}, Hopeless),
        ({"DATA": "421 later"}, ChatError),
    ],
)
async def test_what_the_mail_server_refuses(
    answers: dict[str, str], error: type[Exception]
) -> None:
    async with mail_server(**answers) as inbox:
        with pytest.raises(error):
            await make_mail(posted(inbox.port))(job(MAIL))
    assert inbox.mail == []


async def test_mail_waits_for_its_server_and_insists_on_encryption() -> None:
    with pytest.raises(ChatError) as failed:
        await make_mail(posted(1))(job(MAIL))
    assert failed.value.code == "mail_failed"
    async with mail_server() as inbox:
        server = MailServer("127.0.0.1", inbox.port, "v@example.org", user="u", password="p")
        with pytest.raises(ChatError):
            await make_mail(server)(job(MAIL))
    assert not any(command.startswith(("AUTH", "MAIL")) for command in inbox.commands)
    assert "password" not in repr(server)


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "ann@example.org, bob@example.org"},
        {"to": "ann@example.org\r\nBcc: bob@example.org"},
        {"to": "Ann <ann@example.org>"},
        {"to": ""},
        {"subject": "a\nBcc: bob@example.org"},
        {"text": "x" * 200_001},
    ],
)
async def test_mail_goes_to_nobody_else(wrong: dict[str, str]) -> None:
    async with mail_server() as inbox:
        with pytest.raises(Hopeless):
            await make_mail(posted(inbox.port))(job(MAIL | wrong))
    assert inbox.commands == []


async def test_the_table_has_what_is_configured(storage: Storage, tmp_path: Path) -> None:
    async def ask(_: object) -> str:
        return ""

    always = {"title", "export", "import", "clean-up"}
    few = all_kinds(storage, tmp_path, ask, strict_titles=True)
    assert few.keys() == always
    assert {one.kind for one in all_repeated()} == {"clean-up"}
    backups = Backups(tmp_path / "backups")
    more = all_kinds(storage, tmp_path, ask, strict_titles=True, backups=backups, mail=posted(1))
    assert more.keys() == always | {"backup", "e-mail"}
    assert {one.kind for one in all_repeated(backups)} <= more.keys()
