"""What survives a stop, a start and a reload: acts under way, questions to people, and the kill switch."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.small import APP, command, fire, resolve, rule, rules
from tests.lab.notification import alert, notification
from tests.lab.program import Program
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.daemon import Daemon

BROKEN = rules(rule("broken", command("mend")))
GRAVE = rules(rule("broken", command("mend")) | {"severity": "P0"})


@pytest.fixture
def mend(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    program.release(missing_ok=True)


@pytest.fixture
def start(start_daemon: Callable[..., Daemon], mend: Program) -> Callable[..., Daemon]:
    """Factory: a daemon that knows the command `mend`."""

    def start(rules: str = BROKEN, **options: object) -> Daemon:
        entry = {"argv": [str(mend.path)], "timeout": "20s", "probe": "done"}
        # The probe says yes once the program has come to its end.
        probe = {"argv": ["/usr/bin/test", "-e", str(mend.folder / "ended")]}
        return start_daemon(
            rules=rules, services=APP, commands={"mend": entry, "done": probe}, **{"hasty": True, **options}
        )

    return start


def _succeeds(daemon: Daemon) -> int:
    """Until the run is verified; its number."""
    daemon.wait_run(status="verifying")
    resolve(daemon)
    run = daemon.wait_finished()
    assert run["outcome"] == "succeeded"
    number: int = run["id"]
    return number


# ---- stopping


def test_an_act_under_way_is_finished_and_recorded(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start()
    mend.hold()
    fire(daemon)
    mend.wait_begun()

    daemon.terminate()
    until_sync(lambda: not daemon.is_ready(), 30, "503 from /-/ready")
    answer = daemon.notify(notification(alert("Late")))
    assert (answer.status, answer.json()["error"]["code"]) == (503, "draining")
    mend.release()
    assert daemon.wait_end() == 0

    daemon.start()
    kinds = daemon.kinds("system")
    assert kinds.index("daemon.stopped") < len(kinds) - 1 - kinds[::-1].index("daemon.started")
    run = daemon.wait_run()
    assert run["status"] == "verifying"
    assert [a["status"] for a in daemon.run(_succeeds(daemon))["attempts"]] == ["applied"]
    assert "run.probing" not in daemon.kinds()
    assert mend.calls() == 1
    assert daemon.incidents(status="open") == []


def test_an_act_longer_than_the_drain_is_left_to_the_probe(
    start: Callable[..., Daemon], mend: Program
) -> None:
    daemon = start(drain="500ms")
    mend.hold()
    fire(daemon)
    mend.wait_begun()

    daemon.terminate()
    assert daemon.wait_end() == 0
    mend.release()
    mend.wait_ended()

    daemon.start()
    number = _succeeds(daemon)
    assert [a["status"] for a in daemon.run(number)["attempts"]] == ["applied"]
    assert "run.probing" in daemon.kinds()
    assert mend.calls() == 1


def test_an_act_that_outlives_the_daemon_is_ended_and_told_by_its_probe(
    start: Callable[..., Daemon], mend: Program
) -> None:
    daemon = start(drain="0s")
    daemon.settings["commands"]["mend"]["timeout"] = "1s"
    assert daemon.reload().ok
    mend.hold()
    fire(daemon)
    mend.wait_begun()
    daemon.terminate()
    assert daemon.wait_end() == 0

    daemon.start()
    fire(daemon)  # without an API, what was told before the start has to be told again
    until_sync(lambda: mend.calls() == 2, 30, "a new attempt, once the first is over")
    mend.release()
    number = _succeeds(daemon)
    assert [a["status"] for a in daemon.run(number)["attempts"]] == ["not_applied", "applied"]
    assert mend.ended() == 1, "the first was killed at its deadline"


def test_nothing_is_begun_while_the_daemon_stops(start: Callable[..., Daemon], mend: Program) -> None:
    """A second alert waits for the same service when the stop comes: it is acted on after the start."""
    two = rules(rule("broken", command("mend")), rule("slow", command("mend"), alertname="Slow"))
    daemon = start(two)
    mend.hold()
    fire(daemon)
    mend.wait_begun()
    fire(daemon, "Slow")
    daemon.wait_run(rule="slow", status="held", hold_reason="locked")

    daemon.terminate()
    until_sync(lambda: not daemon.is_ready(), 30, "503 from /-/ready")
    mend.release()
    assert daemon.wait_end() == 0
    assert mend.calls() == 1

    daemon.start()
    fire(daemon, "Slow")  # without an API, what was told before the start has to be told again
    daemon.wait_run(rule="broken", status="verifying")
    resolve(daemon)
    daemon.wait_run(rule="slow", status="verifying")
    resolve(daemon, "Slow")
    until_sync(lambda: len(daemon.runs(status="finished")) == 2, 30, "both runs")
    assert {run["outcome"] for run in daemon.runs()} == {"succeeded"}
    assert mend.calls() == 2


# ---- reloading


class Load(threading.Thread):
    """Posts notifications without a pause, and keeps how each was answered."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__()
        self.daemon_ = daemon
        self.statuses: list[int] = []
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            body = notification(alert("Load", instance=str(len(self.statuses))))
            self.statuses.append(self.daemon_.notify(body).status)

    def __enter__(self) -> Load:
        self.start()
        until_sync(lambda: self.statuses, 30, "the first answer")
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()


@pytest.mark.parametrize("way", ["HTTP", "SIGHUP"])
def test_a_reload_takes_all_or_nothing_and_loses_no_alert(
    start: Callable[..., Daemon], mend: Program, way: str
) -> None:
    daemon = start()
    version = daemon.get("/api/v1/status")["rules_version"]

    def reload(rules: str) -> int:
        daemon.rules = rules
        if way == "HTTP":
            return daemon.reload().status
        daemon.write_config()
        assert daemon.process is not None
        os.kill(daemon.process.pid, signal.SIGHUP)
        return 0

    with Load(daemon) as load:
        assert reload(BROKEN + "  nonsense: yes\n") in (0, 400)
        refused = daemon.wait_event("rules.refused")
        assert "rules.yml:" in refused["data"]["errors"][0]
        assert daemon.get("/api/v1/status")["rules_version"] == version
        ready = daemon.ask("GET", "/-/ready")
        assert ready.ok, "the old rules are in force, so it can work"
        assert "the last reload was refused" in ready.json()["checks"]["rules"]["detail"]

        assert reload(rules(rule("other", command("mend"), alertname="Other"))) in (0, 200)
        until_sync(lambda: daemon.kinds("system").count("rules.loaded") == 2, 30, "the new rules")
        assert daemon.get("/api/v1/status")["rules_version"] != version
        detail = daemon.ask("GET", "/-/ready").json()["checks"]["rules"]["detail"]
        assert "refused" not in detail

    assert set(load.statuses) == {200}
    daemon.wait_metric("remediator_incidents_open", len(load.statuses))
    fire(daemon)
    fire(daemon, "Other")
    assert daemon.wait_run()["rule"] == "other"
    mend.wait_ended()
    assert len(daemon.runs()) == 1, "the old rule is gone"


def test_a_reload_that_is_asked_for_during_the_start_follows_it(start: Callable[..., Daemon]) -> None:
    daemon = start()
    daemon.stop()
    with daemon.log.open("ab") as log:
        environment = {**os.environ, **daemon.environment()}
        daemon.process = subprocess.Popen(daemon.argv(), stdout=log, stderr=log, env=environment)
    status = Path(f"/proc/{daemon.process.pid}/status")
    until_sync(lambda: _catches(status, signal.SIGTERM), 30, "the process to take signals", interval=0.001)
    daemon.process.send_signal(signal.SIGHUP)

    until_sync(daemon.is_ready, 30, "200 from /-/ready")
    twice = ["daemon.started", "rules.loaded", "rules.loaded"]
    until_sync(lambda: daemon.kinds("system")[-3:] == twice, 30, "the reload")


def _catches(status: Path, number: signal.Signals) -> bool:
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def test_a_run_whose_rule_is_taken_away_while_it_waits_is_cancelled(
    start: Callable[..., Daemon], mend: Program
) -> None:
    daemon = start(GRAVE)
    fire(daemon)
    approval = daemon.wait_approval()

    daemon.rules = rules(rule("other", command("mend"), alertname="Other"))
    assert daemon.reload().ok

    run = daemon.wait_finished()
    assert (run["outcome"], run["reason"]) == ("cancelled", "rule_gone")
    assert daemon.get(f"/api/v1/approvals/{approval['id']}")["status"] == "cancelled"
    assert mend.calls() == 0


def test_a_question_about_a_rule_that_has_changed_meanwhile_is_asked_anew(
    start: Callable[..., Daemon], mend: Program
) -> None:
    daemon = start(GRAVE)
    fire(daemon)
    first = daemon.wait_approval()

    daemon.rules = rules(rule("broken", command("mend", resolved_within="61s")) | {"severity": "P0"})
    assert daemon.reload().ok
    second = daemon.wait_approval(ask=2)

    assert second["run"] == first["run"]
    assert second["digest"] != first["digest"]
    late = daemon.ask("POST", f"/api/v1/approvals/{first['id']}/approve", {})
    assert (late.status, "superseded" in late.json()["error"]["message"]) == (409, True)
    assert mend.calls() == 0
    daemon.approve(second["id"], digest=second["digest"])
    _succeeds(daemon)
    assert mend.calls() == 1


# ---- what people said


def test_a_question_and_its_answer_survive_a_restart(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start(GRAVE)
    fire(daemon)
    approval = daemon.wait_approval()

    daemon.restart(kill=True)
    assert daemon.wait_approval()["id"] == approval["id"]
    fire(daemon)  # without an API, what was told before the start has to be told again
    daemon.approve(approval["id"], digest=approval["digest"])

    _succeeds(daemon)
    assert mend.calls() == 1
    assert len(daemon.approvals()) == 1


def test_a_question_that_expired_while_the_daemon_was_down_is_asked_again(
    start: Callable[..., Daemon], mend: Program
) -> None:
    daemon = start(GRAVE, severities={"P0": {"approval_expires": "2s"}})
    fire(daemon)
    first = daemon.wait_approval()

    daemon.kill()
    expires = datetime.fromisoformat(first["expires_at"])
    until_sync(lambda: datetime.now(UTC) > expires, 30, "the question's end")
    daemon.settings["severities"]["P0"]["approval_expires"] = "10m"
    daemon.start()
    fire(daemon)  # without an API, what was told before the start has to be told again

    second = daemon.wait_approval(ask=2)
    assert daemon.get(f"/api/v1/approvals/{first['id']}")["status"] == "expired"
    assert mend.calls() == 0
    daemon.approve(second["id"])
    _succeeds(daemon)


def test_the_kill_switch_survives_a_restart(start: Callable[..., Daemon], mend: Program) -> None:
    daemon = start()
    daemon.pause("an exercise", by="bob")
    daemon.restart(kill=True)

    fire(daemon)
    run = daemon.wait_run(status="held")
    assert (run["hold_reason"], run["hold_detail"]) == ("paused", "paused by bob: an exercise")
    assert daemon.reload().ok
    assert daemon.get("/api/v1/status")["paused"] is True
    assert mend.calls() == 0

    daemon.resume()
    _succeeds(daemon)
    assert mend.calls() == 1
    assert daemon.ask("POST", "/api/v1/resume", {}).status == 409


def test_a_pause_file_holds_without_any_daemon(
    start: Callable[..., Daemon], mend: Program, tmp_path: Path
) -> None:
    file = tmp_path / "pause"
    file.touch()
    daemon = start(pause_file=str(file))

    fire(daemon)
    run = daemon.wait_run(status="held")
    assert run["hold_reason"] == "paused"
    assert str(file) in run["hold_detail"]
    daemon.pause()
    answer = daemon.ask("POST", "/api/v1/resume", {})
    assert (answer.status, str(file) in answer.json()["error"]["message"]) == (409, True)
    assert mend.calls() == 0

    file.unlink()
    _succeeds(daemon)
