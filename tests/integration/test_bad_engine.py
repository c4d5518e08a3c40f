"""A Docker Engine that is away, slow, refuses, or acts when nobody waits any more: named, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.integration.small import fire, resolve, rule, rules
from tests.lab.container import ServiceContainer
from tests.lab.engine_proxy import EngineProxy
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.daemon import Daemon, Form
    from tests.lab.engine import Engine

RESTART = {"restart": {"timeout": "0s"}, "verify": {"healthy": True, "resolved_within": "60s"}}


class Scene:
    """A service that has crashed, its engine behind a proxy, and the daemon that is to mend it."""

    def __init__(self, service: ServiceContainer, proxy: EngineProxy, daemon: Daemon) -> None:
        self.service = service
        self.proxy = proxy
        self.daemon = daemon
        self.before = service.restarts()
        service.crash()

    def restarts(self) -> int:
        """How often the engine restarted the service since then, by its own record."""
        return self.service.restarts() - self.before

    def is_mended(self) -> Form:
        """Until the run has succeeded; the run with its attempts. The engine restarted it exactly once."""
        self.daemon.wait_run(status="verifying")
        resolve(self.daemon)
        run = self.daemon.wait_finished()
        assert (run["outcome"], run["reason"]) == ("succeeded", "verified")
        assert self.restarts() == 1
        return self.daemon.run(run["id"])

    def statuses(self) -> list[str]:
        """What is known of each attempt of the run."""
        return [attempt["status"] for attempt in self.daemon.run(1)["attempts"]]


@pytest.fixture(scope="module")
def service(docker_engine: Engine, service_image: str) -> Iterator[ServiceContainer]:
    """One for all, since every test begins with its crash."""
    with ServiceContainer(docker_engine, service_image) as service:
        yield service


@pytest.fixture
def proxy(docker_engine: Engine, tmp_path: Path) -> Iterator[EngineProxy]:
    with EngineProxy(docker_engine, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def scene(service: ServiceContainer, proxy: EngineProxy, start_daemon: Callable[..., Daemon]) -> Scene:
    if not service.healthy():
        service.container.restart(timeout=0)
        until_sync(service.healthy, 60, "the service's health")
    daemon = start_daemon(
        rules=rules(rule("down", RESTART)),
        services={"app": {"target": {"container": service.name}}},
        engines={"local": {"host": proxy.host, "timeout": "1s"}},
        hasty=True,
    )
    return Scene(service, proxy, daemon)


def test_one_that_is_away_holds_until_it_is_back(scene: Scene) -> None:
    scene.proxy.stop()

    fire(scene.daemon)
    run = scene.daemon.wait_run(status="held")
    assert run["hold_reason"] == "world_unreadable"
    assert "Docker engine local: cannot be reached" in run["hold_detail"]
    until_sync(lambda: not scene.daemon.is_ready(), 30, "503 from /-/ready")
    checks = scene.daemon.ask("GET", "/-/ready").json()["checks"]
    assert [name for name, check in checks.items() if not check["ok"]] == ["engine local"]

    scene.proxy.start()
    scene.is_mended()
    until_sync(scene.daemon.is_ready, 30, "200 from /-/ready")


@pytest.mark.parametrize("way", ["refuse", "hold", "drop"])
def test_one_that_does_not_tell_holds_until_it_does(scene: Scene, way: str) -> None:
    scene.proxy.misbehave(way)  # type: ignore[arg-type]

    fire(scene.daemon)
    run = scene.daemon.wait_run(status="held")
    assert run["hold_reason"] == "world_unreadable"
    why = {"refuse": "HTTP 500: the lab says no", "hold": "no answer within 1 s", "drop": "no answer within"}
    assert why[way] in run["hold_detail"]
    assert scene.statuses() == []

    scene.proxy.behave()
    scene.is_mended()


def test_a_restart_that_it_refuses_has_failed(scene: Scene) -> None:
    scene.proxy.misbehave("refuse", "/restart")

    fire(scene.daemon)
    run = scene.daemon.wait_finished()

    assert (run["outcome"], run["reason"]) == ("failed", "act_failed")
    assert "HTTP 500: the lab says no" in run["detail"]
    assert scene.statuses() == ["failed"]
    assert scene.restarts() == 0


def test_a_restart_whose_answer_is_lost_is_found_done(scene: Scene) -> None:
    scene.proxy.misbehave("swallow", "/restart")

    fire(scene.daemon)
    run = scene.is_mended()

    assert [attempt["status"] for attempt in run["attempts"]] == ["applied"]
    assert run["attempts"][0]["result"]["probed"] is True


def test_a_restart_that_comes_after_its_time_is_found_done(scene: Scene) -> None:
    scene.proxy.misbehave("hold", "/restart")

    fire(scene.daemon)
    scene.daemon.wait_run(status="probing")
    assert scene.restarts() == 0
    scene.proxy.behave()
    run = scene.is_mended()

    assert [attempt["status"] for attempt in run["attempts"]] == ["applied"]


def test_a_restart_that_nobody_answered_is_for_a_person_to_settle(scene: Scene) -> None:
    """The engine took the request: no deadline proves that it will not carry it out later."""
    scene.proxy.misbehave("drop", "/restart")

    fire(scene.daemon)
    scene.daemon.wait_run(status="unknown")
    assert scene.restarts() == 0
    scene.proxy.behave()
    scene.daemon.settle(1, applied=False)
    run = scene.is_mended()

    assert [attempt["status"] for attempt in run["attempts"]] == ["not_applied", "applied"]


def test_one_that_is_away_when_it_should_tell_is_asked_again(scene: Scene) -> None:
    scene.proxy.misbehave("hold", "/restart")

    fire(scene.daemon)
    scene.daemon.wait_run(status="probing")
    scene.proxy.stop()
    scene.proxy.behave()
    until_sync(lambda: scene.restarts() == 1, 30, "the restart")
    deadline = datetime.fromisoformat(scene.daemon.run(1)["attempts"][0]["deadline"])
    until_sync(lambda: datetime.now(UTC) > deadline, 30, "the time at which the probe counts")
    assert scene.statuses() == ["intent"]
    scene.proxy.start()

    scene.is_mended()
