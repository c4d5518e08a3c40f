"""`restart` of containers: what is planned, done, and found out afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from remediator.actions.restart import Restart, RestartParams
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError, Unknown, WorldError
from tests.unit.given import BARE, COMPOSE, WEB, clock_of, intent, pass_deadline, uncatalogued

if TYPE_CHECKING:
    from remediator.model.plan import Operation
    from remediator.model.run import Attempt
    from remediator.world.simulated import SimulatedWorld

RESTART = Restart()


async def begin(world: SimulatedWorld, number: int = 0) -> tuple[Operation, Attempt]:
    """A plan for the container `web`, and the intent to carry it out."""
    return intent(await RESTART.plan(WEB, {}, world), world, number)


# Planning.


async def test_each_container_is_an_operation_in_the_order_of_names(world: SimulatedWorld) -> None:
    ids = world.docker.add_compose_service("web", replicas=3)
    plan = await RESTART.plan(COMPOSE, {"timeout": None}, world)
    assert [(o.kind, o.object_id, o.object_name, o.change) for o in plan.operations] == [
        ("container.restart", id_, f"app-web-{number}", {"healthy_within": 120.0} if number < 3 else {})
        for number, id_ in enumerate(ids, start=1)
    ]
    assert plan.summary == (
        "restart 3 containers, one by one, each healthy within 2m before the next: "
        "app-web-1, app-web-2, app-web-3"
    )


async def test_what_flickers_is_not_in_the_digest(world: SimulatedWorld) -> None:
    world.docker.add_container("web", restart_policy="always")
    first = await RESTART.plan(WEB, {}, world)
    clock_of(world).advance(60)
    world.docker.crash("web")
    second = await RESTART.plan(WEB, {}, world)
    assert first.operations[0].before != second.operations[0].before
    assert first.digest("1") == second.digest("1")
    world.docker.recreate_by_hand("web")
    assert (await RESTART.plan(WEB, {}, world)).digest("1") != first.digest("1")


async def test_the_time_is_longer_than_the_stop_grace_period(world: SimulatedWorld) -> None:
    world.docker.add_container("web", stop_timeout=120)
    (operation,) = (await RESTART.plan(WEB, {}, world)).operations
    assert operation.timeout > timedelta(seconds=120)
    (operation,) = (await RESTART.plan(WEB, {"timeout": "5m"}, world)).operations
    assert operation.timeout > timedelta(minutes=5)
    assert operation.change == {"stop_timeout": 300}


@pytest.mark.parametrize("timeout", ["31m", "1500ms", "-1s", "soon", "5"])
def test_a_stop_timeout_is_whole_seconds_and_bounded(timeout: str) -> None:
    with pytest.raises(ValidationError):
        RestartParams(timeout=timeout)


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        RestartParams.model_validate({"containers": ["web"]})


async def test_stored_parameters_of_another_version_do_not_fit(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    with pytest.raises(TargetError, match="retries") as caught:
        await RESTART.plan(WEB, {"retries": 3}, world)
    assert caught.value.reason is Reason.INVALID_PARAMS


async def test_targets_that_must_not_be_touched_are_refused(world: SimulatedWorld) -> None:
    with pytest.raises(TargetError) as caught:
        await RESTART.plan(WEB, {}, world)
    assert caught.value.reason is Reason.NO_TARGET
    with pytest.raises(TargetError) as caught:
        await RESTART.plan(BARE, {}, world)
    assert caught.value.reason is Reason.NO_TARGET
    own = world.docker.add_container("web")
    with pytest.raises(TargetError) as caught:
        await RESTART.plan(uncatalogued(WEB), {}, world)
    assert caught.value.reason is Reason.NOT_ALLOWED
    with pytest.raises(TargetError) as caught:
        await RESTART.plan(WEB, {}, replace(world, own_container_id=own[:12]))
    assert caught.value.reason is Reason.OWN_CONTAINER


async def test_an_engine_that_is_down_is_said_so(world: SimulatedWorld) -> None:
    world.docker.down = "no such socket"
    with pytest.raises(WorldError, match="no such socket"):
        await RESTART.plan(WEB, {}, world)


# Applying.


@pytest.mark.parametrize("crashed", [False, True])
async def test_it_restarts_exactly_the_planned_container(world: SimulatedWorld, crashed: bool) -> None:
    world.docker.add_compose_service("web", replicas=2)
    if crashed:
        world.docker.crash("app-web-2")
    plan = await RESTART.plan(COMPOSE, {}, world)
    operation, attempt = intent(plan, world, number=1)
    result = await RESTART.apply(operation, attempt, world)
    assert result == Applied(result={"started_at": world.clock.now().isoformat()})
    assert world.docker.restarts == ["app-web-2"]


async def test_the_stop_timeout_is_handed_on(world: SimulatedWorld) -> None:
    world.docker.add_container("web", stops_after=3600, stop_timeout=7)
    for params, seconds in (({}, 7), ({"timeout": "0s"}, 0), ({"timeout": "20s"}, 20)):
        operation, attempt = intent(await RESTART.plan(WEB, params, world), world)
        assert isinstance(await RESTART.apply(operation, attempt, world), Applied)
        assert world.clock.now() - attempt.intent_at == timedelta(seconds=seconds)


async def test_a_refusal_is_a_failure(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    world.docker.down = "connection refused"
    refused = await RESTART.apply(operation, attempt, world)
    assert refused == ActFailed(result={"error": "the engine cannot be reached: connection refused"})


async def test_a_container_that_is_gone_is_a_failure(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    world.docker.recreate_by_hand("web")
    assert isinstance(await RESTART.apply(operation, attempt, world), ActFailed)
    assert not world.docker.restarts


async def test_an_engine_that_is_no_longer_configured_is_a_failure(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    result = await RESTART.apply(operation, attempt, replace(world, engines={}))
    assert isinstance(result, ActFailed)


async def test_a_lost_answer_leaves_the_outcome_open(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    world.docker.lose_answer("restart_container")
    assert isinstance(await RESTART.apply(operation, attempt, world), Unknown)
    world.docker.disturb("restart_container", error=WorldError("connection reset"))
    result = await RESTART.apply(operation, attempt, world)
    assert result == Unknown(result={"error": "connection reset"})


async def test_that_it_cannot_be_seen_afterwards_makes_it_no_less_done(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    world.docker.disturb("container", error=WorldError("slow"))
    assert await RESTART.apply(operation, attempt, world) == Applied()


# Probing.


async def test_a_restart_that_happened_is_found_at_once(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    world.docker.lose_answer("restart_container")
    await RESTART.apply(operation, attempt, world)
    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)


async def test_nothing_is_proven_before_the_deadline(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    world.docker.lose_answer("restart_container", acts_after=30)
    await RESTART.apply(operation, attempt, world)
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)


async def test_one_that_never_began_is_found_out_after_the_deadline(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.crash("web")
    operation, attempt = await begin(world)
    clock_of(world).advance(1)
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    assert await RESTART.probe(operation, attempt, world) == NotApplied()


async def test_a_cancelled_act_is_the_engines_to_finish(world: SimulatedWorld) -> None:
    world.docker.add_container("web", stops_after=5)
    operation, attempt = await begin(world)
    act = asyncio.create_task(RESTART.apply(operation, attempt, world))
    await asyncio.sleep(0)
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    clock_of(world).advance(5)
    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)


async def test_a_probe_that_cannot_read_says_so(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    pass_deadline(world, attempt)
    world.docker.down = "no route"
    with pytest.raises(WorldError, match="no route"):
        await RESTART.probe(operation, attempt, world)
    assert isinstance(await RESTART.probe(operation, attempt, replace(world, engines={})), Unknown)


async def test_a_restart_policy_is_not_taken_for_us(world: SimulatedWorld) -> None:
    world.docker.add_container("web", restart_policy="always")
    operation, attempt = await begin(world)
    clock_of(world).advance(5)
    world.docker.crash("web")
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    assert isinstance(await RESTART.probe(operation, attempt, world), NotApplied)


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_start_before_the_intent_is_not_taken_for_us(world: SimulatedWorld, forgotten: bool) -> None:
    world.docker.add_container("web")
    plan = await RESTART.plan(WEB, {}, world)
    clock_of(world).advance(60)
    world.docker.restart_by_hand("web")
    clock_of(world).advance(60)
    operation, attempt = intent(plan, world)
    pass_deadline(world, attempt)
    if forgotten:
        world.docker.forget()
    assert isinstance(await RESTART.probe(operation, attempt, world), NotApplied)


@pytest.mark.parametrize("restarted", [True, False])
async def test_the_history_tells_of_a_container_that_is_gone(world: SimulatedWorld, restarted: bool) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    if restarted:
        await RESTART.apply(operation, attempt, world)
    clock_of(world).advance(5)
    world.docker.remove_by_hand("web")
    early = await RESTART.probe(operation, attempt, world)
    assert isinstance(early, Applied if restarted else Unknown)
    pass_deadline(world, attempt)
    late = await RESTART.probe(operation, attempt, world)
    assert isinstance(late, Applied if restarted else NotApplied)


async def test_gone_and_forgotten_is_for_a_person(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    world.docker.remove_by_hand("web")
    pass_deadline(world, attempt)
    world.docker.forget()
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)


async def test_without_history_the_restart_count_tells(world: SimulatedWorld) -> None:
    world.docker.add_container("web", restart_policy="always")
    operation, attempt = await begin(world)
    await RESTART.apply(operation, attempt, world)
    pass_deadline(world, attempt)
    world.docker.forget()
    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)
    world.docker.crash("web")
    world.docker.forget()
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)


async def test_another_clock_at_the_engine_misleads_nobody(world: SimulatedWorld) -> None:
    world.docker.ahead = timedelta(minutes=-30)
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    await RESTART.apply(operation, attempt, world)
    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)


@pytest.mark.parametrize(("stopped_after", "by_us"), [(1, True), (40, False)])
async def test_stopped_but_never_started_again_is_said(
    world: SimulatedWorld, stopped_after: float, by_us: bool
) -> None:
    # Some engines stop the container, and do not start it when their client has gone meanwhile.
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    clock_of(world).advance(stopped_after)
    world.docker.stop_by_hand("web")
    pass_deadline(world, attempt)
    result = await RESTART.probe(operation, attempt, world)
    assert isinstance(result, NotApplied)
    assert result.result.get("half_done", False) is by_us


async def test_a_crash_during_the_act_is_not_half_done(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    operation, attempt = await begin(world)
    clock_of(world).advance(1)
    world.docker.crash("web")
    pass_deadline(world, attempt)
    assert await RESTART.probe(operation, attempt, world) == NotApplied()


def test_nothing_takes_a_restart_back() -> None:
    assert not RESTART.reversible
