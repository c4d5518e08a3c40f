"""Virtual time: an event loop that, when nothing is ready, jumps to what is due next instead of waiting."""

from __future__ import annotations

import asyncio
import selectors
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class StandstillError(Exception):
    """Every task waits for something that nobody will ever do."""


class _Jumping(selectors.DefaultSelector):
    """Looks whether anything is ready; where it would wait, the time has passed."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise StandstillError("everything waits, and nothing is due")
        if not ready and timeout:
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is 0 when it begins, and takes no time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since it began."""
        return self._jumping.passed

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # the stub has one type variable more
        """Do it at once: virtual time would not wait for another thread."""
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class VirtualClock:
    """The clock of a rehearsal. It goes, and can be asked, inside of `run` only."""

    def __init__(self, start: datetime) -> None:
        """`start`, aware and in UTC, is what it shows when the loop begins."""
        self._start = start

    def now(self) -> datetime:
        """The present moment of the rehearsal, to the microsecond."""
        return self._start + timedelta(microseconds=round(self.monotonic() * 1_000_000))

    def monotonic(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)  # noqa: TID251 - this is a clock


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run this to its end in a loop of its own, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
