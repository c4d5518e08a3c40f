"""`restart` of a Swarm service: a forced update until it converges, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.actions.restart import LONGEST, Restart
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from tests.unit.given import SWARM, clock_of, intent, pass_deadline

if TYPE_CHECKING:
    from remediator.model.plan import Operation
    from remediator.model.run import Attempt
    from remediator.world.simulated import SimulatedWorld

RESTART = Restart()


async def begin(world: SimulatedWorld) -> tuple[Operation, Attempt]:
    return intent(await RESTART.plan(SWARM, {}, world), world)


async def test_one_operation_for_the_whole_service(world: SimulatedWorld) -> None:
    service_id = world.docker.add_swarm_service("web")
    plan = await RESTART.plan(SWARM, {}, world)
    (operation,) = plan.operations
    assert (operation.kind, operation.object_id, operation.change) == ("service.force_update", service_id, {})
    assert operation.before == {"engine": "local", "version": 10, "force_update": 0}
    assert plan.summary == "restart all tasks of the Swarm service web"


async def test_a_stop_timeout_cannot_be_given(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web")
    with pytest.raises(TargetError, match="stop grace period") as caught:
        await RESTART.plan(SWARM, {"timeout": "5s"}, world)
    assert caught.value.reason is Reason.INVALID_PARAMS


@pytest.mark.parametrize(("replicas", "parallelism", "batches"), [(1, 1, 1), (6, 2, 3), (7, 2, 4), (9, 0, 1)])
async def test_the_time_grows_with_the_batches(
    world: SimulatedWorld, replicas: int, parallelism: int, batches: int
) -> None:
    id_ = world.docker.add_swarm_service("web", replicas=replicas)
    service = world.docker.services[id_]
    world.docker.services[id_] = replace(
        service, update_parallelism=parallelism, update_pause=30.0, stop_timeout=45
    )
    (operation,) = (await RESTART.plan(SWARM, {}, world)).operations
    assert operation.timeout > batches * timedelta(seconds=75)
    assert operation.timeout < (batches + 1) * timedelta(seconds=140)


async def test_the_time_is_bounded(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=1000)
    (operation,) = (await RESTART.plan(SWARM, {}, world)).operations
    assert operation.timeout == LONGEST < timedelta(hours=1)


async def test_it_waits_until_all_tasks_are_replaced(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=3, update_seconds=20)
    operation, attempt = await begin(world)
    result = await RESTART.apply(operation, attempt, world)
    assert result == Applied(result={"force_update": 1, "running": 3})
    assert world.clock.now() - attempt.intent_at >= timedelta(seconds=20)
    assert world.docker.restarts == ["web"]


async def test_the_end_of_an_earlier_update_is_not_taken_for_this_one(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", update_seconds=20)
    world.docker.update_by_hand("web")
    clock_of(world).advance(20)
    operation, attempt = await begin(world)
    await RESTART.apply(operation, attempt, world)
    assert world.clock.now() - attempt.intent_at >= timedelta(seconds=20)


@pytest.mark.parametrize("state", ["paused", "rollback_paused", "rollback_completed"])
async def test_an_update_that_swarm_gives_up_has_failed(world: SimulatedWorld, state: str) -> None:
    world.docker.add_swarm_service("web", update_ends=state)
    operation, attempt = await begin(world)
    result = await RESTART.apply(operation, attempt, world)
    assert isinstance(result, ActFailed)
    assert result.result["error"] == f"update {state}, 0 of 2 tasks replaced: tasks keep failing"


async def test_an_update_that_takes_too_long_is_left_to_the_verification(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", update_seconds=7200)
    operation, attempt = await begin(world)
    result = await RESTART.apply(operation, attempt, world)
    assert result == Applied(
        result={"converged": False, "last_seen": "update updating, 0 of 2 tasks replaced"}
    )
    assert world.clock.now() < attempt.deadline


async def test_a_service_removed_meanwhile_has_failed(world: SimulatedWorld) -> None:
    id_ = world.docker.add_swarm_service("web", update_seconds=20)
    operation, attempt = await begin(world)
    world.docker.later(5, lambda _: world.docker.services.pop(id_))
    assert isinstance(await RESTART.apply(operation, attempt, world), ActFailed)


async def test_looks_that_fail_do_not_spoil_it(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web")
    operation, attempt = await begin(world)
    world.docker.disturb("swarm_service", error=WorldError("slow"), times=3)
    assert isinstance(await RESTART.apply(operation, attempt, world), Applied)


async def test_a_service_that_somebody_changed_since_the_plan_is_left_alone(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web")
    operation, attempt = await begin(world)
    world.docker.update_by_hand("web")
    assert isinstance(await RESTART.apply(operation, attempt, world), ActFailed)
    assert not world.docker.restarts


async def test_a_lost_answer_is_found_out_by_the_counter(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web")
    operation, attempt = await begin(world)
    world.docker.lose_answer("force_update", acts_after=10)
    assert isinstance(await RESTART.apply(operation, attempt, world), Unknown)
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)
    clock_of(world).advance(10)
    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)


async def test_one_that_never_began_is_found_out_after_the_deadline(world: SimulatedWorld) -> None:
    id_ = world.docker.add_swarm_service("web")
    operation, attempt = await begin(world)
    pass_deadline(world, attempt)
    assert isinstance(await RESTART.probe(operation, attempt, world), NotApplied)
    del world.docker.services[id_]
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)
