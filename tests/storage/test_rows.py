"""Jobs, usage, idempotency keys, attachments and preferences."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from chat.errors import ChatError
from chat.storage import Storage, attachments, idempotency, jobs, preferences, schema, usage
from chat.storage.records import Answered, Usage, now

ME = "me"
MINUTE = timedelta(minutes=1)


async def code(attempt: object) -> str:
    with pytest.raises(ChatError) as raised:
        await attempt  # type: ignore[misc]
    return raised.value.code


async def test_a_job_from_beginning_to_end(storage: Storage) -> None:
    job = await jobs.add(storage, ME, "title", {"conversation": "conv_1"})
    assert (job.state, job.attempts, job.payload) == ("queued", 0, {"conversation": "conv_1"})
    (claimed,) = await jobs.claim(storage, lease=MINUTE)
    assert (claimed.id, claimed.state, claimed.attempts) == (job.id, "running", 1)
    assert await jobs.claim(storage, lease=MINUTE) == ()
    assert await jobs.extend(storage, claimed, MINUTE)
    assert await jobs.finish(storage, claimed, {"title": "Cats"})
    done = await jobs.get(storage, ME, job.id)
    assert (done.state, done.result, done.leased_until) == ("done", {"title": "Cats"}, None)
    assert await jobs.next_due(storage) is None
    assert await jobs.purge(storage, before=now() + MINUTE) == 1
    assert await code(jobs.get(storage, ME, job.id)) == "not_found"


async def test_a_job_of_a_killed_worker_is_taken_by_another(storage: Storage) -> None:
    await jobs.add(storage, ME, "title", {})
    (lost,) = await jobs.claim(storage, lease=-MINUTE)
    (taken,) = await jobs.claim(storage, lease=MINUTE)
    assert (taken.id, taken.attempts) == (lost.id, 2)
    assert not await jobs.finish(storage, lost, {"late": True})
    assert not await jobs.extend(storage, lost, MINUTE)
    assert not await jobs.fail(storage, lost, "late", retry_at=None)
    assert await jobs.finish(storage, taken)


async def test_no_job_is_claimed_twice(storage: Storage) -> None:
    for i in range(40):
        await jobs.add(storage, f"owner{i % 3}", "k", {"i": i})

    async def work() -> list[str]:
        mine: list[str] = []
        while claimed := await jobs.claim(storage, lease=MINUTE, limit=3):
            mine += [job.id for job in claimed]
        return mine

    taken = [id_ for worker in await asyncio.gather(*(work() for _ in range(6))) for id_ in worker]
    assert len(taken) == len(set(taken)) == 40


async def test_failures_wait_die_and_are_retried(storage: Storage) -> None:
    job = await jobs.add(storage, ME, "mail", {})
    (claimed,) = await jobs.claim(storage, lease=MINUTE)
    later = now() + MINUTE
    assert await jobs.fail(storage, claimed, "no network", retry_at=later)
    assert await jobs.claim(storage, lease=MINUTE) == ()
    assert await jobs.next_due(storage) == later
    waiting = await jobs.get(storage, ME, job.id)
    assert (waiting.state, waiting.error) == ("failed", "no network")
    assert await code(jobs.retry(storage, ME, job.id)) == "invalid_request"
    assert (await jobs.cancel(storage, ME, job.id)).state == "dead"
    assert (await jobs.list_page(storage, ME, state="dead")).jobs[0].id == job.id
    again = await jobs.retry(storage, ME, job.id)
    assert (again.state, again.attempts) == ("queued", 0)
    (claimed,) = await jobs.claim(storage, lease=MINUTE)
    assert await jobs.fail(storage, claimed, "never", retry_at=None)
    assert (await jobs.get(storage, ME, job.id)).state == "dead"
    assert await jobs.purge(storage, before=now() + MINUTE) == 0


async def test_keys_kinds_times_and_owners_of_jobs(storage: Storage) -> None:
    one = await jobs.add(storage, ME, "title", {"n": 1}, key="conv_1")
    assert await jobs.add(storage, ME, "title", {"n": 2}, key="conv_1") == one
    assert (await jobs.add(storage, ME, "other", {}, key="conv_1")).id != one.id
    assert (await jobs.add(storage, "other", "title", {}, key="conv_1")).id != one.id
    assert await jobs.add(storage, ME, "title", {}, id=one.id) == one
    assert await code(jobs.add(storage, ME, "title", {}, id="x")) == "invalid_request"
    await jobs.add(storage, ME, "late", {}, run_at=now() + MINUTE)
    assert [j.kind for j in await jobs.claim(storage, lease=MINUTE, limit=9, kinds=["other"])] == [
        "other"
    ]
    rest = await jobs.claim(storage, lease=MINUTE, limit=9)
    assert [j.owner for j in rest] == [ME, "other"]
    await jobs.fail(storage, rest[0], "dead", retry_at=None)
    two = await jobs.add(storage, ME, "title", {}, key="conv_1")
    assert two.id != one.id
    assert await code(jobs.retry(storage, ME, one.id)) == "invalid_request"
    assert await code(jobs.get(storage, "other", one.id)) == "not_found"
    assert await code(jobs.cancel(storage, "other", two.id)) == "not_found"
    page = await jobs.list_page(storage, ME, kind="title", limit=1)
    assert [j.id for j in page.jobs] == [two.id]
    page = await jobs.list_page(storage, ME, kind="title", cursor=page.cursor)
    assert [j.id for j in page.jobs] == [one.id]
    assert page.cursor is None


async def test_usage_is_summed_by_day_and_model(storage: Storage) -> None:
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    for day, model, cost in ((first, "a", 5), (first, "a", 7), (first, "b", 1), (second, "a", 2)):
        await usage.record(
            storage, ME, model=model, prompt_tokens=10, completion_tokens=3, cost=cost, day=day
        )
    await usage.record(storage, "other", model="a", prompt_tokens=1, completion_tokens=1)
    assert await usage.day_total(storage, ME, first) == Usage(first, "", 3, 30, 9, 13)
    assert await usage.by_day(storage, ME, since=first, until=second) == (
        Usage(second, "a", 1, 10, 3, 2),
        Usage(first, "a", 2, 20, 6, 12),
        Usage(first, "b", 1, 10, 3, 1),
    )
    assert (await usage.day_total(storage, ME)).requests == 0
    assert (await usage.day_total(storage, "other")).requests == 1
    wrong = usage.record(storage, ME, model="a", prompt_tokens=-1, completion_tokens=0)
    assert await code(wrong) == "invalid_request"


async def test_usage_of_many_at_once_is_all_counted(storage: Storage) -> None:
    await asyncio.gather(
        *(
            usage.record(storage, ME, model="a", prompt_tokens=1, completion_tokens=1)
            for _ in range(20)
        )
    )
    assert (await usage.day_total(storage, ME)).requests == 20


async def test_a_key_that_a_crash_left_is_free_after_a_minute(storage: Storage) -> None:
    assert await idempotency.begin(storage, ME, "k", "hash") is None
    for age, found in ((0.9, "in_progress"), (1.1, None)):
        async with storage.disk.write() as connection:
            began = now() - age * MINUTE
            await connection.execute(update(schema.idempotency).values(created_at=began))
        if found:
            assert await code(idempotency.begin(storage, ME, "k", "hash")) == found
    assert await idempotency.begin(storage, ME, "k", "other") is None
    assert await code(idempotency.begin(storage, ME, "k", "other")) == "in_progress"
    await idempotency.finish(storage, ME, "k", 201, "{}")
    async with storage.disk.write() as connection:
        await connection.execute(update(schema.idempotency).values(created_at=now() - 2 * MINUTE))
    assert await idempotency.begin(storage, ME, "k", "other") == Answered(201, "{}")


async def test_a_request_is_carried_out_once(storage: Storage) -> None:
    assert await idempotency.begin(storage, ME, "k", "hash") is None
    assert await code(idempotency.begin(storage, ME, "k", "hash")) == "in_progress"
    assert await code(idempotency.begin(storage, ME, "k", "other")) == "idempotency_conflict"
    assert await idempotency.begin(storage, "other", "k", "hash") is None
    await idempotency.finish(storage, ME, "k", 201, '{"id": 1}')
    assert await idempotency.begin(storage, ME, "k", "hash") == Answered(201, '{"id": 1}')
    await idempotency.give_up(storage, ME, "k")  # it was answered: that stays
    assert await code(idempotency.begin(storage, ME, "k", "other")) == "idempotency_conflict"
    await idempotency.give_up(storage, "other", "k")
    assert await idempotency.begin(storage, "other", "k", "hash") is None
    assert await code(idempotency.begin(storage, ME, "k" * 257, "h")) == "too_large"
    assert await idempotency.purge(storage, before=now() + MINUTE) == 2


async def test_of_many_at_once_one_is_carried_out(storage: Storage) -> None:
    tried = await asyncio.gather(
        *(idempotency.begin(storage, ME, "k", "h") for _ in range(10)), return_exceptions=True
    )
    assert tried.count(None) == 1


async def test_attachments_are_rows(storage: Storage) -> None:
    what = {"media_type": "text/plain", "size": 5, "stored_name": "s"}
    made = await attachments.add(storage, ME, name="a.txt", id="att_1", **what)  # type: ignore[arg-type]
    assert await attachments.get(storage, ME, "att_1") == made
    assert await attachments.add(storage, ME, name="b", id="att_1", **what) == made  # type: ignore[arg-type]
    assert await code(attachments.add(storage, ME, name="b", **what)) == "exists"  # type: ignore[arg-type]
    assert await code(attachments.add(storage, ME, name="b", id="b", **what)) == "invalid_request"  # type: ignore[arg-type]
    assert await code(attachments.get(storage, "other", "att_1")) == "not_found"
    assert await code(attachments.remove(storage, "other", "att_1")) == "not_found"
    assert await attachments.remove(storage, ME, "att_1") == made
    assert await code(attachments.get(storage, ME, "att_1")) == "not_found"


async def test_preferences_are_merged(storage: Storage) -> None:
    assert await preferences.read(storage, ME) == {}
    await preferences.write(storage, ME, {"theme": "dark", "voice": {"name": "x\0"}})
    merged = await preferences.write(storage, ME, {"theme": None, "model": "m"})
    assert merged == {"voice": {"name": "x\0"}, "model": "m"}
    assert await preferences.read(storage, "other") == {}
    for wrong in ({"x" * 65: 1}, {"": 1}, {"x": "y" * 20_001}, {str(i): 1 for i in range(101)}):
        assert await code(preferences.write(storage, ME, wrong)) == "too_large"
