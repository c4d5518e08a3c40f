"""Whether a service is healthy: yes, no, or not to be told yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.checks.health import HealthLook, health
from remediator.model.service import Service, Target, TargetKind
from remediator.model.world import WorldError
from remediator.world.health import Health
from tests.unit.given import BARE, COMPOSE, SWARM, WEB, clock_of, uncatalogued

if TYPE_CHECKING:
    from datetime import datetime

    from remediator.world.simulated import SimulatedWorld

STEADY = timedelta(seconds=10)


async def look(world: SimulatedWorld, service: Service = WEB) -> Health:
    """What is said of its health; since when it runs has tests of its own."""
    return replace(await health(service, STEADY, world), since=None)


async def since(world: SimulatedWorld, service: Service) -> datetime | None:
    return (await health(service, STEADY, world)).since


async def test_a_passing_health_check_is_healthy(world: SimulatedWorld) -> None:
    world.docker.add_container("web", health_check=True)
    assert await look(world) == Health(healthy=True, detail="web: running, healthy")


async def test_a_failing_health_check_is_not(world: SimulatedWorld) -> None:
    world.docker.add_container("web", health_check=True)
    world.docker.breaks("web")
    assert await look(world) == Health(healthy=False, detail="web: running, unhealthy")


async def test_starting_is_neither(world: SimulatedWorld) -> None:
    world.docker.add_container("web", health_check=True, becomes_healthy_after=30)
    world.docker.restart_by_hand("web")
    assert await look(world) == Health(healthy=None, detail="web: running, starting")
    clock_of(world).advance(30)
    assert (await look(world)).healthy is True


async def test_without_a_health_check_it_has_to_run_steadily(world: SimulatedWorld) -> None:
    world.docker.add_container("web", restart_policy="always")
    world.docker.crash("web")
    clock_of(world).advance(9)
    assert await look(world) == Health(healthy=None, detail="web: running, for less than 10s")
    clock_of(world).advance(1)
    assert (await look(world)).healthy is True


async def test_steadiness_is_measured_by_the_engines_clock(world: SimulatedWorld) -> None:
    world.docker.ahead = timedelta(hours=1)
    world.docker.add_container("web", age=timedelta(seconds=5))
    assert (await look(world)).healthy is None
    clock_of(world).advance(5)
    assert (await look(world)).healthy is True


@pytest.mark.parametrize("status", ["exited", "restarting", "dead", "created", "paused", "removing"])
async def test_what_does_not_run_is_not_healthy(world: SimulatedWorld, status: str) -> None:
    world.docker.add_container("web")
    box = world.docker.box("web")
    box.seen = replace(box.seen, status=status)
    assert await look(world) == Health(healthy=False, detail=f"web: {status}")


async def test_the_exit_code_is_told(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.crash("web", out_of_memory=True)
    assert (await look(world)).detail == "web: exited 137, out of memory"


async def test_one_bad_replica_spoils_it(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=3, health_check=True)
    assert (await look(world, COMPOSE)).healthy is True
    world.docker.box("app-web-3").becomes_healthy_after = 30
    world.docker.restart_by_hand("app-web-3")
    assert (await look(world, COMPOSE)).healthy is None
    world.docker.breaks("app-web-2")
    assert await look(world, COMPOSE) == Health(healthy=False, detail="app-web-2: running, unhealthy")


async def test_no_container_at_all_is_not_healthy(world: SimulatedWorld) -> None:
    assert (await look(world)).healthy is False


async def test_what_may_not_be_looked_at_cannot_be_told(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    assert (await look(world, uncatalogued(WEB))).healthy is None
    world.docker.add_compose_service("web", project="a")
    world.docker.add_compose_service("web", project="b")
    assert (await look(world, COMPOSE)).healthy is None


async def test_an_unreadable_world_cannot_be_told(world: SimulatedWorld) -> None:
    world.docker.down = "no route"
    assert await look(world) == Health(healthy=None, detail="the engine cannot be reached: no route")
    elsewhere = Service(name="web", target=Target(kind=TargetKind.CONTAINER, name="web", engine="far"))
    assert (await look(world, elsewhere)).healthy is None


async def test_without_containers_there_is_nothing_to_tell(world: SimulatedWorld) -> None:
    assert (await look(world, BARE)).healthy is None


async def test_a_swarm_service_needs_all_its_tasks(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=3)
    assert await look(world, SWARM) == Health(healthy=True, detail="web: 3 of 3 tasks run")
    world.docker.lose_tasks("web")
    assert await look(world, SWARM) == Health(healthy=False, detail="web: 2 of 3 tasks run")


async def test_a_swarm_service_under_update_is_neither(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", update_seconds=20)
    world.docker.update_by_hand("web")
    assert (await look(world, SWARM)).healthy is None
    clock_of(world).advance(20)
    assert (await look(world, SWARM)).healthy is None  # runs, but not for long
    clock_of(world).advance(10)
    assert (await look(world, SWARM)).healthy is True


async def test_a_stuck_update_is_not_healthy(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", update_ends="paused")
    world.docker.update_by_hand("web")
    clock_of(world).advance(20)
    expected = "web: 0 of 2 tasks run, update paused: tasks keep failing"
    assert await look(world, SWARM) == Health(healthy=False, detail=expected)


async def test_a_swarm_service_scaled_to_nothing_is_not_healthy(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=0)
    assert (await look(world, SWARM)).healthy is False


async def test_the_check_is_the_same_look(world: SimulatedWorld) -> None:
    world.docker.add_container("web", age=timedelta(seconds=20))
    check = HealthLook()
    assert (await check.look(WEB, {}, world)).ok is True
    assert (await check.look(WEB, {"steady": "30s"}, world)).ok is None
    world.docker.disturb("containers", error=WorldError("slow"))
    finding = await check.look(WEB, {}, world)
    assert (finding.check, finding.ok, finding.summary) == ("health", None, "slow")


async def test_it_is_up_since_its_youngest_container_started(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=3, health_check=True)
    clock_of(world).advance(60)
    world.docker.restart_by_hand("app-web-2")
    restarted = clock_of(world).now()
    clock_of(world).advance(5)
    assert await since(world, COMPOSE) == restarted
    world.docker.breaks("app-web-1")
    assert await since(world, COMPOSE) == restarted, "whoever spoils its health"


async def test_since_when_it_is_up_is_told_by_our_clock(world: SimulatedWorld) -> None:
    world.docker.ahead = timedelta(hours=1)
    world.docker.add_container("web", age=timedelta(seconds=5))
    assert await since(world, WEB) == clock_of(world).now() - timedelta(seconds=5)


async def test_a_swarm_service_is_up_since_its_youngest_task_runs(world: SimulatedWorld) -> None:
    world.docker.ahead = timedelta(hours=1)
    world.docker.add_swarm_service("web", update_seconds=20)
    world.docker.update_by_hand("web")
    assert await since(world, SWARM) is None
    clock_of(world).advance(20)
    updated = clock_of(world).now()
    clock_of(world).advance(7)
    assert await since(world, SWARM) == updated


async def test_what_cannot_be_looked_at_is_up_since_nobody_knows_when(world: SimulatedWorld) -> None:
    assert await since(world, WEB) is None
    world.docker.add_container("web")
    world.docker.down = "no route"
    assert await since(world, WEB) is None
