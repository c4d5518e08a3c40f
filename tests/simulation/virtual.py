"""Virtual time for what is no test of its own: a loop from noon on, for each of many runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import looptime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


def virtually(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run this in a loop of its own, whose time jumps to the next thing that is due."""
    with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(noop_cycles=0)) as runner:
        return runner.run(work())
