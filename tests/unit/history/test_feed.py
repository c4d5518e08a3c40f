"""From a thread's event loop to whoever iterates."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from remediator.history.changes import Change
from remediator.history.feed import Feed
from tests.unit.history.past import after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def numbers(count: int, fails: bool = False) -> AsyncGenerator[Change, None]:
    for number in range(count):
        yield Change(after(number), True, str(number), {}, after(number))
    if fails:
        raise ValueError("the source broke off")


async def test_everything_comes_in_order() -> None:
    with Feed(lambda: numbers(1234)) as feed:
        assert [change.mark async for change in feed] == [str(number) for number in range(1234)]


async def test_what_the_source_raises_comes_after_what_was_read() -> None:
    seen = []
    with Feed(lambda: numbers(600, fails=True)) as feed, pytest.raises(ValueError, match="broke off"):
        async for change in feed:
            seen.append(change)
    assert len(seen) >= 500


async def test_whoever_stops_early_leaves_no_thread_behind() -> None:
    with Feed(lambda: numbers(10**7)) as feed:
        await anext(aiter(feed))
    assert "history" not in [thread.name for thread in threading.enumerate()]


async def test_a_source_that_hangs_is_let_go() -> None:
    begun, closed = threading.Event(), threading.Event()

    async def hanging() -> AsyncGenerator[Change, None]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()
        yield Change(after(0), True, "never", {}, after(0))

    with Feed(hanging):
        begun.wait()
    assert closed.is_set()
    assert "history" not in [thread.name for thread in threading.enumerate()]
