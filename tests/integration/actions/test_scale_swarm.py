"""`scale` of a Swarm service on a real engine: up, found again after a crash, back, and left to people."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from docker.types import EndpointSpec, Healthcheck, ServiceMode

from remediator.actions.scale import Scale
from remediator.checks.changes import recent_changes
from remediator.model.world import ActFailed, Applied, TargetError, Unknown
from remediator.world.targets import find_service
from tests.lab.wait import until
from tests.unit.given import intent, stored, stored_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from remediator.model.plan import PlanSpec
    from remediator.model.service import Service
    from remediator.world.base import World
    from tests.lab.engine import Engine

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SCALE = Scale()
QUIET = "import signal, time; signal.signal(15, lambda *_: exit(0)); time.sleep(600)"


@pytest.fixture
def create(swarm: Engine, service_image: str) -> Iterator[Callable[[ServiceMode], Any]]:
    """Create a Swarm service of a mode; it is removed afterwards."""
    client = swarm.client()
    made = []

    def create(mode: ServiceMode) -> Any:
        service = client.services.create(
            service_image,
            command=["python3", "-c", QUIET],
            name=f"web-{secrets.token_hex(4)}",
            labels={"remediator.enable": "true", "kept": "as it is"},
            mode=mode,
            healthcheck=Healthcheck(test=["NONE"]),
            endpoint_spec=EndpointSpec(mode="dnsrr"),
            init=True,
        )
        made.append(service)
        return service

    try:
        yield create
    finally:
        for service in made:
            service.remove()
        client.close()


async def test_more_tasks_and_back_again(world: World, create: Callable[[ServiceMode], Any]) -> None:
    raw = create(ServiceMode("replicated", replicas=1))
    service = await find_service(raw.name, {}, world)
    await until(lambda: _runs(world, raw.id, 1), 60, "the first task")
    spec = _spec(raw)

    plan = await SCALE.plan(service, {"by": "x2", "max": 8}, world)
    operation, attempt = intent(plan, world)
    assert isinstance(await SCALE.probe(operation, attempt, world), Unknown)
    assert await SCALE.apply(operation, attempt, world) == Applied(result={"replicas": 2, "running": 2})
    assert _spec(raw) == {**spec, "Mode": {"Replicated": {"Replicas": 2}}}
    assert isinstance(await SCALE.probe(operation, attempt, world), Applied), "as after a crash"
    changes = await recent_changes(service, (), attempt.intent_at, world)
    assert [change.what for change in changes] == ["update"]

    again = await SCALE.apply(operation, attempt, world)
    assert isinstance(again, ActFailed), "the same intent is never carried out twice"
    back = _undo(plan)
    assert await SCALE.apply(*intent(back, world), world) == Applied(result={"replicas": 1, "running": 1})
    assert _spec(raw) == spec


async def test_a_number_that_a_person_set_is_left(world: World, create: Callable[[ServiceMode], Any]) -> None:
    raw = create(ServiceMode("replicated", replicas=1))
    service = await find_service(raw.name, {}, world)
    plan = await _planned(world, service)
    raw.scale(3)
    result = await SCALE.apply(*intent(plan, world), world)
    assert isinstance(result, ActFailed)
    assert result.result["replicas"] == 3
    raw.reload()
    assert raw.attrs["Spec"]["Mode"]["Replicated"]["Replicas"] == 3


async def test_a_service_on_every_node_is_refused(world: World, create: Callable[[ServiceMode], Any]) -> None:
    raw = create(ServiceMode("global"))
    service = await find_service(raw.name, {}, world)
    # Swarm has to place its task first: a service without any is taken for one that was scaled to nothing.
    await until(lambda: _runs(world, raw.id, 1), 60, "its task")
    with pytest.raises(TargetError, match="once on each node"):
        await _planned(world, service)


async def _planned(world: World, service: Service) -> PlanSpec:
    return await SCALE.plan(service, {"replicas": 2}, world)


def _undo(spec: PlanSpec) -> PlanSpec:
    undo = SCALE.undo(stored_plan(spec), [stored(operation) for operation in spec.operations])
    assert undo is not None
    return undo


async def _runs(world: World, id_: str, tasks: int) -> bool:
    seen = await world.engine("local").swarm_service(id_)
    return seen is not None and seen.running == tasks


def _spec(raw: Any) -> dict[str, Any]:
    raw.reload()
    spec: dict[str, Any] = raw.attrs["Spec"]
    return spec
