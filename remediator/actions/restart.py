"""Restart what a service runs as: each of its containers, or all tasks of a Swarm service.

A plan names every container by its id, one operation each, so that a crash in the middle leaves no
doubt which of them were restarted. Each but the last has only been restarted well once it is healthy
again: otherwise the rest, which may still serve, would go down after it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from remediator.actions.settling import health_of, until_healthy
from remediator.actions.swarm import (
    LONGEST,
    SENT,
    SWARM,
    apply_forced_update,
    forced_update,
    probe_forced_update,
)
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
    from remediator.model.world import ApplyResult, Container, ProbeResult
    from remediator.world.base import Engine, History, World
    from remediator.world.health import Health

CONTAINER = "container.restart"
MARGIN = timedelta(seconds=60)
"""On top of a container's stop timeout: the engine may be slow to stop, unmount, mount and start."""
LONGEST_STOP = timedelta(minutes=30)
USUAL_WAIT = timedelta(minutes=2)
LONGEST_WAIT = timedelta(minutes=15)
STEADY = timedelta(seconds=10)
"""A container without a health check counts as healthy once it has run for so long."""
SLACK = timedelta(seconds=2)
"""How far the engine's clock and ours may differ unnoticed."""
AT_ONCE = timedelta(seconds=10)
"""Within this after its intent the engine begins an act."""


def _whole_seconds(length: timedelta) -> timedelta:
    if length % timedelta(seconds=1) or length > LONGEST_STOP:
        raise ValueError(f"expected whole seconds, at most {format_duration(LONGEST_STOP)}")
    return length


def _within_reason(length: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= length <= LONGEST_WAIT:
        raise ValueError(f"expected 1s to {format_duration(LONGEST_WAIT)}")
    return length


class RestartParams(Params):
    """Parameters of `restart`."""

    timeout: Annotated[Duration, AfterValidator(_whole_seconds)] | None = Field(
        default=None, description="Time to stop in before being killed. Left out: the container's own."
    )
    rolling: bool | None = Field(
        default=None,
        description="Of several containers, wait for each to be healthy again before the next. "
        "Left out: true.",
    )
    healthy_within: Annotated[Duration, AfterValidator(_within_reason)] | None = Field(
        default=None,
        description="How long each is waited for; when it is not healthy by then, the rest is left alone. "
        "Left out: 2m.",
    )
    only: Literal["most_memory"] | None = Field(
        default=None, description="Restart one container alone: the one that uses most memory."
    )

    @property
    def wait(self) -> timedelta | None:
        """How long each container that is followed by another is waited for."""
        return None if self.rolling is False else self.healthy_within or USUAL_WAIT


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
        wanted = read_params(RestartParams, params)
        if service.target.kind is TargetKind.SWARM_SERVICE:
            _refuse_for_swarm(wanted)
            operations = [forced_update(service, await swarm_service_of(service, world))]
            what = f"all tasks of the Swarm service {operations[0].object_name}"
        else:
            containers = await containers_of(service, world)
            what = _named(containers, wanted)
            if wanted.only is not None:
                container, why = await _hungriest(containers, world.engine(service.target.engine))
                containers, what = [container], f"{container.name}, {why}"
            operations = [
                _operation(service, container, wanted, followed=container is not containers[-1])
                for container in containers
            ]
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
                return await apply_forced_update(operation, engine, world)
            return await _restart_container(operation, engine, world)
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
        over = world.clock.now() >= attempt.deadline
        if operation.kind == SWARM:
            return await probe_forced_update(operation, attempt, engine, over)
        found = await _probe_container(operation, attempt, engine, world)
        if isinstance(found, Applied) and _wait(operation) is not None:
            return await _probe_health(operation, found, engine, world, over)
        return found

    def undo(self, plan: Plan, operations: Sequence[Operation]) -> PlanSpec | None:
        """Nothing takes a restart back."""
        return None


def _refuse_for_swarm(wanted: RestartParams) -> None:
    for given, why in (
        (wanted.timeout is not None, "timeout: a forced update changes no stop grace period"),
        (wanted.rolling is False, "rolling: the update settings of the service say how many at once"),
        (wanted.only is not None, "only: Swarm places its tasks where it likes, and replaces them all"),
    ):
        if given:
            wrong = f"{why}: a forced update changes nothing of a Swarm service; leave it out"
            raise TargetError(Reason.INVALID_PARAMS, wrong)


def _named(containers: Sequence[Container], wanted: RestartParams) -> str:
    names = ", ".join(container.name for container in containers)
    if len(containers) == 1:
        return names
    wait = f", each healthy within {format_duration(wanted.wait)} before the next" if wanted.wait else ""
    return f"{len(containers)} containers, one by one{wait}: {names}"


async def _hungriest(containers: Sequence[Container], engine: Engine) -> tuple[Container, str]:
    """The one that uses most memory, and how much. WorldError when one of them cannot be compared."""
    running = [container for container in containers if container.running]
    usages = await asyncio.gather(*(engine.usage(container.id) for container in running))
    used: dict[str, int] = {}
    for container, usage in zip(running, usages, strict=True):
        if usage is not None and usage.memory is None:
            raise WorldError(f"the engine does not count the memory that {container.name} uses")
        if usage is not None and usage.memory is not None:
            used[container.name] = usage.memory
    if not used:
        raise TargetError(Reason.NO_TARGET, "no container of the service runs, so none uses most memory")
    # Of two that use the same the first by name, so that nothing depends on the order of answers.
    name = max(sorted(used), key=lambda name: used[name])
    chosen = next(container for container in running if container.name == name)
    among = f" of {len(used)} that run" if len(used) > 1 else ""
    return chosen, f"which uses most memory{among} ({used[name] / (1 << 20):.0f} MiB)"


def _operation(
    service: Service, container: Container, wanted: RestartParams, *, followed: bool
) -> OperationSpec:
    stop_timeout = container.stop_timeout if wanted.timeout is None else int(wanted.timeout.total_seconds())
    wait = wanted.wait if followed else None
    change: dict[str, Json] = {} if wanted.timeout is None else {"stop_timeout": stop_timeout}
    return OperationSpec(
        kind=CONTAINER,
        object_id=container.id,
        object_name=container.name,
        change=change if wait is None else {**change, "healthy_within": wait.total_seconds()},
        before={
            "engine": service.target.engine,
            "status": container.status,
            "started_at": _text(container.started_at),
            "restart_count": container.restart_count,
            "stop_timeout": stop_timeout,
        },
        timeout=min(timedelta(seconds=stop_timeout) + MARGIN + (wait or timedelta()), LONGEST),
    )


def _engine(operation: Operation, world: World) -> Engine:
    return world.engine(str(operation.before["engine"]))


def _wait(operation: Operation) -> timedelta | None:
    """How long the container is waited for; None where nothing comes after it."""
    seconds = operation.change.get("healthy_within")
    return None if seconds is None else timedelta(seconds=seconds)


async def _restart_container(operation: Operation, engine: Engine, world: World) -> ApplyResult:
    await engine.restart_container(operation.object_id, int(operation.before["stop_timeout"]))
    wait = _wait(operation)
    seen = None
    if wait is not None:
        seen = await until_healthy([operation.object_id], engine, world.clock, steady=STEADY, within=wait)
    result: dict[str, Json] = {}
    try:
        container = await engine.container(operation.object_id)
        result["started_at"] = container and _text(container.started_at)
    except WorldError:
        pass  # it was restarted; this was only to be able to show it
    if seen is None:
        return Applied(result=result)
    if seen.healthy is None:  # it still starts, or the engine cannot be read: the probe looks again
        return Unknown(result={**result, "error": f"not seen to be healthy again: {seen.detail}"})
    return _how_it_went(operation, seen, result)


async def _probe_health(
    operation: Operation, found: Applied, engine: Engine, world: World, over: bool
) -> ProbeResult:
    """What was restarted is done once it is healthy; until the deadline it may become so."""
    seen = await health_of([operation.object_id], engine, world.clock, STEADY)
    if seen.healthy or over:
        return _how_it_went(operation, seen, found.result)
    return Unknown(result={"error": f"restarted, and not healthy again so far: {seen.detail}"})


def _how_it_went(operation: Operation, seen: Health, result: dict[str, Json]) -> Applied | ActFailed:
    if seen.healthy:
        return Applied(result=result)
    wait = format_duration(_wait(operation) or timedelta())
    error = f"restarted, but not healthy again within {wait} ({seen.detail}); the rest is left alone"
    return ActFailed(result={**result, "error": error})


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
