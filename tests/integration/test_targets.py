"""What the daemon acts on, and what it refuses to: containers, Compose, Swarm and named commands."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from docker.types import EndpointSpec, Healthcheck, UpdateConfig

from tests.integration.small import APP, command, fire, resolve, rule, rules
from tests.lab.compose import Compose
from tests.lab.program import Program
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker.models.containers import Container

    from tests.lab.container import ServiceContainer
    from tests.lab.daemon import Daemon
    from tests.lab.engine import Engine

HEALTHY = {"healthy": True, "resolved_within": "60s"}
RESTART = rules(rule("down", {"restart": {"timeout": "2s"}, "verify": HEALTHY}))
CRASH = "import urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:8000/crash', b''))"
SECOND = 1_000_000_000
# Found by name among everything on the engine, so nobody else's may be called the same.
SHOP, CART = (f"{name}-{secrets.token_hex(3)}" for name in ("shop", "cart"))


class Project:
    """A project of Compose with two services, of which only CART carries the daemon's label."""

    def __init__(self, engine: Engine, image: str, folder: Path) -> None:
        self.name = f"remediator-{secrets.token_hex(3)}"
        file = folder / f"{self.name}.yml"
        file.write_text(
            "services:\n"
            f"  {SHOP}: {{image: '{image}'}}\n"
            f"  {CART}: {{image: '{image}', labels: {{remediator.enable: 'true'}}}}\n"
        )
        self.compose = Compose(engine, self.name, file)
        self.client = engine.client()

    def container(self, service: str) -> Container:
        return self.client.containers.get(f"{self.name}-{service}-1")

    def crash(self, service: str) -> str:
        """Let the service's process end by itself; gives when it had been started."""
        container = self.container(service)
        container.exec_run(["python3", "-c", CRASH])
        until_sync(lambda: self.container(service).status == "exited", 30, f"the end of {service}")
        return str(container.attrs["State"]["StartedAt"])


@pytest.fixture(scope="module")
def start_project(
    docker_engine: Engine, service_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Project]]:
    """Factory: start_project(SHOP, CART) with only those services."""
    started: list[Project] = []

    def start(*services: str) -> Project:
        project = Project(docker_engine, service_image, tmp_path_factory.mktemp("compose"))
        started.append(project)
        project.compose.up(*services)
        return project

    yield start
    for project in started:
        project.compose.down()
        project.client.close()


@pytest.fixture(scope="module")
def project(start_project: Callable[..., Project]) -> Project:
    return start_project(SHOP, CART)


def test_a_compose_service_of_the_catalogue_is_mended(
    start_daemon: Callable[..., Daemon], docker_engine: Engine, project: Project
) -> None:
    target = {"compose_service": SHOP, "project": project.name}
    daemon = start_daemon(rules=RESTART, engine=docker_engine, services={SHOP: {"target": target}})
    before = project.crash(SHOP)

    fire(daemon, service=SHOP)
    daemon.wait_run(status="verifying")
    resolve(daemon, service=SHOP)
    run = daemon.wait_finished()

    assert run["outcome"] == "succeeded"
    assert project.container(SHOP).attrs["State"]["StartedAt"] > before
    plan = daemon.run(run["id"])["plan"]
    assert [operation["object_name"] for operation in plan["operations"]] == [f"{project.name}-{SHOP}-1"]


def test_a_compose_service_is_found_by_the_labels_alone(
    start_daemon: Callable[..., Daemon], docker_engine: Engine, project: Project
) -> None:
    daemon = start_daemon(rules=RESTART, engine=docker_engine)
    before = project.crash(CART)

    fire(daemon, service=CART)
    daemon.wait_run(status="verifying")
    resolve(daemon, service=CART)

    assert daemon.wait_finished()["outcome"] == "succeeded"
    assert project.container(CART).attrs["State"]["StartedAt"] > before


def test_what_is_not_allowed_is_refused_and_what_is_not_there_or_not_one_is_waited_for(
    start_daemon: Callable[..., Daemon],
    docker_engine: Engine,
    start_project: Callable[..., Project],
    start_service: Callable[..., ServiceContainer],
    project: Project,
) -> None:
    other = start_project(CART)
    unlabelled = start_service(labels={})
    several = {"target": {"compose_service": CART}}
    daemon = start_daemon(rules=RESTART, engine=docker_engine, services={"carts": several})

    refusals = {
        unlabelled.name: ("not_allowed", "lacks the label remediator.enable=true"),
        SHOP: ("not_allowed", "lacks the label remediator.enable=true"),
        "../../etc": ("no_target", "cannot be the name of a service"),
    }
    waiting = {CART: other.name, "carts": project.name, "nowhere": "nothing of that name"}
    for service in (*refusals, *waiting):
        fire(daemon, service=service)
    for service, (reason, told) in refusals.items():
        run = daemon.wait_finished(service=service)
        assert (run["outcome"], run["reason"]) == ("denied", reason), service
        assert told in run["detail"]
        assert daemon.run(run["id"])["attempts"] == []
    daemon.wait_metric("remediator_remediations_total", len(refusals), outcome="denied")
    for service, told in waiting.items():
        run = daemon.wait_run(service=service, status="held")
        assert (run["hold_reason"], run["outcome"]) == ("target_unclear", None), service
        assert told in run["hold_detail"]


def test_a_container_that_is_missing_for_a_moment_is_waited_for(
    start_daemon: Callable[..., Daemon], docker_engine: Engine, start_project: Callable[..., Project]
) -> None:
    project = start_project(CART)
    only = rule("down", {"restart": {"timeout": "2s"}, "verify": HEALTHY}) | {
        "guardrails": {"changed_by_others": "0s"}
    }
    target = {"compose_service": CART, "project": project.name}
    daemon = start_daemon(rules=rules(only), engine=docker_engine, services={CART: {"target": target}})
    project.container(CART).remove(force=True)
    fire(daemon, service=CART)
    daemon.wait_run(service=CART, status="held", hold_reason="target_unclear")

    project.compose.up(CART)
    daemon.wait_run(service=CART, status="verifying")
    resolve(daemon, service=CART)
    assert daemon.wait_finished()["outcome"] == "succeeded"


def test_an_alert_that_names_no_service_is_refused(start_daemon: Callable[..., Daemon]) -> None:
    daemon = start_daemon(rules=RESTART)
    fire(daemon, service="")
    run = daemon.wait_finished()
    assert (run["outcome"], run["reason"]) == ("denied", "no_service")


def test_a_swarm_service_is_mended_by_a_forced_update(
    start_daemon: Callable[..., Daemon], swarm: Engine, service_image: str
) -> None:
    client = swarm.client()
    service = client.services.create(
        service_image,
        name=f"web-{secrets.token_hex(4)}",
        labels={"remediator.enable": "true"},
        update_config=UpdateConfig(parallelism=1, monitor=SECOND // 2),
        healthcheck=Healthcheck(test=["CMD", "true"], interval=SECOND // 2, timeout=SECOND, retries=1),
        endpoint_spec=EndpointSpec(mode="dnsrr"),
        stop_grace_period=SECOND,
    )
    try:
        until_sync(lambda: _running(service), 60, "the first task")
        before = _running(service)
        verify = {**HEALTHY, "steady": "1s"}
        daemon = start_daemon(rules=rules(rule("down", {"restart": {}, "verify": verify})), engine=swarm)

        fire(daemon, service=service.name)
        daemon.wait_run(status="verifying")
        resolve(daemon, service=service.name)

        assert daemon.wait_finished()["outcome"] == "succeeded"
        after = _running(service)
        assert len(after) == 1
        assert not after & before
        service.reload()
        assert service.attrs["Spec"]["TaskTemplate"]["ForceUpdate"] == 1
    finally:
        service.remove()
        client.close()


def test_a_named_command_that_succeeds_is_verified(
    start_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    mend = Program(tmp_path)
    daemon = start_daemon(
        rules=rules(rule("broken", command("mend"))), services=APP, commands={"mend": mend.command()}
    )

    fire(daemon)
    run = daemon.wait_run(status="verifying")
    assert mend.ended() == 1
    resolve(daemon)

    assert daemon.wait_finished()["outcome"] == "succeeded"
    (attempt,) = daemon.run(run["id"])["attempts"]
    assert attempt["result"]["exit_code"] == 0
    assert attempt["result"]["output"] == "mend ends with 0\n"


@pytest.mark.parametrize("way", ["exit code", "time"])
def test_a_named_command_that_fails_climbs_the_ladder(
    start_daemon: Callable[..., Daemon], tmp_path: Path, way: str
) -> None:
    first, second = Program(tmp_path, "first", code=3), Program(tmp_path, "second")
    if way == "time":
        first.hold()
    daemon = start_daemon(
        rules=rules(rule("broken", command("first"), command("second"))),
        services=APP,
        commands={"first": first.command(timeout="500ms"), "second": second.command()},
    )

    fire(daemon)
    daemon.wait_run(status="verifying", step=1)
    resolve(daemon)
    run = daemon.run(daemon.wait_finished()["id"])

    assert run["outcome"] == "succeeded"
    assert [attempt["status"] for attempt in run["attempts"]] == ["failed", "applied"]
    why = "not done within 0.5 s" if way == "time" else "exit code 3: first ends with 3"
    assert run["attempts"][0]["result"]["error"] == why
    assert (first.calls(), second.calls()) == (1, 1)


def test_a_ladder_without_a_further_step_ends_as_failed(
    start_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    mend = Program(tmp_path, code=1)
    daemon = start_daemon(
        rules=rules(rule("broken", command("mend"))), services=APP, commands={"mend": mend.command()}
    )
    fire(daemon)
    run = daemon.wait_finished()
    assert (run["outcome"], run["reason"]) == ("failed", "act_failed")
    assert mend.calls() == 1


def _running(service: Any) -> set[str]:
    """The tasks that run now."""
    return {
        task["ID"]
        for task in service.tasks({"desired-state": "running"})
        if task["Status"]["State"] == "running"
    }
