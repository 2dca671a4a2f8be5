"""A worker in a process of its own, for the tests that kill it.

`python -m tests.chat.job_worker BACKEND URL DATA_DIR NAME SECONDS [REDIS]`: runs jobs of the kind
`mark`, which write a line `NAME begins`, wait SECONDS, and write `NAME ends`.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from chat.jobs import Kind, Pace, Repeated, Result
from chat.jobs.in_process import InProcessJobs
from chat.jobs.saq_queue import SaqJobs
from chat.storage import open_storage
from chat.storage.records import Job

PACE = Pace(lease=timedelta(seconds=2), poll=timedelta(seconds=0.3))


async def run(backend: str, url: str, folder: Path, name: str, seconds: float, redis: str) -> None:
    """Work until killed."""
    storage = await open_storage(url, data_dir=folder)

    def write(words: str) -> None:
        with (folder / "marks").open("a") as file:
            file.write(f"{name} {words}\n")

    async def mark(job: Job) -> Result:
        write(f"begins {job.payload.get('what', '')}")
        await asyncio.sleep(seconds)
        write(f"ends {job.payload.get('what', '')}")
        return {"by": name}

    async def tick(job: Job) -> Result:
        write(f"ticks {job.id}")
        return None

    kinds = {"mark": Kind(mark), "tick": Kind(tick)}
    schedule = [Repeated("tick", timedelta(hours=1))]
    if backend == "saq":
        await SaqJobs(storage, kinds, redis, schedule=schedule, pace=PACE).run()
    else:
        await InProcessJobs(storage, kinds, schedule=schedule, pace=PACE).run()


if __name__ == "__main__":
    _, backend, url, folder, name, seconds, *rest = sys.argv
    asyncio.run(run(backend, url, Path(folder), name, float(seconds), rest[0] if rest else ""))
