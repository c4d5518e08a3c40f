"""docker-compose.test.yml as a whole: the daemon from its image mends a service that Compose runs."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import images, tokens
from tests.lab.answer import ask
from tests.lab.compose import Compose
from tests.lab.paths import ROOT, LabError
from tests.lab.process import free_port
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.engine import Engine
    from tests.lab.images import Images

PORTS = ("PROMETHEUS_PORT", "ALERTMANAGER_PORT", "REMEDIATOR_PORT", "SERVICE_PORT")


@pytest.fixture
def lab(docker_engine: Engine, lab_images: Images, tmp_path: Path) -> Iterator[Compose]:
    """All of the file, up and healthy, beside whatever else of it runs on this machine."""
    project = f"remediator-test-{secrets.token_hex(4)}"
    config = tmp_path / "remediator.yml"
    config.write_text((ROOT / "tests/lab/remediator.yml").read_text().replace("remediator-lab", project))
    tokens.ensure()
    assert docker_engine.socket is not None
    env = {
        **lab_images.env(),
        **{port: str(free_port()) for port in PORTS},
        "REMEDIATOR_IMAGE": images.remediator(docker_engine, lab_images.python),
        "REMEDIATOR_CONFIG": str(config),
        "DOCKER_SOCKET": str(docker_engine.socket),
        "DOCKER_GID": str(docker_engine.socket.stat().st_gid),
    }
    compose = Compose(docker_engine, project, env=env)
    try:
        compose.up()
        yield compose
    finally:
        try:
            print(compose.run("logs", "remediator"))
        except LabError as error:
            print(error)
        compose.down()


def test_the_image_mends_a_compose_service(lab: Compose, docker_engine: Engine) -> None:
    daemon = f"http://127.0.0.1:{lab.env['REMEDIATOR_PORT']}"
    token = tokens.ensure()["operator-alice"].read_text().strip()
    client = docker_engine.client()
    service = client.containers.get(lab.container("robo-rlhf"))
    before = service.attrs["State"]["StartedAt"]

    def runs() -> list[dict[str, Any]]:
        return list(ask("GET", f"{daemon}/api/v1/runs", token=token).json()["runs"])

    def state() -> dict[str, Any]:
        service.reload()
        return dict(service.attrs["State"])

    try:
        with pytest.raises(OSError):
            ask("POST", f"http://127.0.0.1:{lab.env['SERVICE_PORT']}/crash")
        # The rule wants it to stay well for minutes; here it is enough that the daemon acted and looks on.
        until_sync(lambda: any(run["status"] == "verifying" for run in runs()), 90, "the daemon's act")
        until_sync(lambda: state()["Health"]["Status"] == "healthy", 60, "the service's health")
        assert state()["StartedAt"] > before
        (run,) = runs()
        assert run["rule"] == "robo-rlhf-down"
        told = ask("GET", f"{daemon}/api/v1/runs/{run['id']}", token=token).json()
        assert [attempt["status"] for attempt in told["attempts"]] == ["applied"]
        assert told["attempts"][0]["object_id"] == service.id
    finally:
        client.close()
