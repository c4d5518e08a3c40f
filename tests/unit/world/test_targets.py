"""From a service to exact objects: what is found, and what must not be touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Reason
from remediator.model.world import TargetError, WorldError
from remediator.world.labels import SWARM_SERVICE_ID
from remediator.world.simulated import SimulatedEngine, SimulatedWorld
from remediator.world.targets import (
    containers_of,
    find_service,
    seen_containers,
    seen_swarm_service,
    swarm_service_of,
)
from tests.unit.given import BARE, COMPOSE, ENABLED, SWARM, WEB, uncatalogued


def container(name: str) -> Target:
    return Target(kind=TargetKind.CONTAINER, name=name)


# Finding a service.


async def test_the_catalogue_comes_first(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    listed = Service(name="web", target=container("frontend"))
    assert await find_service("web", {"web": listed}, world) is listed


async def test_what_is_not_in_the_catalogue_is_found_by_name(world: SimulatedWorld) -> None:
    world.docker.add_container("cache")
    world.docker.add_compose_service("web", project="shop", replicas=2)
    world.docker.add_swarm_service("queue")
    found = {name: await find_service(name, {}, world) for name in ("cache", "web", "queue")}
    assert {service.catalogued for service in found.values()} == {False}
    assert found["cache"].target == container("cache")
    assert found["web"].target == Target(kind=TargetKind.COMPOSE_SERVICE, name="web", project="shop")
    assert found["queue"].target == Target(kind=TargetKind.SWARM_SERVICE, name="queue")


async def test_a_compose_service_may_name_its_container_after_itself(world: SimulatedWorld) -> None:
    labels = {"com.docker.compose.service": "web", "com.docker.compose.project": "shop"}
    world.docker.add_container("web", labels=labels)
    assert (await find_service("web", {}, world)).target.kind is TargetKind.COMPOSE_SERVICE


async def test_nothing_of_that_name_is_an_error(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    with pytest.raises(TargetError, match="no service 'wep' in the catalogue") as caught:
        await find_service("wep", {}, world)
    assert caught.value.reason is Reason.NO_TARGET


@pytest.mark.parametrize("name", ["", "../containers/web", "a b", "*", "-web", "web\n", "x" * 65_536])
async def test_a_name_that_no_service_can_have_is_not_asked_for(world: SimulatedWorld, name: str) -> None:
    world.docker.down = "nobody may ask"
    with pytest.raises(TargetError, match="cannot be the name of a service") as caught:
        await find_service(name, {}, world)
    assert len(caught.value.detail) < 150


async def test_two_projects_with_the_same_service_are_ambiguous(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", project="blue")
    world.docker.add_compose_service("web", project="green")
    with pytest.raises(TargetError, match=r"project blue.*project green.*catalogue") as caught:
        await find_service("web", {}, world)
    assert caught.value.reason is Reason.AMBIGUOUS_TARGET


async def test_a_container_and_a_swarm_service_of_one_name_are_ambiguous(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.add_swarm_service("web")
    with pytest.raises(TargetError, match="more than one thing") as caught:
        await find_service("web", {}, world)
    assert caught.value.reason is Reason.AMBIGUOUS_TARGET


async def test_the_same_name_on_two_engines_is_ambiguous(world: SimulatedWorld) -> None:
    other = SimulatedEngine(world.clock)
    both = replace(world, engines={**world.engines, "backup": other})
    world.docker.add_container("web")
    other.add_container("db")
    assert (await find_service("db", {}, both)).target.engine == "backup"
    other.add_container("web", image="other:1")
    with pytest.raises(TargetError) as caught:
        await find_service("web", {}, both)
    assert caught.value.reason is Reason.AMBIGUOUS_TARGET


async def test_a_task_of_a_swarm_is_not_acted_on_behind_its_back(world: SimulatedWorld) -> None:
    labels = {**ENABLED, "com.docker.swarm.service.name": "queue"}
    world.docker.add_container("queue.1.x", labels=labels)
    task = Service(name="task", target=Target(kind=TargetKind.CONTAINER, name="queue.1.x"))
    with pytest.raises(TargetError, match="a task of the Swarm service queue") as caught:
        await containers_of(task, world)
    assert caught.value.reason is Reason.NOT_ALLOWED
    assert [c.name for c in await seen_containers(task, world)] == ["queue.1.x"]


async def test_one_swarm_seen_through_two_managers_is_one_service(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("queue")
    both = replace(world, engines={"a": world.docker, "b": world.docker})
    assert (await find_service("queue", {}, both)).target.engine == "a"


async def test_an_engine_that_cannot_be_read_leaves_it_open(world: SimulatedWorld) -> None:
    other = SimulatedEngine(world.clock)
    other.down = "no route"
    world.docker.add_container("web")
    with pytest.raises(WorldError, match="no route"):
        await find_service("web", {}, replace(world, engines={"local": world.docker, "far": other}))


async def test_a_node_that_manages_no_swarm_hides_nothing_else(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.disturb("swarm_service", error=WorldError("not a manager"), times=2)
    assert (await find_service("web", {}, world)).target == container("web")
    with pytest.raises(WorldError, match="not a manager"):
        await find_service("queue", {}, world)


# The containers of a service.


async def test_containers_come_in_the_order_of_their_names(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=3)
    world.docker.add_compose_service("db")
    names = [c.name for c in await containers_of(COMPOSE, world)]
    assert names == ["app-web-1", "app-web-2", "app-web-3"]


async def test_by_label(world: SimulatedWorld) -> None:
    world.docker.add_container("one", labels={"tier": "front"})
    world.docker.add_container("two", labels={"tier": "back"})
    service = Service(name="front", target=Target(kind=TargetKind.LABEL, name="tier=front"))
    assert [c.name for c in await containers_of(service, world)] == ["one"]


async def test_a_persons_task_of_a_compose_service_is_none_of_its_containers(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web")
    world.docker.add_compose_service("web", project="app-run", labels={"com.docker.compose.oneoff": "True"})
    assert [c.name for c in await containers_of(COMPOSE, world)] == ["app-web-1"]


@pytest.mark.parametrize("service", [WEB, COMPOSE, SWARM, BARE], ids=lambda s: s.target.kind.value)
async def test_an_empty_target_is_an_error(world: SimulatedWorld, service: Service) -> None:
    world.docker.add_container("another")
    look = swarm_service_of if service is SWARM else containers_of
    with pytest.raises(TargetError) as caught:
        await look(service, world)
    assert caught.value.reason is Reason.NO_TARGET


async def test_an_engine_that_is_not_configured_is_an_error(world: SimulatedWorld) -> None:
    service = Service(name="web", target=Target(kind=TargetKind.CONTAINER, name="web", engine="lokal"))
    with pytest.raises(TargetError, match="no engine 'lokal' is configured") as caught:
        await containers_of(service, world)
    assert caught.value.reason is Reason.NO_TARGET


async def test_several_projects_need_one_to_be_named(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", project="blue")
    world.docker.add_compose_service("web", project="green")
    with pytest.raises(TargetError, match="blue, green") as caught:
        await containers_of(COMPOSE, world)
    assert caught.value.reason is Reason.AMBIGUOUS_TARGET
    named = replace(COMPOSE, target=replace(COMPOSE.target, project="green"))
    assert [c.name for c in await containers_of(named, world)] == ["green-web-1"]


# What may be touched.


async def test_the_catalogue_allows_what_carries_no_label(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    assert len(await containers_of(WEB, world)) == 1


async def test_without_the_catalogue_every_container_needs_the_label(world: SimulatedWorld) -> None:
    world.docker.add_container("app-web-1", labels={**ENABLED, "com.docker.compose.service": "web"})
    assert len(await containers_of(uncatalogued(COMPOSE), world)) == 1
    world.docker.add_container("app-web-2", labels={"com.docker.compose.service": "web"})
    for look in (containers_of, seen_containers):
        with pytest.raises(TargetError, match=r"app-web-2 .*remediator\.enable=true") as caught:
            await look(uncatalogued(COMPOSE), world)
        assert caught.value.reason is Reason.NOT_ALLOWED


@pytest.mark.parametrize("value", ["false", "", "True", "1", "yes"])
async def test_the_label_says_true_or_it_says_nothing(world: SimulatedWorld, value: str) -> None:
    world.docker.add_container("web", labels={"remediator.enable": value})
    with pytest.raises(TargetError) as caught:
        await containers_of(uncatalogued(WEB), world)
    assert caught.value.reason is Reason.NOT_ALLOWED


async def test_a_swarm_service_needs_the_label_too(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web")
    assert (await swarm_service_of(SWARM, world)).name == "web"
    for look in (swarm_service_of, seen_swarm_service, seen_containers):
        with pytest.raises(TargetError) as caught:
            await look(uncatalogued(SWARM), world)
        assert caught.value.reason is Reason.NOT_ALLOWED


async def test_a_swarm_service_without_tasks_is_no_target(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=0)
    with pytest.raises(TargetError, match="has no tasks: it is scaled to 0") as caught:
        await swarm_service_of(SWARM, world)
    assert caught.value.reason is Reason.NO_TARGET
    assert (await seen_swarm_service(SWARM, world)).replicas == 0


async def test_what_no_waiting_changes_is_told_from_what_may_pass(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    world.docker.add_compose_service("twice", project="a")
    world.docker.add_compose_service("twice", project="b")
    elsewhere = Service(name="web", target=Target(kind=TargetKind.CONTAINER, name="web", engine="other"))
    lasting = {}
    for what, look in {
        "no name": find_service("../../etc", {}, world),
        "nothing of that name": find_service("wep", {}, world),
        "two": find_service("twice", {}, world),
        "gone": containers_of(COMPOSE, world),
        "no containers": containers_of(BARE, world),
        "no such engine": containers_of(elsewhere, world),
        "not allowed": containers_of(uncatalogued(WEB), world),
    }.items():
        with pytest.raises(TargetError) as caught:
            await look
        lasting[what] = caught.value.lasting
    may_pass = {what for what, lasts in lasting.items() if not lasts}
    assert may_pass == {"nothing of that name", "two", "gone"}


@pytest.mark.parametrize("length", [64, 12])
async def test_the_daemons_own_container_is_refused_whatever_allows_it(
    world: SimulatedWorld, length: int
) -> None:
    first, second = world.docker.add_compose_service("web", replicas=2, labels=ENABLED)
    for own in (first, second):
        inside = replace(world, own_container_id=own[:length])
        with pytest.raises(TargetError, match="this daemon runs in") as caught:
            await containers_of(COMPOSE, inside)
        assert caught.value.reason is Reason.OWN_CONTAINER
        assert len(await seen_containers(COMPOSE, inside)) == 2


async def test_a_swarm_service_that_the_daemon_is_a_task_of_is_refused(world: SimulatedWorld) -> None:
    service_id = world.docker.add_swarm_service("web")
    own = world.docker.add_container("web.1.abc", labels={SWARM_SERVICE_ID: service_id})
    inside = replace(world, own_container_id=own[:12])
    with pytest.raises(TargetError, match="this daemon is a task") as caught:
        await swarm_service_of(SWARM, inside)
    assert caught.value.reason is Reason.OWN_CONTAINER
    assert (await seen_swarm_service(SWARM, inside)).id == service_id
