"""Run more replicas of a service: a step that people take for load, and take back when it is over.

Plans name the number before and after, so that an approval is one for exactly that, and a number that
somebody else has changed meanwhile is left alone, also when it is taken back.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from remediator.actions import scaling_compose
from remediator.actions.scaling_compose import left
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
from remediator.world.targets import swarm_service_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remediator.model.plan import Operation, Plan
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, ProbeResult, SwarmService
    from remediator.world.base import Engine, World

SWARM = "service.scale"
MOST = 1000
"""More replicas than this are a slip of the pen."""
TIMEOUT = timedelta(minutes=3)
"""For new replicas to be placed and started; they start side by side."""
POLL = 1.0
"""Seconds between two looks at what has started."""
SENT = "sent_unanswered"
"""In the result of an attempt: the engine took the request, so no deadline proves that it will not do it."""

_STEP = re.compile(r"\+([1-9]\d{0,2})|x([2-9]|[1-9]\d)", re.ASCII)


def _step(value: object) -> object:
    # YAML reads an unquoted +1 as the number.
    text = f"+{value}" if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _STEP.fullmatch(text):
        raise ValueError("expected how many more, such as `+1`, or how many times as many, such as `x2`")
    return text


class ScaleParams(Params):
    """Parameters of `scale`."""

    replicas: int | None = Field(default=None, ge=1, le=MOST, description="Run this many.")
    by: Annotated[str, BeforeValidator(_step)] | None = Field(
        default=None, description="Run so many more than now (`+1`), or so many times as many (`x2`)."
    )
    max: int | None = Field(default=None, ge=1, le=MOST, description="Never more than this. With `by`.")

    @model_validator(mode="after")
    def _is_one_wish(self) -> Self:
        if (self.replicas is None) == (self.by is None):
            raise ValueError("say either `replicas`, or `by` with `max`")
        if (self.by is None) != (self.max is None):
            # Each alert would make it grow once more.
            raise ValueError("`by` needs a `max`, and `max` a `by`")
        return self

    def wanted(self, now: int) -> int:
        """The number of replicas to run, where so many run now. TargetError if that is no more."""
        if self.replicas is not None:
            wanted, bound = self.replicas, f"`replicas` is {self.replicas}"
        else:
            more, times = _STEP.fullmatch(self.by or "").groups()  # type: ignore[union-attr]  # _step let nothing else in
            most = self.max or MOST
            wanted, bound = min(now + int(more) if more else now * int(times), most), f"`max` is {most}"
        if wanted <= now:
            why = f"it has {now} replicas already, and {bound}; a step never runs fewer"
            raise TargetError(Reason.NOTHING_TO_CHANGE, why)
        return wanted


class Scale:
    """The action `scale`."""

    name = "scale"
    params = ScaleParams
    needs_containers = True
    disruptive = False
    reversible = True

    def check(self, params: Any) -> str | None:
        """Nothing to object."""
        return None

    async def plan(self, service: Service, params: Mapping[str, Json], world: World) -> PlanSpec:
        """One operation: from the number that is wanted now to a higher one."""
        wanted = read_params(ScaleParams, params)
        match service.target.kind:
            case TargetKind.SWARM_SERVICE:
                operation = _swarm_operation(service, await swarm_service_of(service, world), wanted)
            case TargetKind.COMPOSE_SERVICE:
                operation = await scaling_compose.operation_of(service, wanted.wanted, world)
            case _:
                why = "only a service of Compose or of a Swarm has a number of replicas"
                raise TargetError(Reason.NOT_SCALABLE, why)
        return _plan(self.name, dict(params), operation, "scale")

    async def apply(self, operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
        """Have it run so many, unless somebody else changed the number; wait until they run."""
        if operation.kind == scaling_compose.KIND:
            return await scaling_compose.apply(operation, attempt, world)
        try:
            return await _scale_swarm(operation, _engine(operation, world), world)
        except (EngineRefused, TargetError) as error:
            return ActFailed(result={"error": str(error)})
        except EngineTimeout as error:
            return Unknown(result={"error": f"{error}; the engine may still do it", SENT: True})
        except WorldError as error:
            return Unknown(result={"error": str(error)})

    async def probe(self, operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
        """The number that is wanted now tells."""
        if operation.kind == scaling_compose.KIND:
            return await scaling_compose.probe(operation, attempt, world)
        try:
            engine = _engine(operation, world)
        except TargetError as error:
            return Unknown(result={"error": str(error)})
        over = world.clock.now() >= attempt.deadline and not attempt.result.get(SENT)
        seen = await engine.swarm_service(operation.object_id)
        if seen is None:
            return Unknown(result={"error": "the Swarm service is gone"})
        return _told(operation, seen.replicas, over)

    def undo(self, plan: Plan, operations: Sequence[Operation]) -> PlanSpec | None:
        """Back to the number from before; not done where somebody else has changed it meanwhile."""
        if len(operations) != 1:
            return None
        (done,) = operations
        before, after = done.change["from"], done.change["to"]
        back = OperationSpec(
            kind=done.kind,
            object_id=done.object_id,
            object_name=done.object_name,
            change={**done.change, "from": after, "to": before},
            before=done.before,
            timeout=timedelta(seconds=done.timeout),
        )
        return _plan(plan.action, {"replicas": before}, back, "scale back")


def _plan(action: str, params: dict[str, Json], operation: OperationSpec, verb: str) -> PlanSpec:
    before, after = operation.change["from"], operation.change["to"]
    return PlanSpec(
        action=action,
        params=params,
        operations=(operation,),
        summary=f"{verb} {operation.object_name} from {before} to {after} replicas",
    )


def _engine(operation: Operation, world: World) -> Engine:
    return world.engine(str(operation.before["engine"]))


def _swarm_operation(service: Service, swarm: SwarmService, wanted: ScaleParams) -> OperationSpec:
    if swarm.everywhere:
        why = f"the Swarm service {swarm.name} runs once on each node; it has no number of replicas"
        raise TargetError(Reason.NOT_SCALABLE, why)
    return OperationSpec(
        kind=SWARM,
        object_id=swarm.id,
        object_name=swarm.name,
        change={"from": swarm.replicas, "to": wanted.wanted(swarm.replicas)},
        before={"engine": service.target.engine},
        timeout=TIMEOUT,
    )


async def _scale_swarm(operation: Operation, engine: Engine, world: World) -> ApplyResult:
    """Change the number, and wait for the tasks. What does not start is left to the verification."""
    end = world.clock.monotonic() + operation.timeout
    before, after = int(operation.change["from"]), int(operation.change["to"])
    try:
        swarm = await engine.swarm_service(operation.object_id)
    except WorldError as error:
        return ActFailed(result={"error": f"nothing was sent: {error}"})
    if swarm is None:
        return ActFailed(result={"error": "the Swarm service is gone"})
    if swarm.replicas != before:
        return ActFailed(result=left(before, swarm.replicas))
    # At any other version somebody changed it since that look, and the engine refuses.
    await engine.scale_service(swarm.id, swarm.version, after)
    said = "nothing"
    while world.clock.monotonic() < end:
        try:
            seen = await engine.swarm_service(operation.object_id)
        except WorldError as error:
            said = str(error)
        else:
            if seen is None:
                return ActFailed(result={"error": "the Swarm service was removed while it was scaled"})
            said = f"{seen.running} of {seen.replicas} tasks run"
            if seen.running == after:
                return Applied(result={"replicas": after, "running": seen.running})
        await world.clock.sleep(POLL)
    return Applied(result={"replicas": after, "converged": False, "last_seen": said})


def _told(operation: Operation, replicas: int, over: bool) -> ProbeResult:
    before, after = operation.change["from"], operation.change["to"]
    if replicas == after:
        return Applied(result={"replicas": replicas})
    if replicas != before:
        return Unknown(result=left(before, replicas))
    if over:
        return NotApplied(result={"replicas": replicas})
    return Unknown(result={"error": "not scaled so far, but the engine may still do it"})
