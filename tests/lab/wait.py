"""Wait for a condition instead of for a time: bounded polling, in one place.

The interval only sets how soon a condition is noticed; no test may depend on it.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class NotYetError(AssertionError):
    """The condition did not come true in time; the message says which and what was seen last."""


async def until(
    predicate: Callable[[], T | Awaitable[T]],
    timeout: float = 30.0,  # noqa: ASYNC109 (bounds a whole poll, and is told in the error)
    message: str = "the condition",
    interval: float = 0.05,
) -> T:
    """Poll *predicate*, plain or async, until its result is true, and give that result."""
    deadline = time.monotonic() + timeout
    while True:
        seen = predicate()
        result: T = await seen if inspect.isawaitable(seen) else seen
        if result:
            return result
        if time.monotonic() >= deadline:
            raise NotYetError(f"{message}: not within {timeout:g} s; last seen: {result!r}")
        await asyncio.sleep(interval)


def until_sync(
    predicate: Callable[[], T], timeout: float = 30.0, message: str = "the condition", interval: float = 0.05
) -> T:
    """The same for code without an event loop."""
    deadline = time.monotonic() + timeout
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise NotYetError(f"{message}: not within {timeout:g} s; last seen: {result!r}")
        time.sleep(interval)
