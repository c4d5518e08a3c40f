"""One life of the daemon: an engine over a store that outlives it, and how that life is cut off.

A death is what SIGKILL makes of a process: what is committed stays, everything else is gone between one
instruction and the next. The engine reaches the store through `LivingStore` only. After the death that
answers nobody any more, and all of the engine's tasks are cancelled, so nothing of it goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from remediator.model.event import Event
    from remediator.store import Reader, Store, Transaction

T = TypeVar("T")


class Gone(ConnectionError):  # noqa: N818 - what a caller sees of a daemon that dies: the connection breaks
    """The daemon died before it answered."""


@dataclass
class Fate:
    """How many commits there were, in all lives together, and at which one the daemon dies."""

    commits: int = 0
    deadly: int | None = None
    when: Literal["before", "after"] = "after"
    """Just before the deadly commit, with whatever the world was made to do since the one before, or
    just after it, before anybody hears of it."""

    def is_due(self, when: str) -> bool:
        return self.commits == self.deadly and self.when == when


class LivingStore:
    """The store as one life of the daemon has it: its face is `remediator.store.Store`'s."""

    def __init__(self, store: Store, fate: Fate, pause: Callable[[], float]) -> None:
        """`pause` gives the seconds that the way to the store and back takes, each time anew."""
        self.identity = store.identity
        self.dead = asyncio.Event()
        self._store = store
        self._fate = fate
        self._pause = pause
        self._dying = False
        self._outside: set[asyncio.Task[object]] = set()

    async def add_notification(self, body: bytes, source: str) -> int:
        return await self._commit(lambda: self._store.add_notification(body, source))

    async def write(self, job: Callable[[Transaction], T]) -> T:
        return await self._commit(lambda: self._store.write(job))

    async def seal(self) -> None:
        await self._commit(self._store.seal)

    async def read(self, job: Callable[[Reader], T]) -> T:
        return await self._ask(lambda: self._store.read(job))

    async def checkpoint(self) -> None:
        await self._ask(self._store.checkpoint)

    async def check(self) -> None:
        await self._ask(self._store.check)

    def on_commit(self, listener: Callable[[Sequence[Event]], None]) -> None:
        def living(events: Sequence[Event]) -> None:
            if not self._dying:
                listener(events)

        self._store.on_commit(living)

    def spare(self, task: asyncio.Task[object]) -> None:
        """This task is none of the daemon's, and outlives it."""
        self._outside.add(task)

    def die(self) -> None:
        """End at once."""
        self._dying = True
        self.dead.set()
        for task in self._inside():
            task.cancel()

    async def bury(self) -> None:
        """Wait until nothing of this life runs any more; it takes no time."""
        left = self._inside()
        for _ in range(100):
            if not left:
                return
            await asyncio.sleep(0)
            left = self._inside()
        raise AssertionError(f"these go on after they were cancelled: {left}")

    def _inside(self) -> set[asyncio.Task[object]]:
        return {task for task in asyncio.all_tasks() if not task.done()} - self._outside

    async def _commit(self, work: Callable[[], Awaitable[T]]) -> T:
        await self._travel()
        self._fate.commits += 1
        if self._fate.is_due("before"):
            self.die()
            await self._no_answer()
        # Those who listen to commits hear nothing of the last one.
        self._dying = self._fate.is_due("after")
        try:
            done = await work()
        finally:
            if self._dying:
                self.die()
        await self._travel()
        return done

    async def _ask(self, work: Callable[[], Awaitable[T]]) -> T:
        await self._travel()
        done = await work()
        await self._travel()
        return done

    async def _travel(self) -> None:
        if not self._dying and (seconds := self._pause()) > 0:
            await asyncio.sleep(seconds)
        if self._dying:
            await self._no_answer()

    async def _no_answer(self) -> None:
        """For the daemon's own tasks this is the end; who called from outside sees the connection break."""
        if asyncio.current_task() in self._outside:
            raise Gone("the daemon died")
        await asyncio.Event().wait()
