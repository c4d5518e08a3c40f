"""Whether a service is healthy now, as verification and triage ask it.

Three answers: yes, no, and "cannot tell", which is also the answer while something is still
starting: that is neither a success nor a failure yet.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from remediator.checks.base import Look
from remediator.model.duration import Duration  # noqa: TC001 - pydantic reads it
from remediator.model.params import Params
from remediator.model.service import TargetKind
from remediator.model.words import Reason
from remediator.model.world import Finding, TargetError, WorldError
from remediator.world.health import Health, container_health, steady_since
from remediator.world.targets import seen_containers, seen_swarm_service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from remediator.model.service import Service
    from remediator.model.world import SwarmService
    from remediator.world.base import World


async def health(service: Service, steady: timedelta, world: World) -> Health:
    """The health of all that a service runs as: one that is not well spoils it. Raises nothing.

    A container without a health check counts as healthy once it has run for `steady`.
    """
    try:
        if service.target.kind is TargetKind.NONE:
            return Health(healthy=None, detail=f"the service {service.name} has no containers to look at")
        # Read first: a slow answer then lets a start look older, never like one that did not happen.
        our_now = world.clock.now()
        engine_now = await _engine_now(service, world)
        skew = engine_now - our_now
        if service.target.kind is TargetKind.SWARM_SERVICE:
            swarm = await seen_swarm_service(service, world)
            since = swarm.running_since - skew if swarm.running_since else None
            return replace(_of_swarm(swarm, steady, engine_now), since=since)
        containers = await seen_containers(service, world)
    except TargetError as error:
        return Health(healthy=False if error.reason is Reason.NO_TARGET else None, detail=str(error))
    except WorldError as error:
        return Health(healthy=None, detail=str(error))
    since = max((c.started_at - skew for c in containers if c.started_at), default=None)
    return replace(_of_all([container_health(c, steady, engine_now) for c in containers]), since=since)


def _of_all(seen: Sequence[Health]) -> Health:
    for verdict in (False, None):
        spoiling = [h.detail for h in seen if h.healthy is verdict]
        if spoiling:
            return Health(healthy=verdict, detail="; ".join(spoiling))
    return Health(healthy=True, detail="; ".join(h.detail for h in seen))


async def _engine_now(service: Service, world: World) -> datetime:
    """What is told of starts is by the engine's clock."""
    try:
        engine = world.engine(service.target.engine)
    except TargetError as error:
        raise WorldError(error.detail) from None
    return (await engine.ping()).system_time


def _of_swarm(swarm: SwarmService, steady: timedelta, now: datetime) -> Health:
    detail = f"{swarm.name}: {swarm.running} of {swarm.replicas} tasks run"
    match swarm.update_state:
        case None | "completed" | "rollback_completed":
            if swarm.running < swarm.replicas or not swarm.replicas:
                return Health(healthy=False, detail=detail)
            return steady_since(detail, swarm.running_since, steady, now)
        case "paused" | "rollback_paused" as stuck:
            return Health(healthy=False, detail=f"{detail}, update {stuck}: {swarm.update_message}")
        case under_way:
            return Health(healthy=None, detail=f"{detail}, update {under_way}")


class HealthParams(Params):
    """Parameters of the check `health`."""

    steady: Duration = Field(
        default=timedelta(seconds=10),
        description="How long a container without a health check must run to count as healthy.",
    )


class HealthLook(Look[HealthParams]):
    """Look at a service's health."""

    name = "health"
    params = HealthParams

    async def see(self, service: Service, params: HealthParams, world: World) -> Finding:
        """The same look as verification takes."""
        seen = await health(service, params.steady, world)
        return Finding(check=self.name, ok=seen.healthy, summary=seen.detail)
