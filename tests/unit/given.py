"""What tests of actions and checks begin with: a simulated world, services, and stored operations."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.decide.acting import MARGIN
from remediator.model.plan import Operation, OperationSpec, Plan, PlanSpec
from remediator.model.run import Attempt
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import AttemptStatus
from tests.unit.still_clock import NOON, StillClock

if TYPE_CHECKING:
    from remediator.world.base import World
    from remediator.world.simulated import SimulatedWorld

ENABLED = {"remediator.enable": "true"}
WEB = Service(name="web", target=Target(kind=TargetKind.CONTAINER, name="web"))
COMPOSE = Service(name="web", target=Target(kind=TargetKind.COMPOSE_SERVICE, name="web"))
SWARM = Service(name="web", target=Target(kind=TargetKind.SWARM_SERVICE, name="web"))
BARE = Service(name="tower", target=Target(kind=TargetKind.NONE))


def clock_of(world: SimulatedWorld) -> StillClock:
    """The clock that a test moves by hand."""
    assert isinstance(world.clock, StillClock)
    return world.clock


def uncatalogued(service: Service) -> Service:
    """The same service, but found by its labels alone."""
    return Service(name=service.name, target=service.target, catalogued=False)


def stored(spec: OperationSpec, number: int = 0) -> Operation:
    """An operation as the store gives it back."""
    return Operation(
        id=number + 1,
        plan_id=1,
        number=number,
        kind=spec.kind,
        object_id=spec.object_id,
        object_name=spec.object_name,
        change=spec.change,
        before=spec.before,
        timeout=spec.timeout.total_seconds(),
    )


def stored_plan(spec: PlanSpec) -> Plan:
    """A plan as the store gives it back."""
    return Plan(
        id=1,
        run_id=1,
        step=0,
        digest=spec.digest("1"),
        action=spec.action,
        params=spec.params,
        summary=spec.summary,
        created_at=NOON,
    )


def intent(plan: PlanSpec, world: World, number: int = 0) -> tuple[Operation, Attempt]:
    """One operation of a plan, and the attempt at it whose intent is committed now."""
    operation = stored(plan.operations[number], number)
    now = world.clock.now()
    return operation, Attempt(
        id=7,
        run_id=1,
        operation_id=operation.id,
        step=0,
        service="web",
        rule="web-down",
        object_id=operation.object_id,
        status=AttemptStatus.INTENT,
        intent_at=now,
        deadline=now + timedelta(seconds=operation.timeout) + MARGIN,
    )


def pass_deadline(world: SimulatedWorld, attempt: Attempt) -> None:
    """Let time pass until the attempt's outcome may be believed."""
    clock_of(world).advance((attempt.deadline - world.clock.now()).total_seconds())
