"""Nothing that was acknowledged is lost when the process is killed."""

from __future__ import annotations

import multiprocessing
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from chat.storage import Storage, conversations, messages, search
from tests.databases import postgresql_url
from tests.storage.appending import append_forever

KILLS = {"sqlite": 80, "postgresql": 20}
"""A hundred in all; SQLite writes inside the process that is killed."""


def kill_one(url: str, folder: Path, conversation: str, seconds: float) -> set[str]:
    """Let the program append for a while after its first acknowledgement, kill it, and return the
    ids of all messages that it had acknowledged.
    """
    processes = multiprocessing.get_context("forkserver")  # imports once, not a hundred times
    processes.set_forkserver_preload(["tests.storage.appending"])
    hears, told = processes.Pipe(duplex=False)
    arguments = (url, folder, conversation, told)
    process = processes.Process(target=append_forever, args=arguments, daemon=True)
    process.start()
    told.close()
    acknowledged = {hears.recv_bytes()}
    time.sleep(seconds)
    process.kill()
    # The last one may be torn, as the process died while it was telling it.
    with suppress(EOFError, OSError):
        while True:
            acknowledged.add(hears.recv_bytes())
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process.close()
    hears.close()
    return {id_.decode() for id_ in acknowledged}


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost(
    database: str, storage: Storage, tmp_path: Path
) -> None:
    made = await conversations.create(storage, "me")
    url = postgresql_url() if database == "postgresql" else ""
    chance = random.Random(7)
    acknowledged: set[str] = set()
    for _ in range(KILLS[database]):
        acknowledged |= kill_one(url, tmp_path, made.id, chance.uniform(0, 0.05))
    stored = {m.id: m for m in await messages.everything(storage, "me", made.id)}
    lost = acknowledged - stored.keys()
    told = f"{KILLS[database]} kills, {len(acknowledged)} acknowledged, {len(lost)} lost"
    sys.stdout.write(f"{database}: {told}\n")
    assert len(acknowledged) >= KILLS[database]
    assert not lost
    for message in stored.values():
        assert message.parent_id is None or message.parent_id in stored
    found = await search.search(storage, "me", '"line 1" message', limit=200)
    assert found.hits
    if database == "sqlite":
        async with storage.disk.write() as connection:
            assert (await connection.execute(text("PRAGMA integrity_check"))).scalar_one() == "ok"
            check = "INSERT INTO messages_index (messages_index) VALUES ('integrity-check')"
            await connection.execute(text(check))
