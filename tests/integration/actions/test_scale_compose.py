"""`scale` of a Compose service with the real Compose: up, cut off, found again, back, and what it refuses."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remediator.actions.scale import Scale
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Reason
from remediator.model.world import ActFailed, Applied, NotApplied, TargetError
from remediator.world.compose import ComposeCli
from tests.lab import compose as lab_compose
from tests.lab.compose import Compose
from tests.lab.wait import until
from tests.unit.given import intent, stored, stored_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from remediator.model.plan import PlanSpec
    from remediator.world.base import World
    from tests.lab.engine import Engine

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SCALE = Scale()
FILE = """
services:
  web: &web
    image: {image}
    command: [python3, -c, "import signal, time; signal.signal(15, lambda *_: exit(0)); time.sleep(600)"]
    init: true
    healthcheck: {{disable: true}}
    env_file: [web.env]
    depends_on: [needed]
    scale: 2
  named:
    <<: *web
    scale: 1
    container_name: {project}-only
  ported:
    <<: *web
    scale: 1
    ports: ["127.0.0.1:0:8000", "127.0.0.1:{port}:8001"]
  needed:
    image: {image}
    command: [python3, -c, "import signal, time; signal.signal(15, lambda *_: exit(0)); time.sleep(600)"]
    init: true
    healthcheck: {{disable: true}}
"""


@pytest.fixture
def project(docker_engine: Engine, service_image: str, tmp_path: Path) -> Iterator[Compose]:
    """A project whose service `web` runs twice."""
    name = f"remediator-{secrets.token_hex(3)}"
    (tmp_path / "web.env").write_text("LEVEL=info\n")
    file = tmp_path / "compose.yml"
    file.write_text(FILE.format(image=service_image, project=name, port=45000 + secrets.randbelow(10000)))
    compose = Compose(docker_engine, name, file)
    try:
        compose.run("up", "--detach", "--no-build", "web")
        yield compose
    finally:
        compose.down()


@pytest.fixture
def able(world: World, docker_engine: Engine) -> World:
    """The world with Compose in it."""
    words, env = lab_compose.command()
    cli = ComposeCli(words, {"local": docker_engine.host}, world.commands, env)
    return replace(world, compose=cli)


def service_of(project: Compose, name: str = "web") -> Service:
    target = Target(kind=TargetKind.COMPOSE_SERVICE, name=name, project=project.project)
    return Service(name=name, target=target)


def undo(spec: PlanSpec) -> PlanSpec:
    back = SCALE.undo(stored_plan(spec), [stored(operation) for operation in spec.operations])
    assert back is not None
    return back


async def ids(world: World, service: Service) -> list[str]:
    return [container.id for container in await world.engine("local").containers(service.target)]


async def test_more_containers_and_back_to_the_same_as_before(able: World, project: Compose) -> None:
    service = service_of(project)
    first = await ids(able, service)
    plan = await SCALE.plan(service, {"by": "x2", "max": 3}, able)
    assert plan.summary == f"scale {project.project}-web from 2 to 3 replicas"
    operation, attempt = intent(plan, able)
    result = await SCALE.apply(operation, attempt, able)
    assert result == Applied(result={"replicas": 3, "containers": [f"{project.project}-web-3"]})
    assert (await ids(able, service))[:2] == first
    assert isinstance(await SCALE.probe(operation, attempt, able), Applied), "as after a crash"
    again = await SCALE.apply(operation, attempt, able)
    assert isinstance(again, ActFailed), "the same intent is never carried out twice"
    more = await SCALE.plan(service, {"by": "+1", "max": 4}, able)
    assert more.operations[0].change["to"] == 4, "what Compose added is made of the same files"

    result = await SCALE.apply(*intent(undo(plan), able), able)
    assert isinstance(result, Applied)
    assert await ids(able, service) == first


async def test_what_the_daemons_end_cuts_off_is_found_again(able: World, project: Compose) -> None:
    service = service_of(project)
    operation, attempt = intent(await SCALE.plan(service, {"replicas": 3}, able), able)
    act = asyncio.create_task(SCALE.apply(operation, attempt, able))

    async def begun() -> bool:
        return bool(await able.commands.survivors(attempt.id))

    await until(begun, 30, "Compose")
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act

    async def applied() -> bool:
        return isinstance(await SCALE.probe(operation, attempt, able), Applied)

    await until(applied, 60, "its end")
    assert len(await ids(able, service)) == 3


async def test_what_never_began_is_proven_after_its_deadline(able: World, project: Compose) -> None:
    operation, attempt = intent(await SCALE.plan(service_of(project), {"replicas": 3}, able), able)
    late = replace(attempt, deadline=attempt.intent_at)
    assert isinstance(await SCALE.probe(operation, late, able), NotApplied)


async def test_what_can_run_only_once_is_refused_with_the_reason(able: World, project: Compose) -> None:
    project.run("up", "--detach", "--no-build", "named", "ported")
    for name, reason in (("named", "fixed name"), ("ported", "fixed host port")):
        with pytest.raises(TargetError, match=reason) as caught:
            await SCALE.plan(service_of(project, name), {"replicas": 2}, able)
        assert caught.value.reason is Reason.NOT_SCALABLE


async def test_files_that_say_something_else_by_now_are_refused(able: World, project: Compose) -> None:
    service = service_of(project)
    plan = await SCALE.plan(service, {"replicas": 3}, able)
    (project.file.parent / "web.env").write_text("LEVEL=debug\n")
    with pytest.raises(TargetError, match="say something else"):
        await SCALE.plan(service, {"replicas": 3}, able)
    result = await SCALE.apply(*intent(plan, able), able)
    assert isinstance(result, ActFailed), "planned before"
    assert len(await ids(able, service)) == 2
    whole = project.file.read_text()
    project.file.write_text("services: [")
    try:
        with pytest.raises(TargetError, match="cannot read the project"):
            await SCALE.plan(service, {"replicas": 3}, able)
    finally:
        project.file.write_text(whole)


async def test_a_number_that_a_person_set_is_left(able: World, project: Compose) -> None:
    service = service_of(project)
    plan = await SCALE.plan(service, {"replicas": 3}, able)
    project.run("up", "--detach", "--no-build", "--scale=web=4", "web")
    result = await SCALE.apply(*intent(plan, able), able)
    assert isinstance(result, ActFailed)
    assert result.result["replicas"] == 4
    assert len(await ids(able, service)) == 4
