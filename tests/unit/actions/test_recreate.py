"""`recreate`: what is planned, what denies it, and what became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from remediator.actions.recreate import Recreate, RecreateParams
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, Image, MadeOf, NotApplied, TargetError, Unknown
from remediator.world.labels import COMPOSE_NUMBER
from remediator.world.simulated.containers import compose_labels, hash_of
from tests.unit.given import COMPOSE, SWARM, WEB, clock_of, intent, pass_deadline, uncatalogued

if TYPE_CHECKING:
    from remediator.model.plan import Operation, PlanSpec
    from remediator.model.run import Attempt
    from remediator.model.service import Service
    from remediator.world.simulated import SimulatedWorld

RECREATE = Recreate()
ENV = {"accept_changes": ["environment"]}
WHOLE = {"whole_project": True}


def project(world: SimulatedWorld, **services: dict[str, Any]) -> None:
    """What runs, with one container of each service, and the files that say so."""
    world.compose.says["app"] = {name: {"image": "app:1", **entry} for name, entry in services.items()}
    for name in services:
        world.docker.add_compose_service(name)
    # Brought up once, so that every container is labelled by what it was made of.
    for name, entry in world.compose.says["app"].items():
        box = world.docker.box(f"app-{name}-1")
        box.made_of = MadeOf(env={"PATH": "/bin", **entry.get("environment", {})})
        labels = {**box.seen.labels, "com.docker.compose.config-hash": hash_of(entry)}
        box.seen = replace(box.seen, labels=labels)
    world.docker.images["app:1"] = Image(id=box.seen.image_id, env={"PATH": "/bin"})
    world.docker.images[box.seen.image_id] = world.docker.images["app:1"]


def edit(world: SimulatedWorld, name: str = "web", **entry: Any) -> None:
    """Somebody changes what the files say of a service."""
    world.compose.says["app"][name].update(entry)


async def plan(world: SimulatedWorld, service: Service = COMPOSE, **params: Any) -> PlanSpec:
    return await RECREATE.plan(service, params, world)


async def refused(world: SimulatedWorld, service: Service = COMPOSE, **params: Any) -> TargetError:
    with pytest.raises(TargetError) as caught:
        await plan(world, service, **params)
    return caught.value


async def begin(world: SimulatedWorld, **params: Any) -> tuple[Operation, Attempt]:
    return intent(await plan(world, **params), world)


def ids(world: SimulatedWorld) -> set[str]:
    return set(world.docker.boxes)


# Planning.


async def test_one_operation_for_the_whole_service(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    made = await plan(world)
    (operation,) = made.operations
    assert (operation.kind, operation.object_id) == ("compose.recreate", "app/web")
    assert operation.change["replicas"] == 2
    assert made.summary == "recreate web (app-web-1, app-web-2)"
    again = await plan(world)
    assert again.digest("1") == made.digest("1")


async def test_a_container_named_by_itself_stands_for_its_service(world: SimulatedWorld) -> None:
    labels = compose_labels("app", "frontend")
    world.docker.add_container("web", labels=labels)
    assert (await plan(world, WEB)).operations[0].object_id == "app/frontend"
    world.docker.add_container("web-2", labels=labels)
    error = await refused(world, WEB)
    assert (error.reason, error.lasting) == (Reason.AMBIGUOUS_TARGET, True)


async def test_what_compose_did_not_make_is_refused(world: SimulatedWorld) -> None:
    world.docker.add_container("web")
    assert "not made by Docker Compose" in (await refused(world, WEB)).detail


async def test_without_compose_it_is_refused_with_the_remedy(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web")
    with pytest.raises(TargetError, match="under `compose`"):
        await RECREATE.plan(COMPOSE, {}, replace(world, compose=None))


async def test_what_must_not_be_touched_is_refused(world: SimulatedWorld) -> None:
    (own,) = world.docker.add_compose_service("web")
    assert (await refused(world, uncatalogued(COMPOSE))).reason is Reason.NOT_ALLOWED
    with pytest.raises(TargetError) as caught:
        await RECREATE.plan(COMPOSE, {}, replace(world, own_container_id=own[:12]))
    assert caught.value.reason is Reason.OWN_CONTAINER


@pytest.mark.parametrize(
    "params", [{"accept_changes": ["image"]}, {"services": ["web"]}, {"whole_project": "web"}]
)
def test_other_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RecreateParams.model_validate(params)


def test_something_is_left_out_only_of_a_whole() -> None:
    assert RECREATE.check(RecreateParams(leave_out=("db",))) is not None
    assert RECREATE.check(RecreateParams(leave_out=("db",), whole_project=True)) is None


# What differs.


async def test_only_the_environment_can_be_accepted(world: SimulatedWorld) -> None:
    project(world, web={"environment": {"MODE": "normal", "OLD": "1"}})
    edit(world, environment={"MODE": "hunter2", "NEW": "1"})
    error = await refused(world)
    assert error.reason is Reason.DRIFTED
    assert "app-web-1: environment (changed MODE; added NEW; removed OLD)" in error.detail
    assert "hunter2" not in error.detail
    made = await plan(world, **ENV)
    assert made.summary == (
        "recreate web (app-web-1); accepted: app-web-1: environment (changed MODE; added NEW; removed OLD)"
    )
    edit(world, command=["serve"])
    error = await refused(world, **ENV)
    assert "app-web-1: command" in error.detail


async def test_what_the_image_brings_is_no_difference(world: SimulatedWorld) -> None:
    project(world, web={"environment": {"MODE": "a$$b"}})
    world.docker.box("app-web-1").made_of = MadeOf(env={"PATH": "/bin", "MODE": "a$b"})
    edit(world, environment={"MODE": "other"})
    assert "environment (changed MODE)" in (await refused(world)).detail
    assert len((await plan(world, **ENV)).operations) == 1


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"image": "app:2"}, "image (made of app:1, the files say app:2)"),
        ({"volumes": [{"type": "bind", "source": "/a", "target": "/b"}]}, "mounts (new: /a:/b)"),
        ({"ports": [{"target": 80, "published": "8080"}]}, "ports (new: 8080:80/tcp)"),
        ({"cap_add": ["SYS_ADMIN"]}, "something else that the files say of it"),
    ],
)
async def test_any_other_difference_denies_and_is_told(
    world: SimulatedWorld, entry: dict[str, Any], told: str
) -> None:
    project(world, web={})
    edit(world, **entry)
    error = await refused(world, **ENV)
    assert (error.reason, error.lasting) == (Reason.DRIFTED, True)
    assert told in error.detail


async def test_a_tag_that_has_moved_or_is_gone_denies(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web")
    world.docker.images["app:1"] = Image(id="sha256:" + "0" * 64)
    assert "is 000000000000 by now" in (await refused(world, **ENV)).detail
    world.docker.images["app:1"] = None
    assert "nothing is pulled" in (await refused(world, **ENV)).detail


async def test_a_service_that_the_files_have_lost_denies(world: SimulatedWorld) -> None:
    project(world, web={})
    world.compose.says["app"] = {"db": {"image": "app:1"}}
    assert "no service web any more" in (await refused(world)).detail


# Acting.


async def test_all_containers_are_made_anew(world: SimulatedWorld) -> None:
    project(world, web={"environment": {"MODE": "normal"}, "depends_on": {"db": {}}}, db={})
    edit(world, environment={"MODE": "maintenance"})
    before = ids(world)
    operation, attempt = await begin(world, **ENV)
    result = await RECREATE.apply(operation, attempt, world)
    assert isinstance(result, Applied)
    assert world.compose.ups == ["web"]
    assert len(ids(world) - before) == 1
    assert world.docker.box("app-web-1").made_of.env["MODE"] == "maintenance"
    assert isinstance(await RECREATE.probe(operation, attempt, world), Applied)
    assert "accepted" not in (await plan(world)).summary, "nothing differs any more"


@pytest.mark.parametrize("what", ["Compose files", "image", "containers"])
async def test_what_changed_since_the_plan_is_left_alone(world: SimulatedWorld, what: str) -> None:
    project(world, web={})
    operation, attempt = await begin(world)
    if what == "Compose files":
        edit(world, environment={"A": "1"})
    elif what == "image":
        world.docker.images["app:1"] = Image(id="sha256:" + "0" * 64)
    else:
        world.docker.recreate_by_hand("app-web-1", "app:1")
    error = f"nothing was done: the {what} of web changed after this was planned"
    assert await RECREATE.apply(operation, attempt, world) == ActFailed(result={"error": error})
    assert world.compose.ups == []


async def test_what_compose_says_of_a_failure_is_kept(world: SimulatedWorld) -> None:
    project(world, web={})
    operation, attempt = await begin(world)
    world.compose.fails = "Recreating\nport is already allocated\n"
    result = await RECREATE.apply(operation, attempt, world)
    assert isinstance(result, ActFailed)
    assert result.result["error"] == "Compose: exit code 1: port is already allocated"
    assert result.result["containers"] == ["app-web-1"]


# Probing.


async def test_one_that_never_began_is_found_out_after_the_deadline(world: SimulatedWorld) -> None:
    project(world, web={})
    operation, attempt = await begin(world)
    assert isinstance(await RECREATE.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    assert await RECREATE.probe(operation, attempt, world) == NotApplied()


async def test_half_of_it_counts_as_not_done_and_is_said(world: SimulatedWorld) -> None:
    world.docker.add_compose_service("web", replicas=2)
    operation, attempt = await begin(world)
    world.docker.recreate_by_hand("app-web-1", "app:1")
    assert isinstance(await RECREATE.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    found = await RECREATE.probe(operation, attempt, world)
    assert isinstance(found, NotApplied)
    assert found.result["half_done"] is True


async def test_what_an_ended_compose_has_left_behind_is_for_a_person(world: SimulatedWorld) -> None:
    labels = {**compose_labels("app", "web"), COMPOSE_NUMBER: "1"}
    world.docker.add_container("app-web-1", labels=labels)
    operation, attempt = await begin(world)
    world.docker.add_container("0123_app-web-1", labels=labels)
    pass_deadline(world, attempt)
    found = await RECREATE.probe(operation, attempt, world)
    assert isinstance(found, Unknown)
    assert "remove all but one of 0123_app-web-1, app-web-1" in found.result["error"]
    assert "remove all but one" in (await refused(world)).detail
    world.docker.remove_by_hand("0123_app-web-1")
    assert isinstance(await RECREATE.probe(operation, attempt, world), NotApplied)


async def test_containers_made_of_something_else_are_not_ours(world: SimulatedWorld) -> None:
    project(world, web={})
    operation, attempt = await begin(world)
    world.docker.recreate_by_hand("app-web-1", "app:2")
    pass_deadline(world, attempt)
    assert isinstance(await RECREATE.probe(operation, attempt, world), NotApplied)


# A whole project.


async def test_a_project_is_made_anew_in_the_order_of_its_needs(world: SimulatedWorld) -> None:
    project(world, web={"depends_on": {"api": {}}}, api={"network_mode": "service:db"}, db={})
    world.compose.says["app"]["idle"] = {"image": "app:1"}  # nothing of it runs, and nothing is begun
    made = await plan(world, **WHOLE)
    assert [o.before["service"] for o in made.operations] == ["db", "api", "web"]
    assert ["healthy_within" in o.change for o in made.operations] == [True, True, False]
    for number in range(3):
        assert isinstance(await RECREATE.apply(*intent(made, world, number), world), Applied)
        assert (await plan(world, **WHOLE)).digest("1") == made.digest("1"), "the rest still stands"
    assert world.compose.ups == ["db", "api", "web"]


async def test_what_others_live_in_is_not_made_anew_alone(world: SimulatedWorld) -> None:
    project(world, web={}, sidecar={"network_mode": "service:web"})
    error = await refused(world)
    assert "sidecar lives in" in error.detail
    assert "whole_project: true" in error.detail


async def test_one_that_stays_ill_ends_it(world: SimulatedWorld) -> None:
    project(world, web={"depends_on": {"db": {}}}, db={})
    made = await plan(world, **WHOLE)
    operation, attempt = intent(made, world)
    box = world.docker.box("app-db-1")
    box.health_check, box.becomes_healthy_after = True, 3600
    result = await RECREATE.apply(operation, attempt, world)
    assert isinstance(result, ActFailed)
    assert "not healthy within 5m" in result.result["error"]
    assert world.clock.now() - attempt.intent_at == timedelta(minutes=5)
    assert isinstance(await RECREATE.probe(operation, attempt, world), Unknown)
    pass_deadline(world, attempt)
    assert isinstance(await RECREATE.probe(operation, attempt, world), ActFailed)
    clock_of(world).advance(3600)
    assert isinstance(await RECREATE.probe(operation, attempt, world), Applied)


async def test_the_daemon_in_the_project_has_to_be_left_out(world: SimulatedWorld) -> None:
    project(world, web={}, remediator={})
    own = replace(world, own_container_id=world.docker.box("app-remediator-1").seen.id)
    with pytest.raises(TargetError) as caught:
        await RECREATE.plan(COMPOSE, WHOLE, own)
    assert caught.value.reason is Reason.OWN_CONTAINER
    assert "leave_out: [remediator]" in caught.value.detail
    made = await RECREATE.plan(COMPOSE, {**WHOLE, "leave_out": ["remediator"]}, own)
    assert [o.before["service"] for o in made.operations] == ["web"]
    assert "no service remediatr" in (await refused(world, **WHOLE, leave_out=["remediatr"])).detail


async def test_a_circle_is_told(world: SimulatedWorld) -> None:
    project(world, web={"depends_on": {"db": {}}}, db={"depends_on": {"web": {}}})
    assert "depend on each other" in (await refused(world, **WHOLE)).detail


# Swarm.


async def test_a_swarm_service_by_a_forced_update(world: SimulatedWorld) -> None:
    world.docker.add_swarm_service("web", replicas=1)
    operation, attempt = intent(await plan(world, SWARM), world)
    assert operation.kind == "service.force_update"
    pass_deadline(world, replace(attempt, deadline=attempt.intent_at + timedelta(seconds=1)))
    assert isinstance(await RECREATE.probe(operation, attempt, world), Unknown)
    assert isinstance(await RECREATE.apply(operation, attempt, world), Applied)
    assert isinstance(await RECREATE.probe(operation, attempt, world), Applied)
    assert (await refused(world, SWARM, **WHOLE)).reason is Reason.INVALID_PARAMS


def test_nothing_takes_it_back() -> None:
    assert not RECREATE.reversible
