"""What a daemon has done is taken back by its own hand, for a person, also after it was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.small import APP, rule, rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.daemon import Daemon


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
