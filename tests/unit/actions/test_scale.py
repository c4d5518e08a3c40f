"""`scale`: what may be asked for, and how a Swarm service is scaled, looked after, and scaled back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from remediator.actions.scale import Scale, ScaleParams
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from tests.unit.given import SWARM, WEB, clock_of, intent, pass_deadline, stored, stored_plan

if TYPE_CHECKING:
    from remediator.model.plan import Operation, PlanSpec
    from remediator.model.run import Attempt
    from remediator.world.simulated import SimulatedWorld

SCALE = Scale()


async def begin(world: SimulatedWorld, replicas: int = 3) -> tuple[Operation, Attempt]:
    """A plan for the Swarm service `web`, and the intent to carry it out."""
    return intent(await SCALE.plan(SWARM, {"replicas": replicas}, world), world)


def back(spec: PlanSpec) -> PlanSpec:
    """The undo of a plan."""
    undo = SCALE.undo(stored_plan(spec), [stored(operation) for operation in spec.operations])
    assert undo is not None
    return undo


# Parameters.


@pytest.mark.parametrize(
    ("params", "now", "wanted"),
    [
        ({"replicas": 3}, 2, 3),
        ({"by": "+1", "max": 5}, 2, 3),
        ({"by": 2, "max": 5}, 2, 4),  # YAML's +2
        ({"by": "x2", "max": 5}, 2, 4),
        ({"by": "x10", "max": 5}, 2, 5),
        ({"by": "+3", "max": 3}, 2, 3),
    ],
)
def test_how_many_are_wanted(params: dict[str, Any], now: int, wanted: int) -> None:
    assert ScaleParams.model_validate(params).wanted(now) == wanted


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"replicas": 0},
        {"replicas": 1001},
        {"replicas": 3, "max": 4},
        {"replicas": 3, "by": "+1", "max": 4},
        {"by": "+1"},
        {"max": 3},
        *({"by": by, "max": 5} for by in ("1", "+0", "x1", "-1", "x1.5", "double", "", True, -1, 0)),
        {"replicas": 3, "services": ["web"]},
    ],
)
def test_what_is_no_clear_wish_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ScaleParams.model_validate(params)


# Planning.


async def test_the_plan_says_from_where_to_where(world: SimulatedWorld) -> None:
    id_ = world.docker.add_swarm_service("web", replicas=2)
    plan = await SCALE.plan(SWARM, {"by": "x2", "max": 5}, world)
    (operation,) = plan.operations
    assert (operation.kind, operation.object_id, operation.change) == (
        "service.scale",
        id_,
        {"from": 2, "to": 4},
    )
    assert plan.summary == "scale web from 2 to 4 replicas"


@pytest.mark.parametrize("params", [{"replicas": 4}, {"replicas": 2}, {"by": "+1", "max": 4}])
async def test_a_step_never_runs_fewer(world: SimulatedWorld, params: dict[str, Any]) -> None:
    world.docker.add_swarm_service("web", replicas=4)
    with pytest.raises(TargetError, match="has 4 replicas already") as caught:
        await SCALE.plan(SWARM, params, world)
    assert (caught.value.reason, caught.value.lasting) == (Reason.NOTHING_TO_CHANGE, True)


async def test_what_has_no_number_of_replicas_is_refused(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.add_swarm_service("web", everywhere=True)
    for service in (SWARM, WEB):
        with pytest.raises(TargetError) as caught:
            await SCALE.plan(service, {"replicas": 3}, world)
        assert caught.value.reason is Reason.NOT_SCALABLE


# Applying.


async def test_it_is_scaled_and_waited_for(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2, update_seconds=20)
    operation, attempt = await begin(world)
    result = await SCALE.apply(operation, attempt, world)
    assert result == Applied(result={"replicas": 3, "running": 3})
    assert (world.clock.now() - attempt.intent_at).total_seconds() >= 20
    assert world.docker.scaled == [("web", 3)]


async def test_what_does_not_start_is_left_to_the_verification(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2, update_seconds=7200)
    operation, attempt = await begin(world)
    result = await SCALE.apply(operation, attempt, world)
    assert result == Applied(result={"replicas": 3, "converged": False, "last_seen": "2 of 3 tasks run"})
    assert world.clock.now() < attempt.deadline


async def test_a_number_that_somebody_changed_is_left(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2)
    operation, attempt = await begin(world)
    world.docker.scale_by_hand("web", 5)
    result = await SCALE.apply(operation, attempt, world)
    assert isinstance(result, ActFailed)
    assert "there are 5 replicas now instead of 2" in result.result["error"]
    assert not world.docker.scaled


async def test_another_change_since_the_plan_is_no_obstacle(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2)
    operation, attempt = await begin(world)
    world.docker.update_by_hand("web")
    assert isinstance(await SCALE.apply(operation, attempt, world), Applied)


async def test_refusals_and_silence_before_anything_is_sent_are_failures(world: SimulatedWorld) -> None:
    id_ = world.docker.add_swarm_service("web", replicas=2)
    operation, attempt = await begin(world)
    assert isinstance(await SCALE.apply(operation, attempt, replace(world, engines={})), ActFailed)
    world.docker.disturb("swarm_service", error=WorldError("slow"))
    assert isinstance(await SCALE.apply(operation, attempt, world), ActFailed)
    del world.docker.services[id_]
    assert isinstance(await SCALE.apply(operation, attempt, world), ActFailed)
    assert not world.docker.scaled


async def test_looks_that_fail_later_do_not_spoil_it(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2, update_seconds=10)
    operation, attempt = await begin(world)
    world.docker.later(2, lambda _: world.docker.disturb("swarm_service", error=WorldError("slow"), times=3))
    assert isinstance(await SCALE.apply(operation, attempt, world), Applied)


# Probing.


async def test_a_lost_answer_is_found_out_by_the_number(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2)
    operation, attempt = await begin(world)
    world.docker.lose_answer("scale_service", acts_after=10)
    unknown = await SCALE.apply(operation, attempt, world)
    assert isinstance(unknown, Unknown)
    attempt = replace(attempt, result=unknown.result)
    assert isinstance(await SCALE.probe(operation, attempt, world), Unknown)
    clock_of(world).advance(10)
    assert await SCALE.probe(operation, attempt, world) == Applied(result={"replicas": 3})


async def test_what_never_began_is_proven_after_its_deadline(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2)
    operation, attempt = await begin(world)
    assert isinstance(await SCALE.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    assert isinstance(await SCALE.probe(operation, attempt, world), NotApplied)
    taken = replace(attempt, result={"sent_unanswered": True})
    assert isinstance(await SCALE.probe(operation, taken, world), Unknown), "the engine may yet do it"


async def test_what_somebody_changed_meanwhile_or_removed_nobody_knows(world: SimulatedWorld) -> None:
    id_ = world.docker.add_swarm_service("web", replicas=2)
    operation, attempt = await begin(world)
    pass_deadline(world, attempt)
    world.docker.scale_by_hand("web", 7)
    assert isinstance(await SCALE.probe(operation, attempt, world), Unknown)
    del world.docker.services[id_]
    assert isinstance(await SCALE.probe(operation, attempt, world), Unknown)


# Undoing.


async def test_it_is_scaled_back_by_a_plan_of_its_own(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2)
    plan = await SCALE.plan(SWARM, {"replicas": 5}, world)
    assert isinstance(await SCALE.apply(*intent(plan, world), world), Applied)
    undo = back(plan)
    assert undo.summary == "scale back web from 5 to 2 replicas"
    assert await SCALE.apply(*intent(undo, world), world) == Applied(result={"replicas": 2, "running": 2})


async def test_what_a_person_set_meanwhile_is_not_taken_back(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=2)
    plan = await SCALE.plan(SWARM, {"replicas": 5}, world)
    assert isinstance(await SCALE.apply(*intent(plan, world), world), Applied)
    world.docker.scale_by_hand("web", 4)
    result = await SCALE.apply(*intent(back(plan), world), world)
    assert isinstance(result, ActFailed)
    assert result.result["replicas"] == 4
    assert world.docker.scaled == [("web", 5)]
