"""A full disk: nothing is accepted that cannot be kept, nothing kept is lost, and it ends with the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.small import APP, command, fire, resolve, rule, rules
from tests.lab.disk import Limit, may_mount, of_root
from tests.lab.notification import alert, notification
from tests.lab.program import Program
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.daemon import Daemon
    from tests.lab.disk import Disk

WAYS = ["full", "limited"] if may_mount() else ["limited"]
LARGE = "x" * 60_000


@pytest.fixture
def mend(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture(params=WAYS)
def crammed(
    request: pytest.FixtureRequest, start_daemon: Callable[..., Daemon], mend: Program, tmp_path: Path
) -> Iterator[tuple[Daemon, Disk]]:
    """A daemon, and the disk that its store lies on."""
    options = {
        "rules": rules(rule("broken", command("mend"))),
        "services": APP,
        "commands": {"mend": mend.command()},
    }
    if request.param == "limited":
        daemon = start_daemon(**options)
        yield daemon, Limit(daemon)
        return
    with of_root(tmp_path / "disk") as disk:
        daemon = start_daemon(**options, store=str(disk.folder / "remediator.db"))
        yield daemon, disk
        daemon.stop()


class Poster:
    """Posts notifications, one alert each, and knows which of them were accepted."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.accepted: list[str] = []
        self._next = 0

    def post(self, text: str) -> bool:
        """Whether the next one was accepted; it is the same one again until it is."""
        name = f"Other{self._next}"
        answer = self.daemon.notify(notification(alert(name, text=text)))
        if answer.status == 200:
            self.accepted.append(name)
            self._next += 1
            return True
        assert answer.status == 503, answer
        assert answer.json()["error"]["code"] == "store_failed"
        assert answer.headers["Retry-After"]
        return False

    def until_refused(self) -> None:
        """Until there is no room, neither for much nor for little."""
        for text in (LARGE, "little"):
            until_sync(lambda text=text: not self.post(text), 60, "503", interval=0)  # type: ignore[misc]


def test_what_cannot_be_kept_is_not_accepted(crammed: tuple[Daemon, Disk]) -> None:
    daemon, disk = crammed
    poster = Poster(daemon)
    assert all(poster.post(LARGE) for _ in range(10))

    disk.fill()
    poster.until_refused()
    until_sync(lambda: not poster.post("little") and not daemon.is_ready(), 30, "503 from /-/ready")
    assert daemon.ask("GET", "/-/ready").json()["checks"]["store"]["ok"] is False
    assert daemon.ask("GET", "/-/healthy").status == 200

    disk.free()
    until_sync(lambda: poster.post(LARGE), 30, "200 for what was refused")
    until_sync(daemon.is_ready, 30, "200 from /-/ready")
    daemon.wait_metric("remediator_incidents_open", len(poster.accepted))
    assert [incident["title"] for incident in reversed(daemon.incidents())] == poster.accepted
    assert "Traceback" not in daemon.log.read_text()


def test_a_stop_on_a_full_disk_is_an_orderly_one(crammed: tuple[Daemon, Disk]) -> None:
    daemon, disk = crammed
    poster = Poster(daemon)
    assert all(poster.post(LARGE) for _ in range(10))
    disk.fill()
    poster.until_refused()

    daemon.terminate()
    assert daemon.wait_end() == 0
    log = daemon.log.read_text()
    assert "the record does not tell of the stop" in log
    assert "Traceback" not in log

    disk.free()
    daemon.start()
    daemon.wait_metric("remediator_incidents_open", len(poster.accepted))


def test_what_was_done_meanwhile_gets_on_the_record(crammed: tuple[Daemon, Disk], mend: Program) -> None:
    daemon, disk = crammed
    poster = Poster(daemon)
    assert all(poster.post(LARGE) for _ in range(10))
    mend.hold()
    fire(daemon)
    mend.wait_begun()

    disk.fill()
    poster.until_refused()
    mend.release()
    until_sync(lambda: "the store cannot write; trying again" in daemon.log.read_text(), 30, "a second try")
    assert daemon.wait_run()["status"] == "acting"

    disk.free()
    daemon.wait_run(status="verifying", rule="broken")
    resolve(daemon)
    run = daemon.wait_finished()
    assert run["outcome"] == "succeeded"
    assert [attempt["status"] for attempt in daemon.run(run["id"])["attempts"]] == ["applied"]
    assert mend.calls() == 1
