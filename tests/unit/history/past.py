"""A Prometheus that knows a few alerts of the past, and how to read what is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from remediator.world.base import Series

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from remediator.history.changes import Change
    from remediator.model.world import WorldError

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
STEP = 60.0


def after(minutes: float) -> datetime:
    """So many minutes after the beginning."""
    return BEGIN + timedelta(minutes=minutes)


@dataclass
class Past:
    """Alerts, each with the minutes at which it was seen to fire."""

    seen: dict[str, list[int]]
    asked: list[tuple[float, float]] = field(default_factory=list)
    fails: list[WorldError] = field(default_factory=list)

    async def query_range(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
        """The samples between, as Prometheus would give them."""
        self.asked.append((begin, end))
        if self.fails:
            raise self.fails.pop(0)
        found = []
        for name, minutes in self.seen.items():
            times = [BEGIN.timestamp() + minute * 60 for minute in minutes]
            samples = tuple((at, 1.0) for at in times if begin <= at <= end)
            labels = {"__name__": "ALERTS", "alertstate": "firing", "alertname": name}
            if samples:
                found.append(Series(labels=labels, samples=samples))
        return found


async def told(changes: AsyncIterator[Change]) -> list[tuple[float, str, bool]]:
    """Minute, alert and whether it fires, of every change."""
    return [
        ((change.at - BEGIN).total_seconds() / 60, change.labels["alertname"], change.firing)
        async for change in changes
    ]
