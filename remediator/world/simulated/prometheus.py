"""A Prometheus server in memory: it answers with what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.model.world import WorldError

if TYPE_CHECKING:
    from remediator.clock import Clock
    from remediator.world.base import PromAlert, Sample, Series


class SimulatedPrometheus:
    """Prometheus in memory."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.unreachable: str | None = None
        """Why it does not answer; None while it does."""
        self.firing: list[PromAlert] = []
        self.answers: dict[str, list[Sample]] = {}
        """Query -> what it gives; any other query gives nothing."""
        self.ranges: dict[str, list[Series]] = {}
        """Query -> what it gives over a time."""

    async def alerts(self) -> list[PromAlert]:
        """The alerts of its rules."""
        await self.ready()
        return list(self.firing)

    async def query(self, expr: str) -> list[Sample]:
        """An instant query."""
        await self.ready()
        return list(self.answers.get(expr, []))

    async def query_range(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
        """A query over a time."""
        await self.ready()
        return list(self.ranges.get(expr, []))

    async def ready(self) -> None:
        """Return if it can be reached."""
        if self.unreachable is not None:
            raise WorldError(f"Prometheus does not answer: {self.unreachable}")

    async def close(self) -> None:
        """Nothing to let go of."""
