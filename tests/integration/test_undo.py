"""What a daemon has done is taken back by its own hand, for a person, also after it was killed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.integration.small import APP, rule, rules
from tests.lab import compose as lab_compose
from tests.lab.compose import Compose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.daemon import Daemon
    from tests.lab.engine import Engine


def test_a_command_is_taken_back_by_the_one_that_undoes_it(
    start_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    page = tmp_path / "maintenance"
    daemon = start_daemon(
        rules=rules(rule("broken", {"command": "close"})),
        services=APP,
        commands={
            "close": {"argv": ["/usr/bin/touch", str(page)], "undo": "open"},
            "open": {"argv": ["/usr/bin/unlink", str(page)]},
        },
        hasty=True,
    )
    run = daemon.start_run("broken", "app")["id"]
    daemon.wait_finished(id=run)
    assert page.exists()

    daemon.kill()
    daemon.restart()
    told = daemon.cli("undo", str(run), "--reason", "all is well")
    assert told.returncode == 0, told.stderr
    assert "takes run 1 back" in told.stdout
    undo = daemon.wait_finished(undoes=run)
    assert (undo["outcome"], undo["reason"], undo["requested_by"]) == ("succeeded", "taken_back", "alice")
    assert not page.exists()

    again = daemon.cli("undo", str(run))
    assert again.returncode != 0
    assert "nothing more that can be taken back" in again.stderr
    assert daemon.audit().returncode == 0


@pytest.mark.docker
@pytest.mark.slow
def test_a_compose_service_is_scaled_up_and_back(
    start_daemon: Callable[..., Daemon],
    docker_engine: Engine,
    service_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "compose.yml"
    file.write_text(f"services:\n  web:\n    image: {service_image}\n    stop_grace_period: 1s\n")
    compose = Compose(docker_engine, f"remediator-{secrets.token_hex(3)}", file)
    words, env = lab_compose.command()
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    try:
        compose.up("web")
        first = compose.container("web")
        daemon = start_daemon(
            rules=rules(rule("busy", {"scale": {"by": "+1", "max": 2}, "verify": {"healthy": True}})),
            services={"web": {"target": {"compose_service": "web", "project": compose.project}}},
            engine=docker_engine,
            compose=[*words],
            hasty=True,
        )
        run = daemon.start_run("busy", "web")["id"]
        done = daemon.wait_finished(90, id=run)
        assert (done["outcome"], len(compose.ps())) == ("succeeded", 2), daemon.run(run)

        told = daemon.cli("undo", str(run))
        assert told.returncode == 0, told.stderr
        assert daemon.wait_finished(90, undoes=run)["outcome"] == "succeeded"
        assert compose.container("web") == first
    finally:
        compose.down()
