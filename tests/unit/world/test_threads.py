"""Blocking calls on bounded threads: callers leave when they like, places are freed when jobs end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from remediator.world.threads import NoThreadFree, Threads
from tests.lab.wait import until


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


async def test_result_and_exception_come_back() -> None:
    threads = Threads(1, "t")
    assert await threads.run(lambda: 7, limit=5) == 7
    assert await threads.run(lambda: None, limit=5) is None
    with pytest.raises(KeyError):
        await threads.run(lambda: {}["x"], limit=5)


async def test_jobs_run_beside_the_event_loop(gate: threading.Event) -> None:
    threads = Threads(1, "t")
    waiting = asyncio.create_task(threads.run(lambda: gate.wait(30), limit=40))
    await asyncio.sleep(0)
    gate.set()  # would never be reached if the job blocked the loop
    assert await waiting


async def test_no_more_than_its_size_at_once(gate: threading.Event) -> None:
    threads, lock, running, most = Threads(3, "t"), threading.Lock(), 0, 0

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(30)
        with lock:
            running -= 1

    jobs = [asyncio.create_task(threads.run(job, limit=60)) for _ in range(10)]
    await until(lambda: running == 3)
    gate.set()
    await asyncio.gather(*jobs)
    assert most == 3


async def test_who_finds_no_place_in_time_is_told_that_nothing_began(gate: threading.Event) -> None:
    threads, begun = Threads(1, "t", patience=0.01), []
    first = asyncio.create_task(threads.run(lambda: gate.wait(30), limit=40))
    await asyncio.sleep(0)
    with pytest.raises(NoThreadFree):
        await threads.run(lambda: begun.append(1), limit=5)
    gate.set()
    await first
    assert not begun


async def test_caller_leaves_at_its_limit_and_the_place_is_taken_until_the_job_ends(
    gate: threading.Event,
) -> None:
    threads = Threads(1, "t", patience=0.01)
    with pytest.raises(TimeoutError):
        await threads.run(lambda: gate.wait(30), limit=0.01)
    with pytest.raises(NoThreadFree):
        await threads.run(lambda: None, limit=5)
    gate.set()
    await until(lambda: threads.free == 1)
    assert await threads.run(lambda: 1, limit=5) == 1


async def test_cancelled_caller_leaves_the_job_to_itself(gate: threading.Event) -> None:
    threads, done = Threads(1, "t"), threading.Event()

    def job() -> None:
        gate.wait(30)
        done.set()

    caller = asyncio.create_task(threads.run(job, limit=40))
    await until(lambda: threads.free == 0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.set()
    await until(done.is_set)
    await until(lambda: threads.free == 1)


def test_a_job_may_outlive_the_event_loop(gate: threading.Event) -> None:
    ended = threading.Event()

    def job() -> None:
        gate.wait(30)
        ended.set()

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await Threads(1, "t").run(job, limit=0.01)

    asyncio.run(leave())
    gate.set()
    assert ended.wait(30)
