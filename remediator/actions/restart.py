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
from remediator.world.clocks import ahead
from remediator.world.targets import containers_of, swarm_service_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from remediator.model.plan import Operation, Plan
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, Container, ProbeResult, SwarmService
    from remediator.world.base import Engine, History, World

CONTAINER = "container.restart"
SWARM = "service.force_update"

SENT = "sent_unanswered"
"""In the result of an attempt: the engine took the request, so no deadline proves that it will not do it."""
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
"""How far the engine's clock and ours may differ unnoticed."""
AT_ONCE = timedelta(seconds=10)
"""Within this after its intent the engine begins an act."""
STUCK = frozenset({"paused", "rollback_paused", "rollback_completed"})
"""States in which Swarm has given up an update."""


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
                return await _update_swarm(operation, engine, world)
            return await _restart_container(operation, engine)
        except (EngineRefused, TargetError) as error:
            return ActFailed(result={"error": str(error)})
        except EngineTimeout as error:
            return Unknown(result={"error": f"{error}; the engine may still do it", SENT: True})
        except WorldError as error:
            return Unknown(result={"error": str(error)})

    async def probe(self, operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
        """Compare with what was planned on: the start time, or Swarm's counter of forced updates."""
        try:
            engine = _engine(operation, world)
        except TargetError as error:
            return Unknown(result={"error": str(error)})
        if operation.kind == SWARM:
            return await _probe_swarm(operation, attempt, engine, world.clock.now() >= attempt.deadline)
        return await _probe_container(operation, attempt, engine, world)

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
            "started_at": _text(container.started_at),
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


async def _update_swarm(operation: Operation, engine: Engine, world: World) -> ApplyResult:
    """Have Swarm replace all tasks, and wait until it says how that went.

    Once begun, an update that takes too long or cannot be watched is not a failure: the verification
    will tell.
    """
    end = world.clock.monotonic() + operation.timeout
    await engine.force_update(operation.object_id, int(operation.before["version"]))
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
        state = swarm.update_state or "not begun"
        said = f"update {state}, {swarm.running} of {swarm.replicas} tasks replaced"
        if state in STUCK:
            return ActFailed(result={"error": f"{said}: {swarm.update_message}"})
        # `running` counts the replaced tasks only, so this cannot be the state from before.
        if state in ("not begun", "completed") and swarm.running >= swarm.replicas:
            return Applied(result={"force_update": swarm.force_update, "running": swarm.running})
    return Applied(result={"converged": False, "last_seen": said})


async def _restart_container(operation: Operation, engine: Engine) -> ApplyResult:
    await engine.restart_container(operation.object_id, int(operation.before["stop_timeout"]))
    try:
        container = await engine.container(operation.object_id)
    except WorldError:
        return Applied()  # it was restarted; this was only to be able to show it
    return Applied(result={"started_at": container and _text(container.started_at)})


async def _probe_swarm(operation: Operation, attempt: Attempt, engine: Engine, over: bool) -> ProbeResult:
    swarm = await engine.swarm_service(operation.object_id)
    if swarm is None:
        return Unknown(result={"error": "the Swarm service is gone"})
    if swarm.force_update > int(operation.before["force_update"]):
        return Applied(result={"force_update": swarm.force_update})
    if not over or attempt.result.get(SENT):
        return Unknown(result={"error": "no forced update so far, but the engine may still begin one"})
    return NotApplied(result={"force_update": swarm.force_update})


async def _probe_container(
    operation: Operation, attempt: Attempt, engine: Engine, world: World
) -> ProbeResult:
    """Tell from the start time and the engine's history whether it was restarted since the intent."""
    # By the engine's clock, as everything that it tells.
    since = attempt.intent_at + await ahead(engine, world.clock) - SLACK
    over = world.clock.now() >= attempt.deadline
    container = await engine.container(operation.object_id)
    if container is not None and not _started_anew(container, operation, since):
        if not over or attempt.result.get(SENT):
            return Unknown(result={"error": "not restarted so far, but the engine may still do it"})
        return NotApplied(result=await _left_behind(container, engine, since))
    history = await engine.history(since)
    if _happened(history, operation.object_id, "restart", since):
        return Applied(result={"started_at": container and _text(container.started_at)})
    if history.complete_from <= since:
        why = "the container is gone" if container is None else "it started anew, but nobody restarted it"
        return NotApplied(result={"error": why}) if over else Unknown(result={"error": why})
    if container is None:
        return Unknown(result={"error": "the container is gone, and the engine has forgotten what happened"})
    # A restart policy counts its restarts; a restart by request sets that count back to nothing.
    if container.restart_count == 0 or container.restart_count < int(operation.before["restart_count"]):
        return Applied(result={"started_at": _text(container.started_at)})
    return Unknown(
        result={"error": "it started anew, and the engine has forgotten whether by its restart policy"}
    )


def _started_anew(container: Container, operation: Operation, since: datetime) -> bool:
    started = container.started_at
    return started is not None and started >= since and _text(started) != operation.before["started_at"]


async def _left_behind(container: Container, engine: Engine, since: datetime) -> dict[str, Json]:
    """Whether an unfinished restart has stopped the container, as some engines do whose client goes away.

    The engine kills at once when it is asked to; what was stopped later was stopped by somebody else.
    """
    if container.running or container.finished_at is None or container.finished_at < since:
        return {}
    history = await engine.history(since)
    if _happened(history, container.id, "kill", since, since + SLACK + AT_ONCE):
        return {"half_done": True, "error": "it was stopped, but not started again"}
    return {}


def _happened(
    history: History, object_id: str, action: str, since: datetime, until: datetime | None = None
) -> bool:
    return any(
        event.object_id == object_id
        and event.action == action
        and since <= event.at
        and (until is None or event.at <= until)
        for event in history.events
    )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
