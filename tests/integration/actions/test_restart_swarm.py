"""`restart` of a Swarm service on a real engine: a forced update until it converges."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from docker.types import EndpointSpec, Healthcheck, ServiceMode, UpdateConfig

from remediator.actions.restart import Restart
from remediator.checks.changes import recent_changes
from remediator.checks.health import health
from remediator.model.service import Service, TargetKind
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError
from remediator.world.labels import SWARM_SERVICE_ID
from remediator.world.targets import find_service
from tests.lab.wait import until
from tests.unit.given import intent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remediator.world.base import World
    from tests.lab.engine import Engine

pytestmark = [pytest.mark.docker, pytest.mark.slow]

RESTART = Restart()
SECOND = 1_000_000_000


@pytest.fixture
def swarm_service(swarm: Engine, service_image: str) -> Iterator[Any]:
    """Two tasks of the lab's service, found healthy within seconds."""
    client = swarm.client()
    service = client.services.create(
        service_image,
        name=f"web-{secrets.token_hex(4)}",
        labels={"remediator.enable": "true"},
        mode=ServiceMode("replicated", replicas=2),
        update_config=UpdateConfig(parallelism=1, monitor=SECOND // 2),
        healthcheck=Healthcheck(
            test=["CMD", "true"], interval=SECOND // 2, timeout=SECOND, retries=1, start_period=0
        ),
        endpoint_spec=EndpointSpec(mode="dnsrr"),
        stop_grace_period=5 * SECOND,
    )
    try:
        yield service
    finally:
        service.remove()
        client.close()


async def test_all_tasks_are_replaced_and_nothing_else_changes(world: World, swarm_service: Any) -> None:
    service = await find_service(swarm_service.name, {}, world)
    assert service.target.kind is TargetKind.SWARM_SERVICE
    await until(lambda: _healthy(world, service), 60, "the first tasks")
    first, spec = _running(swarm_service), _spec(swarm_service)

    plan = await RESTART.plan(service, {}, world)
    operation, attempt = intent(plan, world)
    result = await RESTART.apply(operation, attempt, world)
    assert result == Applied(result={"force_update": 1, "running": 2})
    second = _running(swarm_service)
    assert len(second) == 2
    assert not first & second
    assert _spec(swarm_service) == spec

    assert isinstance(await RESTART.probe(operation, attempt, world), Applied)
    changes = await recent_changes(service, (), attempt.intent_at, world)
    assert [change.what for change in changes] == ["update"], "Swarm's own progress is nobody's hand"

    # The same plan again is stale: it was made for the version before.
    assert isinstance(await RESTART.apply(operation, attempt, world), ActFailed)


async def test_a_change_by_hand_is_seen(world: World, swarm_service: Any) -> None:
    service = await find_service(swarm_service.name, {}, world)
    await until(lambda: _healthy(world, service), 60, "the first tasks")
    before = world.clock.now()
    swarm_service.scale(3)
    changes = await recent_changes(service, (), before, world)
    assert [change.what for change in changes] == ["update"]


async def test_what_must_not_be_touched_is_refused(world: World, swarm_service: Any) -> None:
    service = await find_service(swarm_service.name, {}, world)
    await until(lambda: _healthy(world, service), 60, "the first tasks")
    own = next(
        c
        for c in await world.engine("local").containers(service.target)
        if c.labels.get(SWARM_SERVICE_ID) == swarm_service.id
    )
    with pytest.raises(TargetError) as caught:
        await RESTART.plan(service, {}, replace(world, own_container_id=own.id[:12]))
    assert caught.value.reason is Reason.OWN_CONTAINER


async def test_one_that_never_began_is_proven_after_its_deadline(world: World, swarm_service: Any) -> None:
    service = await find_service(swarm_service.name, {}, world)
    operation, attempt = intent(await RESTART.plan(service, {}, world), world)
    late = replace(attempt, deadline=attempt.intent_at)
    assert isinstance(await RESTART.probe(operation, late, world), NotApplied)


async def _healthy(world: World, service: Service) -> bool:
    return (await health(service, timedelta(seconds=1), world)).healthy is True


def _running(service: Any) -> set[str]:
    return {task["ID"] for task in service.tasks({"desired-state": "running"})}


def _spec(service: Any) -> dict[str, Any]:
    """What the service is, without the counter of forced updates."""
    service.reload()
    spec: dict[str, Any] = service.attrs["Spec"]
    spec["TaskTemplate"].pop("ForceUpdate", None)
    return spec
