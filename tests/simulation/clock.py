"""Virtual time: the event loop's own, which jumps to the next thing that is due (looptime)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class LoopClock:
    """The clock of everything in a house; at noon when the loop's time is 0."""

    def now(self) -> datetime:
        return NOON + timedelta(microseconds=round(self.monotonic() * 1_000_000))

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
