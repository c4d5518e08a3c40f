"""`recreate` with the real Compose on a real engine: `.env` is read anew, and nothing else is deployed."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from remediator.actions.recreate import Recreate
from remediator.checks.changes import recent_changes
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Reason
from remediator.model.world import Applied, NotApplied, TargetError, Unknown
from remediator.world.compose import ComposeCli
from tests.lab.compose import Compose, command, environment
from tests.lab.wait import until
from tests.unit.given import intent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from remediator.world.base import World
    from tests.lab.engine import Engine

pytestmark = [pytest.mark.docker, pytest.mark.slow]

RECREATE = Recreate()
FILE = """
services:
  web:
    image: {image}
    init: true
    scale: 2
    command: [sleep, "600"]
    environment: {{MODE: "${{MODE}}", PRICE: "1$$2", PATH_OF: "${{PATH_OF:-}}"}}
    env_file: [web.env]
    volumes: [./data:/data, kept:/kept]
    depends_on: [db]
    healthcheck: {{test: [CMD, "true"], interval: 1s}}
    stop_grace_period: 1s
  db:
    image: {image}
    init: true
    command: [sleep, "600"]
    ports: ["127.0.0.1::80"]
    healthcheck: {{test: [CMD, "true"], interval: 1s}}
    stop_grace_period: 1s
volumes: {{kept: {{}}}}
"""
MEANT = {"accept_changes": ["environment"]}


@pytest.fixture
def project(docker_engine: Engine, service_image: str, tmp_path: Path) -> Iterator[Compose]:
    """Two containers of `web`, one of `db`."""
    for name, text in (("web.env", "LEVEL=info\n"), (".env", "MODE=normal\n")):
        (tmp_path / name).write_text(text)
    (tmp_path / "data").mkdir()
    file = tmp_path / "compose.yml"
    file.write_text(FILE.format(image=service_image))
    compose = Compose(docker_engine, f"remediator-{secrets.token_hex(3)}", file)
    try:
        compose.up()
        yield compose
    finally:
        file.write_text(FILE.format(image=service_image))
        compose.down()


@pytest.fixture
def world(world: World, docker_engine: Engine) -> World:
    """The machine's engine, and Compose as it is started here."""
    env = {**environment(docker_engine), "HOME": os.environ.get("HOME", "/")}
    cli = ComposeCli(command()[0], {"local": docker_engine.host}, world.commands, env)
    return replace(world, compose=cli)


def web(project: Compose) -> Service:
    target = Target(kind=TargetKind.COMPOSE_SERVICE, name="web", project=project.project)
    return Service(name="web", target=target)


async def environments(world: World, service: Service) -> list[str | None]:
    """MODE of each container."""
    engine = world.engine("local")
    made = [await engine.made_of(c.id) for c in await engine.containers(service.target)]
    return [m.env.get("MODE") for m in made if m is not None]


async def refused(world: World, service: Service, **params: Any) -> TargetError:
    with pytest.raises(TargetError) as caught:
        await RECREATE.plan(service, params, world)
    return caught.value


async def test_the_containers_are_made_anew_and_read_their_environment(
    world: World, project: Compose
) -> None:
    service = web(project)
    directory = project.file.parent
    project.run("up", "--detach", "--no-build", "--scale=web=3", "--wait")
    plan = await RECREATE.plan(service, {}, world)
    assert plan.summary.count("-web-") == 3
    assert plan.operations[0].change["replicas"] == 3

    (directory / ".env").write_text("MODE=maintenance\n")
    error = await refused(world, service)
    assert error.reason is Reason.DRIFTED
    assert "environment (changed MODE)" in error.detail
    assert "maintenance" not in error.detail, "values may be secrets"

    plan = await RECREATE.plan(service, MEANT, world)
    assert "accepted" in plan.summary
    operation, attempt = intent(plan, world)
    before = {c.id for c in await world.engine("local").containers(service.target)}
    database = project.container("db")
    result = await RECREATE.apply(operation, attempt, world)
    assert isinstance(result, Applied), result
    after = {c.id for c in await world.engine("local").containers(service.target)}
    assert (len(after), after & before) == (3, set())
    assert await environments(world, service) == ["maintenance"] * 3
    assert project.container("db") == database, "what it depends on is left alone"
    assert isinstance(await RECREATE.probe(operation, attempt, world), Applied)
    changes = await recent_changes(service, plan.operations, attempt.intent_at, world)
    assert {"create", "destroy"} <= {change.what for change in changes}

    # Nothing differs now, though Compose has left out what the service depends on.
    again = await RECREATE.plan(service, {}, world)
    assert again.operations[0].change == operation.change
    stale = await RECREATE.apply(operation, attempt, world)
    assert "the containers of web changed" in stale.result["error"]


async def test_what_nobody_meant_to_deploy_denies(world: World, project: Compose) -> None:
    service, directory, text = web(project), project.file.parent, project.file.read_text()
    (directory / ".env").write_text("MODE=maintenance\n")
    for old, new, told in (
        ("./data:/data", "./other:/data", "mounts (new: "),
        ('[sleep, "600"]\n    environment', '[sleep, "601"]\n    environment', "command"),
        ("stop_grace_period: 1s\n  db", "stop_grace_period: 2s\n  db", "something else"),
    ):
        assert old in text
        project.file.write_text(text.replace(old, new))
        error = await refused(world, service, **MEANT)
        assert (error.reason, told in error.detail) == (Reason.DRIFTED, True), error.detail

    # Another service's ports are nobody's business, unless that is made anew, too.
    project.file.write_text(text.replace('127.0.0.1::80"]', '127.0.0.1::81"]'))
    assert len((await RECREATE.plan(service, MEANT, world)).operations) == 1
    assert "ports (" in (await refused(world, service, **MEANT, whole_project=True)).detail

    project.file.write_text(text)
    (directory / ".env").write_text("MODE=normal\n")
    (directory / "web.env").write_text("TOKEN=hunter2\n")
    error = await refused(world, service)
    assert "environment (added TOKEN; removed LEVEL)" in error.detail
    assert "hunter2" not in error.detail
    assert len((await RECREATE.plan(service, MEANT, world)).operations) == 1

    (directory / "web.env").write_text("LEVEL=info\n")
    operation, attempt = intent(await RECREATE.plan(service, {}, world), world)
    (directory / ".env").write_text("MODE=other\n")
    result = await RECREATE.apply(operation, attempt, world)
    error_told = "nothing was done: the Compose files of web changed after this was planned"
    assert result.result == {"error": error_told}
    late = replace(attempt, deadline=attempt.intent_at)
    assert await RECREATE.probe(operation, late, world) == NotApplied()

    project.file.write_text("services: {web: [}")
    assert "cannot read the project" in (await refused(world, service)).detail
    project.file.unlink()
    assert "under the same path" in (await refused(world, service)).detail


async def test_a_tag_that_has_moved_denies(
    world: World, project: Compose, docker_engine: Engine, service_image: str
) -> None:
    tag = f"{project.project}:now"
    client = docker_engine.client()
    try:
        client.images.get(service_image).tag(tag)
        project.file.write_text(FILE.format(image=tag))
        project.up()
        other = client.containers.create(service_image, ["true"])
        other.commit(project.project, "now")
        other.remove()
        error = await refused(world, web(project), **MEANT)
        assert f"the image {tag} is " in error.detail
        client.images.remove(tag, force=True)
        assert "is not on the engine, and nothing is pulled" in (await refused(world, web(project))).detail
        client.images.get(service_image).tag(tag)
    finally:
        project.down()
        client.images.remove(tag, force=True)
        client.close()


async def test_a_whole_project_in_the_order_of_its_needs(world: World, project: Compose) -> None:
    plan = await RECREATE.plan(web(project), {"whole_project": True}, world)
    assert [o.before["service"] for o in plan.operations] == ["db", "web"]
    for number in range(2):
        operation, attempt = intent(plan, world, number)
        assert isinstance(await RECREATE.apply(operation, attempt, world), Applied)
        fresh = await RECREATE.plan(web(project), {"whole_project": True}, world)
        assert fresh.digest("1") == plan.digest("1"), "what is left of the plan still stands"

    own = replace(world, own_container_id=project.container("db")[:12])
    error = await refused(own, web(project), whole_project=True)
    assert error.reason is Reason.OWN_CONTAINER
    assert "leave_out: [db]" in error.detail
    left = await RECREATE.plan(web(project), {"whole_project": True, "leave_out": ["db"]}, own)
    assert [o.before["service"] for o in left.operations] == ["web"]


async def test_after_a_kill_in_the_middle_it_is_found_out(
    world: World, project: Compose, docker_engine: Engine
) -> None:
    service, engine = web(project), world.engine("local")
    operation, attempt = intent(await RECREATE.plan(service, {}, world), world)
    before = set(operation.before["containers"])
    act = asyncio.create_task(RECREATE.apply(operation, attempt, world))

    async def begun() -> bool:
        return bool({c.id for c in await engine.containers(service.target)} - before)

    await until(begun, 30, "the first new container")
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    # As after a kill of the daemon: Compose itself is ended at the deadline.
    late = replace(attempt, deadline=world.clock.now() - timedelta(seconds=1))
    found = await RECREATE.probe(operation, late, world)
    now = {c.id for c in await engine.containers(service.target)}
    if isinstance(found, Applied):
        assert not now & before
        return
    assert found.result["half_done"] is True
    if isinstance(found, Unknown):
        assert "remove all but one" in found.result["error"]
        assert (await refused(world, service)).reason is Reason.DRIFTED
        client = docker_engine.client()
        for id_ in now - before:
            client.containers.get(id_).remove(force=True)
        client.close()
    assert isinstance(await RECREATE.probe(operation, late, world), NotApplied)
    again, attempt = intent(await RECREATE.plan(service, {}, world), world)
    assert isinstance(await RECREATE.apply(again, attempt, world), Applied)


async def test_what_compose_did_not_make_is_refused(world: World, start_service: Any) -> None:
    name = start_service().name
    service = Service(name=name, target=Target(kind=TargetKind.CONTAINER, name=name))
    error = await refused(world, service)
    assert "not made by Docker Compose" in error.detail
