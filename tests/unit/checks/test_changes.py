"""What shows a hand on a service, and what is only the engine or the program itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.actions.restart import Restart
from remediator.checks.changes import recent_changes
from remediator.model.service import Service, Target, TargetKind
from remediator.model.world import ObjectChange, WorldError
from tests.unit.given import BARE, COMPOSE, SWARM, WEB, clock_of, intent

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.world.simulated import SimulatedEngine, SimulatedWorld

WINDOW = timedelta(minutes=10)


async def changes(world: SimulatedWorld, service: Service = WEB) -> tuple[ObjectChange, ...]:
    return await recent_changes(service, (), world.clock.now() - WINDOW, world)


async def seen(world: SimulatedWorld, service: Service = WEB) -> list[str]:
    return [change.what for change in await changes(world, service)]


# What people do.


@pytest.mark.parametrize(
    ("by_hand", "expected"),
    [
        (lambda e: e.stop_by_hand("web"), ["kill", "stop"]),
        (lambda e: e.restart_by_hand("web"), ["kill", "stop", "start", "restart"]),
        (lambda e: e.signal_by_hand("web"), ["kill"]),
        (lambda e: e.pause_by_hand("web"), ["pause"]),
        (lambda e: e.recreate_by_hand("web"), ["kill", "stop", "destroy", "create", "start"]),
        (lambda e: e.remove_by_hand("web"), ["kill", "destroy"]),
    ],
    ids=["stop", "restart", "signal", "pause", "deploy", "remove"],
)
async def test_a_hand_is_seen(
    world: SimulatedWorld, by_hand: Callable[[SimulatedEngine], object], expected: list[str]
) -> None:
    world.docker.add_container("web")
    world.docker.add_container("another")
    clock_of(world).advance(3600)
    by_hand(world.docker)
    found = await changes(world)
    assert [change.what for change in found] == expected
    assert {(change.object_name, change.at) for change in found} == {("web", world.clock.now())}


async def test_a_start_by_hand_after_a_crash_is_seen(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.crash("web")
    clock_of(world).advance(60)
    world.docker.start_by_hand("web")
    assert await seen(world) == ["start"]


async def test_a_start_by_hand_is_told_from_that_of_a_restart_policy(world: SimulatedWorld) -> None:
    world.docker.add_container("web", restart_policy="on-failure:0")
    world.docker.crash("web", exit_code=0)  # which the policy leaves alone
    clock_of(world).advance(60)
    world.docker.start_by_hand("web")
    assert await seen(world) == ["start"]


async def test_what_is_older_than_asked_for_is_not_told(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.stop_by_hand("web")
    clock_of(world).advance(WINDOW.total_seconds() + 1)
    assert await seen(world) == []


async def test_the_objects_of_the_operations_count_even_when_they_are_gone(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    plan = await Restart().plan(WEB, {}, world)
    operation, _ = intent(plan, world)
    elsewhere = replace(WEB, target=replace(WEB.target, name="renamed"))
    world.docker.stop_by_hand("web")
    world.docker.remove_by_hand("web")
    since = world.clock.now() - WINDOW
    assert await recent_changes(elsewhere, (), since, world) == ()
    found = await recent_changes(elsewhere, (operation,), since, world)
    assert [change.what for change in found] == ["kill", "stop", "destroy"]


async def test_a_compose_service_that_is_scaled_down_or_deployed_is_seen(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    world.docker.add_compose_service("web", project="other")
    service = replace(COMPOSE, target=replace(COMPOSE.target, project="app"))
    world.docker.stop_by_hand("other-web-1")
    assert await seen(world, service) == []
    world.docker.remove_by_hand("app-web-2")
    assert await seen(world, service) == ["kill", "destroy"]
    world.docker.recreate_by_hand("app-web-1")
    assert {c.object_name for c in await changes(world, service)} == {"app-web-1", "app-web-2"}


async def test_a_persons_own_task_is_not_the_service(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web")
    world.docker.add_compose_service("web", project="app-run", labels={"com.docker.compose.oneoff": "True"})
    world.docker.recreate_by_hand("app-run-web-1")
    assert await seen(world, COMPOSE) == []


async def test_containers_are_known_by_their_label(world: SimulatedWorld) -> None:
    service = Service(name="front", target=Target(kind=TargetKind.LABEL, name="tier=front"))
    world.docker.add_container("one", labels={"tier": "front"})
    world.docker.add_container("two", labels={"tier": "back"})
    world.docker.remove_by_hand("one")
    world.docker.remove_by_hand("two")
    assert {c.object_name for c in await changes(world, service)} == {"one"}


# What nobody did.


@pytest.mark.parametrize("policy", ["no", "always", "on-failure:3", "unless-stopped"])
async def test_a_crash_is_no_hand(world: SimulatedWorld, policy: str) -> None:
    world.docker.add_container("web", restart_policy=policy)
    for _ in range(3):
        clock_of(world).advance(5)
        if world.docker.box("web").seen.running:
            world.docker.crash("web", exit_code=1)
    assert await seen(world) == []


@pytest.mark.parametrize("policy", ["no", "always"])
async def test_running_out_of_memory_is_no_hand(world: SimulatedWorld, policy: str) -> None:
    world.docker.add_container("web", restart_policy=policy)
    world.docker.crash("web", out_of_memory=True)
    assert await seen(world) == []


async def test_a_failing_health_check_is_no_hand(world: SimulatedWorld) -> None:
    world.docker.add_container("web", health_check=True)
    world.docker.breaks("web")
    assert await seen(world) == []


async def test_an_engine_that_has_just_started_with_all_its_containers_is_no_hand(
    world: SimulatedWorld,
) -> None:
    world.docker.add_container("web", restart_policy="always")
    world.docker.forget()
    clock_of(world).advance(1)
    # The engine's start begins the history: the container starts without having ended in it.
    world.docker.start_by_hand("web")
    assert await seen(world) == []


# What the history does not reach.


async def forgotten(world: SimulatedWorld) -> list[str]:
    """What is seen a minute later, when the engine remembers nothing of before."""
    world.docker.forget()
    clock_of(world).advance(60)
    return await seen(world)


async def test_nothing_happened_and_nothing_is_remembered(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    assert await forgotten(world) == []


async def test_a_deploy_shows_in_the_state(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.recreate_by_hand("web")
    clock_of(world).advance(1)
    assert await forgotten(world) == ["create", "start"]


async def test_a_restart_by_hand_shows_in_the_state(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.restart_by_hand("web")
    clock_of(world).advance(1)
    assert await forgotten(world) == ["start"]


async def test_a_pause_shows_in_the_state_without_its_time(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.pause_by_hand("web")
    clock_of(world).advance(1)
    await forgotten(world)
    (change,) = await changes(world)
    assert (change.what, change.at) == ("pause", None)


@pytest.mark.parametrize("policy", ["no", "always"])
async def test_a_stop_shows_in_the_state_with_its_time(world: SimulatedWorld, policy: str) -> None:
    world.docker.add_container("web", restart_policy=policy)
    stopped_at = world.clock.now()
    world.docker.stop_by_hand("web")
    clock_of(world).advance(1)
    await forgotten(world)
    (change,) = await changes(world)
    assert (change.what, change.at) == ("stopped on purpose", stopped_at)


@pytest.mark.parametrize(
    ("policy", "exit_code", "out_of_memory", "on_purpose"),
    [
        ("no", 1, False, False),
        ("no", 139, False, False),
        ("no", 137, True, False),
        ("no", 137, False, True),
        ("no", 143, False, True),
        ("no", 0, False, True),
        ("on-failure:3", 1, False, False),
    ],
)
async def test_a_crash_before_the_history_is_told_from_a_stop(
    world: SimulatedWorld, policy: str, exit_code: int, out_of_memory: bool, on_purpose: bool
) -> None:
    world.docker.add_container("web")
    world.docker.crash("web", exit_code=exit_code, out_of_memory=out_of_memory)
    box = world.docker.box("web")
    box.seen = replace(box.seen, restart_policy=policy)
    clock_of(world).advance(1)
    assert await forgotten(world) == (["stopped on purpose"] if on_purpose else [])


async def test_restarts_by_policy_before_the_history_are_no_hand(world: SimulatedWorld) -> None:
    world.docker.add_container("web", restart_policy="always")
    world.docker.crash("web")
    clock_of(world).advance(1)
    assert await forgotten(world) == []


async def test_what_the_history_tells_is_not_told_again_by_the_state(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.forget()
    clock_of(world).advance(1)
    world.docker.stop_by_hand("web")
    assert await seen(world) == ["kill", "stop"]


async def test_once_watched_for_long_enough_the_state_says_nothing_more(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.pause_by_hand("web")
    clock_of(world).advance(1)
    world.docker.forget()
    clock_of(world).advance(WINDOW.total_seconds())
    assert await seen(world) == []


# Swarm.


async def test_a_change_to_a_swarm_service_is_seen_once(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", update_seconds=5)
    world.docker.add_swarm_service("another")
    begun = world.clock.now()
    world.docker.update_by_hand("web")
    world.docker.update_by_hand("another")
    clock_of(world).advance(60)
    (change,) = await changes(world, SWARM)
    assert (change.object_name, change.what, change.at) == ("web", "update", begun)


async def test_scaling_is_seen(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web")
    world.docker.scale_by_hand("web", 5)
    assert await seen(world, SWARM) == ["update"]


async def test_a_roll_back_is_seen_but_not_its_progress(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", update_ends="rollback_started")
    world.docker.update_by_hand("web")
    clock_of(world).advance(60)
    assert await seen(world, SWARM) == ["update", "update"]


async def test_a_forgotten_update_shows_in_the_state(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web")
    world.docker.update_by_hand("web")
    clock_of(world).advance(30)
    await world.docker.swarm_service("web")
    world.docker.forget()
    clock_of(world).advance(30)
    assert await seen(world, SWARM) == ["update"]
    clock_of(world).advance(WINDOW.total_seconds())
    assert await seen(world, SWARM) == []


async def test_a_swarm_service_that_is_gone_has_no_state(world: SimulatedWorld) -> None:
    assert await seen(world, SWARM) == []


# Clocks, and what cannot be read.


@pytest.mark.parametrize("minutes", [-45, 45])
async def test_times_are_told_by_our_clock(world: SimulatedWorld, minutes: int) -> None:
    world.docker.ahead = timedelta(minutes=minutes)
    world.docker.add_container("web")
    world.docker.stop_by_hand("web")
    stopped_at = world.clock.now()
    clock_of(world).advance(60)
    found = await changes(world)
    assert [(change.what, change.at) for change in found] == [("kill", stopped_at), ("stop", stopped_at)]
    clock_of(world).advance(WINDOW.total_seconds())
    assert await changes(world) == ()


async def test_a_service_without_containers_has_no_objects(world: SimulatedWorld) -> None:
    world.docker.down = "nobody may ask"
    assert await changes(world, BARE) == ()


@pytest.mark.parametrize("question", ["ping", "history", "containers"])
async def test_what_cannot_be_read_is_an_error(world: SimulatedWorld, question: str) -> None:
    world.docker.add_container("web")
    world.docker.disturb(question, error=WorldError("no answer"))
    with pytest.raises(WorldError, match="no answer"):
        await changes(world)


async def test_an_engine_that_is_not_configured_is_an_error(world: SimulatedWorld) -> None:
    with pytest.raises(WorldError, match="no engine 'local'"):
        await recent_changes(WEB, (), world.clock.now(), replace(world, engines={}))
