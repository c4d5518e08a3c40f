"""A clock for tests: it stands still, except while somebody sleeps on it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StillClock:
    """Sleeping takes no real time, but moves this clock."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - NOON).total_seconds()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)  # whoever is cancelled here has not slept
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
