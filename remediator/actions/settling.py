"""Wait until what was acted on is well again, before the next of its kind is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.model.world import WorldError
from remediator.world.clocks import ahead
from remediator.world.health import Health, container_health

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from remediator.clock import Clock
    from remediator.world.base import Engine

POLL = 1.0
"""Seconds between two looks."""


async def until_healthy(
    container_ids: Sequence[str], engine: Engine, clock: Clock, *, steady: timedelta, within: timedelta
) -> Health:
    """Their health once all are healthy, or as it is when the time is up. Raises nothing."""
    end = clock.monotonic() + within.total_seconds()
    while True:
        seen = await health_of(container_ids, engine, clock, steady)
        if seen.healthy or clock.monotonic() >= end:
            return seen
        await clock.sleep(POLL)


async def health_of(container_ids: Sequence[str], engine: Engine, clock: Clock, steady: timedelta) -> Health:
    """The first of them that is not healthy, or that all are. Raises nothing: see `container_health`."""
    try:
        now = clock.now() + await ahead(engine, clock)
        for container_id in container_ids:
            container = await engine.container(container_id)
            if container is None:
                return Health(healthy=False, detail=f"the container {container_id[:12]} is gone")
            seen = container_health(container, steady, now)
            if not seen.healthy:
                return seen
    except WorldError as error:
        return Health(healthy=None, detail=str(error))
    return Health(healthy=True, detail="all healthy")
