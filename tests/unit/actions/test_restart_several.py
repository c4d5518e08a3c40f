"""`restart` of some of several containers: one by one while they stay well, or only the hungriest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from remediator.actions.restart import Restart, RestartParams
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from remediator.world.simulated.containers import NEXT_TO_NOTHING
from tests.unit.given import COMPOSE, SWARM, WEB, clock_of, intent, pass_deadline

if TYPE_CHECKING:
    from remediator.model.plan import Operation
    from remediator.model.run import Attempt
    from remediator.world.simulated import SimulatedWorld

RESTART = Restart()


async def begin(world: SimulatedWorld, **params: Any) -> tuple[Operation, Attempt]:
    """Two replicas with health checks, and the intent to restart the first."""
    world.docker.add_compose_service("web", replicas=2, health_check=True)
    return intent(await RESTART.plan(COMPOSE, params, world), world)


# One by one.


async def test_the_time_for_each_but_the_last_covers_the_wait(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    plan = await RESTART.plan(COMPOSE, {"healthy_within": "5m"}, world)
    first, last = plan.operations
    assert first.timeout - last.timeout == timedelta(minutes=5)
    assert (first.change, last.change) == ({"healthy_within": 300.0}, {})


async def test_without_rolling_nothing_is_waited_for(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    plan = await RESTART.plan(COMPOSE, {"rolling": False}, world)
    assert [o.change for o in plan.operations] == [{}, {}]
    assert plan.summary == "restart 2 containers, one by one: app-web-1, app-web-2"


@pytest.mark.parametrize("within", ["0s", "16m", "soon"])
def test_the_wait_is_bounded(within: str) -> None:
    with pytest.raises(ValidationError):
        RestartParams(healthy_within=within)


async def test_it_is_done_when_the_container_is_healthy_again(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world)
    world.docker.box("app-web-1").becomes_healthy_after = 30
    assert isinstance(await RESTART.apply(operation, attempt, world), Applied)
    assert world.clock.now() - attempt.intent_at == timedelta(seconds=30)
    assert world.docker.restarts == ["app-web-1"]


async def test_without_a_health_check_it_has_to_run_for_a_while(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    operation, attempt = intent(await RESTART.plan(COMPOSE, {}, world), world)
    assert isinstance(await RESTART.apply(operation, attempt, world), Applied)
    assert world.clock.now() - attempt.intent_at == timedelta(seconds=10)


async def test_one_that_stays_ill_ends_it(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world, healthy_within="1m")
    world.docker.breaks("app-web-1", incurable=True)
    result = await RESTART.apply(operation, attempt, world)
    assert isinstance(result, ActFailed)
    assert result.result["error"] == (
        "restarted, but not healthy again within 1m (app-web-1: running, unhealthy); the rest is left alone"
    )
    assert world.clock.now() - attempt.intent_at == timedelta(minutes=1)


async def test_one_that_still_starts_is_for_the_probe(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world)
    world.docker.box("app-web-1").becomes_healthy_after = 150
    assert isinstance(await RESTART.apply(operation, attempt, world), Unknown)
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)
    clock_of(world).advance(30)
    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)


async def test_one_that_is_removed_meanwhile_ends_it(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world)
    world.docker.box("app-web-1").becomes_healthy_after = 30
    world.docker.later(5, lambda _: world.docker.remove_by_hand("app-web-1"))
    assert isinstance(await RESTART.apply(operation, attempt, world), ActFailed)


@pytest.mark.parametrize("ill", [False, True])
async def test_after_a_crash_the_next_one_has_to_wait_as_well(world: SimulatedWorld, ill: bool) -> None:
    operation, attempt = await begin(world)
    box = world.docker.box("app-web-1")
    box.becomes_healthy_after = 60
    await world.docker.restart_container(box.seen.id, 10)
    if ill:
        world.docker.breaks("app-web-1", incurable=True)
    early = await RESTART.probe(operation, attempt, world)
    assert isinstance(early, Unknown)
    assert "restarted, and not healthy again so far" in early.result["error"]
    pass_deadline(world, attempt)
    late = await RESTART.probe(operation, attempt, world)
    assert isinstance(late, ActFailed if ill else Applied)


async def test_a_crash_before_the_restart_is_no_failure_of_health(world: SimulatedWorld) -> None:
    operation, attempt = await begin(world)
    pass_deadline(world, attempt)
    assert isinstance(await RESTART.probe(operation, attempt, world), NotApplied)


# Only the one that uses most memory.


def uses(world: SimulatedWorld, name: str, memory: int | None) -> None:
    world.docker.box(name).usage = replace(NEXT_TO_NOTHING, memory=memory)


async def test_the_one_that_uses_most_memory_is_pinned(world: SimulatedWorld) -> None:
    ids = world.docker.add_compose_service("web", replicas=3)
    uses(world, "app-web-2", 700 << 20)
    uses(world, "app-web-3", 300 << 20)
    plan = await RESTART.plan(COMPOSE, {"only": "most_memory"}, world)
    assert [(o.object_id, o.change) for o in plan.operations] == [(ids[1], {})]
    assert plan.summary == "restart app-web-2, which uses most memory of 3 that run (700 MiB)"
    digest = plan.digest("1")
    uses(world, "app-web-2", 701 << 20)
    assert (await RESTART.plan(COMPOSE, {"only": "most_memory"}, world)).digest("1") == digest


async def test_what_does_not_run_uses_nothing(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    uses(world, "app-web-1", 700 << 20)
    world.docker.crash("app-web-1")
    plan = await RESTART.plan(COMPOSE, {"only": "most_memory"}, world)
    assert [o.object_name for o in plan.operations] == ["app-web-2"]
    world.docker.crash("app-web-2")
    with pytest.raises(TargetError, match="none uses most memory") as caught:
        await RESTART.plan(COMPOSE, {"only": "most_memory"}, world)
    assert caught.value.reason is Reason.NO_TARGET


async def test_equals_are_told_apart_by_name(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    plan = await RESTART.plan(COMPOSE, {"only": "most_memory"}, world)
    assert [o.object_name for o in plan.operations] == ["app-web-1"]


async def test_what_cannot_be_compared_is_not_guessed(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    uses(world, "app-web-2", None)
    with pytest.raises(WorldError, match="app-web-2"):
        await RESTART.plan(COMPOSE, {"only": "most_memory"}, world)


async def test_there_is_no_other_way_to_choose() -> None:
    with pytest.raises(ValidationError):
        RestartParams.model_validate({"only": "most_cpu"})


# Swarm sees to its tasks itself.


@pytest.mark.parametrize("params", [{"rolling": False}, {"only": "most_memory"}])
async def test_swarm_has_an_order_of_its_own(world: SimulatedWorld, params: dict[str, Any]) -> None:
    world.docker.add_swarm_service("web")
    with pytest.raises(TargetError) as caught:
        await RESTART.plan(SWARM, params, world)
    assert caught.value.reason is Reason.INVALID_PARAMS
    assert len((await RESTART.plan(SWARM, {"rolling": True}, world)).operations) == 1


async def test_one_container_is_the_last_one(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    plan = await RESTART.plan(WEB, {"rolling": True}, world)
    assert [o.change for o in plan.operations] == [{}]
    assert plan.summary == "restart web"
