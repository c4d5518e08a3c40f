"""Virtual time jumps to what is due, and to nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from remediator.rehearse.time import StandstillError, VirtualClock, run

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_month_passes_and_is_shown_to_the_second() -> None:
    clock = VirtualClock(NOON)

    async def main() -> datetime:
        for _ in range(30):
            await clock.sleep(86_400)
        return clock.now()

    assert run(main) == NOON + timedelta(days=30)


def test_what_is_due_first_comes_first() -> None:
    clock, came = VirtualClock(NOON), []

    async def come(after: float) -> None:
        await clock.sleep(after)
        came.append((after, clock.now() - NOON))

    async def main() -> None:
        await asyncio.gather(*map(come, (3.5, 0.25, 7_200.0)))

    run(main)
    assert came == [(after, timedelta(seconds=after)) for after in (0.25, 3.5, 7_200.0)]


def test_work_on_another_thread_takes_no_time() -> None:
    async def main() -> tuple[int, float]:
        return await asyncio.to_thread(sum, [1, 2]), asyncio.get_running_loop().time()

    assert run(main) == (3, 0.0)


def test_a_fault_on_another_thread_comes_back() -> None:
    async def main() -> None:
        await asyncio.to_thread(int, "no number")

    with pytest.raises(ValueError, match="no number"):
        run(main)


def test_where_nothing_will_ever_happen_it_says_so() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StandstillError):
        run(main)
