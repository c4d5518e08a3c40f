"""Restart what a service runs as: each of its containers, or all tasks of a Swarm service.

A plan names every container by its id, one operation each, so that a crash in the middle leaves no
doubt which of them were restarted.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from remediator.model.duration import Duration, format_duration
from remediator.model.params import Params, read_params
from remediator.model.plan import OperationSpec, PlanSpec
from remediator.model.service import TargetKind
from remediator.model.words import Reason
from remediator.model.world import (
    ActFailed,
    Applied,
    NotApplied,
    TargetError,
    Unknown,
    WorldError,
)
from remediator.world.base import EngineRefused, EngineTimeout
from remediator.world.targets import containers_of, swarm_service_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remediator.model.plan import Operation, Plan
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, Container, ProbeResult, SwarmService
    from remediator.world.base import Engine, World

CONTAINER = "container.restart"
SWARM = "service.force_update"

MARGIN = timedelta(seconds=60)
"""On top of a container's stop timeout: the engine may be slow to stop, unmount, mount and start."""
BATCH_START = timedelta(seconds=60)
"""For one batch of Swarm tasks to be placed, started and found healthy."""
LONGEST = timedelta(minutes=50)
"""No operation takes longer; a Swarm update that does is left to the verification."""
LONGEST_STOP = timedelta(minutes=30)
POLL = 1.0
"""Seconds between two looks at a Swarm update."""
SLACK = timedelta(seconds=2)
"""How far the engine's clock and ours may differ."""


def _whole_seconds(length: timedelta) -> timedelta:
    if length % timedelta(seconds=1) or length > LONGEST_STOP:
        raise ValueError(f"expected whole seconds, at most {format_duration(LONGEST_STOP)}")
    return length


class RestartParams(Params):
    """Parameters of `restart`."""

    timeout: Annotated[Duration, AfterValidator(_whole_seconds)] | None = Field(
        default=None, description="Time to stop in before being killed. Left out: the container's own."
    )


class Restart:
    """The action `restart`."""

    name = "restart"
    params = RestartParams
    needs_containers = True
    disruptive = True
    reversible = False

    def check(self, params: Any) -> str | None:
        """Nothing to object."""
        return None

    async def plan(self, service: Service, params: Mapping[str, Json], world: World) -> PlanSpec:
        """One operation per container in the order of their names, or one for a Swarm service."""
        wanted = read_params(RestartParams, params).timeout
        if service.target.kind is TargetKind.SWARM_SERVICE:
            if wanted is not None:
                raise TargetError(
                    Reason.INVALID_PARAMS,
                    "timeout: a forced update changes nothing of a Swarm service, its stop grace period "
                    "included; leave it out",
                )
            operations = [_swarm_operation(service, await swarm_service_of(service, world))]
            what = f"all tasks of the Swarm service {operations[0].object_name}"
        else:
            containers = await containers_of(service, world)
            operations = [_container_operation(service, container, wanted) for container in containers]
            names = ", ".join(container.name for container in containers)
            what = f"{len(containers)} containers, one by one: {names}" if len(containers) > 1 else names
        return PlanSpec(
            action=self.name,
            params=dict(params),
            operations=tuple(operations),
            summary=f"restart {what}",
        )

    async def apply(self, operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
        """Restart one container, or have Swarm replace the tasks and wait until it has."""
        try:
            engine = _engine(operation, world)
            if operation.kind == SWARM:
                await engine.force_update(operation.object_id, operation.before["version"])
                return await _converged(operation, engine, world)
            await engine.restart_container(operation.object_id, int(operation.before["stop_timeout"]))
        except (EngineRefused, TargetError) as error:
            return ActFailed(result={"error": str(error)})
        except EngineTimeout as error:
            return Unknown(result={"error": f"{error}; the engine may still do it"})
        except WorldError as error:
            return Unknown(result={"error": str(error)})
        return Applied()

    async def probe(self, operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
        """Compare with what was planned on: the start time, or Swarm's counter of forced updates."""
        try:
            engine = _engine(operation, world)
        except TargetError as error:
            return Unknown(result={"error": str(error)})
        over = world.clock.now() >= attempt.deadline
        if operation.kind == SWARM:
            return await _probe_swarm(operation, attempt, engine, over)
        return await _probe_container(operation, attempt, engine, over)

    def undo(self, plan: Plan, operations: Sequence[Operation]) -> PlanSpec | None:
        """Nothing takes a restart back."""
        return None


def _container_operation(service: Service, container: Container, wanted: timedelta | None) -> OperationSpec:
    stop_timeout = container.stop_timeout if wanted is None else int(wanted.total_seconds())
    return OperationSpec(
        kind=CONTAINER,
        object_id=container.id,
        object_name=container.name,
        change={} if wanted is None else {"stop_timeout": stop_timeout},
        before={
            "engine": service.target.engine,
            "status": container.status,
            "started_at": container.started_at and container.started_at.isoformat(),
            "restart_count": container.restart_count,
            "stop_timeout": stop_timeout,
        },
        timeout=min(timedelta(seconds=stop_timeout) + MARGIN, LONGEST),
    )


def _swarm_operation(service: Service, swarm: SwarmService) -> OperationSpec:
    batches = math.ceil(swarm.replicas / swarm.update_parallelism) if swarm.update_parallelism else 1
    batch = timedelta(seconds=swarm.stop_timeout + swarm.update_pause) + BATCH_START
    return OperationSpec(
        kind=SWARM,
        object_id=swarm.id,
        object_name=swarm.name,
        before={
            "engine": service.target.engine,
            "version": swarm.version,
            "force_update": swarm.force_update,
        },
        timeout=min(max(batches, 1) * batch + MARGIN, LONGEST),
    )


def _engine(operation: Operation, world: World) -> Engine:
    return world.engine(str(operation.before["engine"]))


async def _converged(operation: Operation, engine: Engine, world: World) -> ApplyResult:
    """Wait until Swarm says how the update went.

    It did happen, so one that takes too long, or cannot be watched, is not a failure: the verification
    will tell.
    """
    end = world.clock.monotonic() + operation.timeout
    said = "nothing"
    while world.clock.monotonic() < end:
        await world.clock.sleep(POLL)
        try:
            swarm = await engine.swarm_service(operation.object_id)
        except WorldError as error:
            said = str(error)
            continue
        if swarm is None:
            return ActFailed(result={"error": "the Swarm service was removed during its update"})
        state = swarm.update_state or "none"
        said = f"update {state}, {swarm.running} of {swarm.replicas} tasks replaced"
        if state in ("paused", "rollback_paused", "rollback_completed"):
            return ActFailed(result={"error": f"update {state}: {swarm.update_message}"})
        if state in ("none", "completed") and swarm.running >= swarm.replicas:
            return Applied(result={"force_update": swarm.force_update, "running": swarm.running})
    return Applied(result={"converged": False, "last_seen": said})


async def _probe_container(operation: Operation, attempt: Attempt, engine: Engine, over: bool) -> ProbeResult:
    container = await engine.container(operation.object_id)
    before = operation.before["started_at"]
    if container is not None and container.started_at is not None:
        started = container.started_at.isoformat()
        if started != before and container.started_at >= attempt.intent_at - SLACK:
            return Applied(result={"started_at": started})
    if not over:
        return Unknown(result={"error": "not restarted yet, but the engine may still do it"})
    if container is None:
        return Unknown(result={"error": "the container is gone"})
    return NotApplied(result={"started_at": before})


async def _probe_swarm(operation: Operation, attempt: Attempt, engine: Engine, over: bool) -> ProbeResult:
    swarm = await engine.swarm_service(operation.object_id)
    if swarm is None:
        return Unknown(result={"error": "the Swarm service is gone"})
    if swarm.force_update > operation.before["force_update"]:
        return Applied(result={"force_update": swarm.force_update})
    if not over:
        return Unknown(result={"error": "no forced update yet, but the engine may still do it"})
    return NotApplied(result={"force_update": swarm.force_update})
