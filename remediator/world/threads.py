"""Run blocking calls on a bounded number of threads that nobody ever has to wait for.

The standard executor joins its threads when the interpreter ends, so that one restart of a slow
container would hold up the daemon's own end. These threads are daemons: what the other side has
been asked to do goes on without them, and is probed after the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class NoThreadFree(Exception):  # noqa: N818 - named by what is the matter, like TimeoutError's kin
    """All threads were busy for as long as a caller may wait: the job was not begun."""


class Threads:
    """At most `size` jobs at once. A place is free again when its job ends, not when the caller leaves."""

    def __init__(self, size: int, name: str, *, patience: float = 10.0) -> None:
        """`patience`: seconds that a caller may wait for a free thread."""
        self.size = size
        self._name = name
        self._patience = patience
        self._places = asyncio.Semaphore(size)
        self._free = size

    @property
    def free(self) -> int:
        """Jobs that could begin now."""
        return self._free

    async def run(self, job: Callable[[], T], *, limit: float) -> T:
        """The job's result or its exception. NoThreadFree: it was not begun.

        After `limit` seconds TimeoutError. Then, and when cancelled, only the caller goes away: the
        job runs on.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            raise NoThreadFree(f"{self.size} calls are under way, and none ended") from None
        self._free -= 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def end(result: T | None, error: BaseException | None) -> None:
            self._leave()
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # T itself may be None

        def work() -> None:
            result: T | None = None
            error: BaseException | None = None
            try:
                result = job()
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(end, result, error)

        try:
            threading.Thread(target=work, name=self._name, daemon=True).start()
        except RuntimeError as error:
            self._leave()
            raise NoThreadFree(f"no thread can be started: {error}") from None
        async with asyncio.timeout(limit):
            return await future

    def _leave(self) -> None:
        self._free += 1
        self._places.release()
