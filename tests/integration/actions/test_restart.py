"""`restart`, health and what others changed, on a real engine."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.actions.restart import Restart
from remediator.checks.changes import recent_changes
from remediator.checks.health import health
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Reason
from remediator.model.world import Applied, NotApplied, TargetError, Unknown
from remediator.world.targets import find_service
from tests.lab.compose import Compose
from tests.lab.wait import until
from tests.unit.given import intent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from remediator.model.plan import Operation
    from remediator.model.run import Attempt
    from remediator.world.base import World
    from tests.lab.container import ServiceContainer
    from tests.lab.engine import Engine

pytestmark = pytest.mark.docker

RESTART = Restart()
STEADY = timedelta(seconds=1)
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"

# Found by name among everything on the engine, so nobody else's may be called the same.
WEB, DB = (f"{name}-{secrets.token_hex(3)}" for name in ("web", "db"))


async def seen(world: World, service: Service, since: datetime) -> list[str]:
    return [change.what for change in await recent_changes(service, (), since, world)]


async def healthy(world: World, service: Service) -> bool:
    return (await health(service, STEADY, world)).healthy is True


async def begin(world: World, service: Service, number: int = 0) -> tuple[Operation, Attempt]:
    return intent(await RESTART.plan(service, {}, world), world, number)


async def test_a_crashed_container_is_restarted(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service()
    service = await find_service(container.name, {}, world)
    assert service == Service(
        name=container.name, target=Target(kind=TargetKind.CONTAINER, name=container.name), catalogued=False
    )
    assert await healthy(world, service)

    before = world.clock.now()
    container.crash()
    assert (await health(service, STEADY, world)).healthy is False
    assert await seen(world, service, before) == [], "a crash is nobody's hand"

    operation, attempt = await begin(world, service)
    result = await RESTART.apply(operation, attempt, world)
    assert isinstance(result, Applied)
    assert container.started_at().startswith(result.result["started_at"][:23])
    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)
    await until(lambda: healthy(world, service), 30, "health after the restart")
    mine = await recent_changes(service, (), before, world)
    assert {change.what for change in mine} == {"start", "restart"}
    assert all(change.at is not None and change.at >= attempt.intent_at for change in mine)


async def test_a_running_container_is_stopped_first(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service()
    service = await find_service(container.name, {}, world)
    started = container.started_at()
    operation, attempt = await begin(world, service)
    assert isinstance(await RESTART.apply(operation, attempt, world), Applied)
    assert container.started_at() != started
    assert {"kill", "stop", "restart"} <= set(await seen(world, service, attempt.intent_at))


async def test_a_compose_service_is_restarted_one_by_one(
    world: World, docker_engine: Engine, service_image: str, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yml"
    file.write_text(
        "services:\n"
        f"  {WEB}:\n"
        f"    image: {service_image}\n"
        "    scale: 2\n"
        "    healthcheck: {test: [CMD, 'true'], interval: 1s}\n"
        "    labels: {remediator.enable: 'true'}\n"
        f"  {DB}:\n"
        f"    image: {service_image}\n"
    )
    project = f"remediator-{secrets.token_hex(3)}"
    compose = Compose(docker_engine, project, file)
    service = Service(name=WEB, target=Target(kind=TargetKind.COMPOSE_SERVICE, name=WEB, project=project))
    before = world.clock.now()
    try:
        compose.up()
        assert {"create", "start"} <= set(await seen(world, service, before)), "a deploy is somebody's hand"

        plan = await RESTART.plan(service, {"timeout": "5s"}, world)
        assert [o.object_name for o in plan.operations] == [f"{project}-{WEB}-1", f"{project}-{WEB}-2"]
        for number in range(2):
            assert isinstance(await RESTART.apply(*intent(plan, world, number), world), Applied)
            if number == 0:
                assert await healthy(world, service), "the next one begins when the first is well again"
        await until(lambda: healthy(world, service), 30, "health of both replicas")

        hungry = await RESTART.plan(service, {"only": "most_memory"}, world)
        assert [o.object_id in {o.object_id for o in plan.operations} for o in hungry.operations] == [True]
        assert "which uses most memory of 2 that run" in hungry.summary

        found = await find_service(WEB, {}, world)
        assert found == replace(service, catalogued=False)
        assert len((await RESTART.plan(found, {}, world)).operations) == 2
        with pytest.raises(TargetError) as caught:
            await RESTART.plan(await find_service(DB, {}, world), {}, world)
        assert caught.value.reason is Reason.NOT_ALLOWED

        scaled = world.clock.now()
        compose.run("up", "--detach", "--no-build", f"--scale={WEB}=1")
        assert "destroy" in await seen(world, service, scaled)
    finally:
        compose.down()


async def test_only_what_is_labelled_or_listed_may_be_touched(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service(labels={})
    found = await find_service(container.name, {}, world)
    with pytest.raises(TargetError) as caught:
        await RESTART.plan(found, {}, world)
    assert caught.value.reason is Reason.NOT_ALLOWED
    listed = {container.name: replace(found, catalogued=True)}
    service = await find_service(container.name, listed, world)
    assert len((await RESTART.plan(service, {}, world)).operations) == 1


async def test_the_own_container_is_refused(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service()
    service = await find_service(container.name, {}, world)
    own = str(container.container.id)
    for known_as in (own, own[:12]):
        with pytest.raises(TargetError) as caught:
            await RESTART.plan(service, {}, replace(world, own_container_id=known_as))
        assert caught.value.reason is Reason.OWN_CONTAINER


async def test_a_stop_by_hand_is_seen_as_a_change(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service()
    service = await find_service(container.name, {}, world)
    before = world.clock.now()
    container.container.stop()
    changes = await recent_changes(service, (), before, world)
    assert {change.what for change in changes} == {"kill", "stop"}
    assert all(change.at is not None and before <= change.at <= world.clock.now() for change in changes)


async def test_restarts_by_policy_are_not_seen_as_changes(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service(restart_policy={"Name": "always"})
    service = await find_service(container.name, {}, world)
    before, started = world.clock.now(), container.started_at()
    container.post("/crash")
    await until(lambda: container.started_at() != started and container.healthy(), 30, "the policy's restart")
    assert await seen(world, service, before) == []


async def test_an_act_that_is_cut_off_is_found_out(
    world: World, start_service: Callable[..., ServiceContainer], docker_engine: Engine, service_image: str
) -> None:
    """The daemon dies while the engine still waits for the program to stop."""
    client = docker_engine.client()
    name = f"deaf-{secrets.token_hex(4)}"
    container = client.containers.run(
        service_image,
        entrypoint=["python3", "-c", DEAF],
        name=name,
        labels={"remediator.enable": "true"},
        healthcheck={"test": ["NONE"]},
        detach=True,
    )
    try:
        await until(lambda: b"ready" in container.logs(), 30, "the program")
        service = await find_service(name, {}, world)
        plan = await RESTART.plan(service, {"timeout": "3s"}, world)
        operation, attempt = intent(plan, world)

        act = asyncio.create_task(RESTART.apply(operation, attempt, world))
        await until(lambda: _kills(world, service, attempt), 30, "the engine's first signal")
        act.cancel()
        with pytest.raises(asyncio.CancelledError):
            await act
        first = await RESTART.probe(operation, attempt, world)
        assert isinstance(first, Unknown | Applied)
        await until(lambda: _applied(world, operation, attempt), 30, "the end of the restart")
        assert (await seen(world, service, attempt.intent_at)).count("restart") == 1
    finally:
        container.remove(force=True)
        client.close()


async def test_an_act_that_never_began_is_proven_after_its_deadline(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service()
    operation, attempt = await begin(world, await find_service(container.name, {}, world))
    assert isinstance(await RESTART.probe(operation, attempt, world), Unknown)
    late = replace(attempt, deadline=world.clock.now())
    assert isinstance(await RESTART.probe(operation, late, world), NotApplied)


async def test_a_container_that_is_gone_is_told_by_the_history(
    world: World, start_service: Callable[..., ServiceContainer]
) -> None:
    container = start_service()
    operation, attempt = await begin(world, await find_service(container.name, {}, world))
    late = replace(attempt, deadline=attempt.intent_at)
    container.container.remove(force=True)
    assert isinstance(await RESTART.probe(operation, late, world), NotApplied)


async def _kills(world: World, service: Service, attempt: Attempt) -> bool:
    return "kill" in await seen(world, service, attempt.intent_at)


async def _applied(world: World, operation: Operation, attempt: Attempt) -> bool:
    return isinstance(await RESTART.probe(operation, attempt, world), Applied)
