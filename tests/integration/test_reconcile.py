"""The state held against real Alertmanagers: several of them, muted alerts, and what no webhook told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.small import APP, command, rule, rules
from tests.lab.program import Program
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.alertmanager import Alertmanager
    from tests.lab.daemon import Daemon

BROKEN = {"alertname": "Broken", "service": "app"}
QUICK = {"resolved_within": "60s", "stays": "500ms"}


@pytest.fixture
def mend(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def start(start_daemon: Callable[..., Daemon], mend: Program) -> Callable[..., Daemon]:
    """Factory: a daemon that asks these Alertmanagers, and is posted to by those that are told to."""

    def start(*asked: Alertmanager, severity: str = "P1", **options: Any) -> Daemon:
        return start_daemon(
            rules=rules(rule("broken", command("mend", **QUICK)) | {"severity": severity}),
            services=APP,
            commands={"mend": mend.command()},
            alertmanagers=[one.url for one in asked],
            hasty=True,
            **options,
        )

    return start


def _posts_to(alertmanager: Alertmanager, daemon: Daemon) -> None:
    alertmanager.webhook = f"{daemon.url}/api/v1/webhook"
    alertmanager.token_file = daemon.token_files["ingest"]
    alertmanager.reload()


def _reconciled(daemon: Daemon, result: str) -> None:
    """Until the state was held against the Alertmanagers twice more: the second began after now."""
    done = daemon.metric("remediator_reconcile_total", result=result)
    daemon.wait_metric("remediator_reconcile_total", done + 2, result=result)


def _ready(daemon: Daemon) -> dict[str, Any]:
    """The checks of /-/ready, at most two seconds old."""
    checks: dict[str, Any] = daemon.ask("GET", "/-/ready").json()["checks"]
    return checks


def test_an_alert_that_no_webhook_tells_of_is_taken_in_mended_and_closed(
    start: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    alertmanager = start_alertmanager()
    daemon = start(alertmanager)

    alertmanager.fire(BROKEN)
    daemon.wait_run(status="verifying")
    assert mend.calls() == 1
    assert daemon.get("/api/v1/incidents/1")["alerts"][0]["labels"] == BROKEN
    alertmanager.resolve(BROKEN)

    assert daemon.wait_finished()["outcome"] == "succeeded"
    daemon.wait_incident(status="resolved")
    assert daemon.metric("remediator_notifications_received_total") == 0
    told = daemon.wait_event("alerts.reconciled")["data"]
    assert (told["first"], told["complete"]) == (True, True)


def test_an_episode_whose_end_no_webhook_tells_of_is_closed(
    start: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    alertmanager = start_alertmanager()
    daemon = start(alertmanager, severity="P0")
    _posts_to(alertmanager, daemon)
    alertmanager.fire(BROKEN)
    daemon.wait_approval()

    alertmanager.webhook = None
    alertmanager.reload()
    alertmanager.resolve(BROKEN)

    run = daemon.wait_finished()
    assert (run["outcome"], run["reason"]) == ("cancelled", "resolved")
    assert daemon.get("/api/v1/incidents/1")["alerts"][0]["closed_by"] == "reconcile"
    assert mend.calls() == 0


def test_one_alertmanager_of_two_that_is_away_proves_nothing(
    start: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    first, second = start_alertmanager(), start_alertmanager()
    daemon = start(first, second, severity="P0")
    _posts_to(first, daemon)
    first.fire(BROKEN)
    second.fire(BROKEN)
    asked = daemon.wait_approval()

    first.stop()
    second.resolve(BROKEN)
    until_sync(lambda: not second.alerts(), 30, "the alert's end at the second")
    _reconciled(daemon, "failed")
    assert daemon.wait_incident()["status"] == "open"
    assert daemon.wait_approval()["id"] == asked["id"]
    until_sync(lambda: first.url in _ready(daemon)["alertmanager"]["detail"], 30, "its name on /-/ready")

    first.start()  # it has forgotten the alert, and settled at once, as the lab has it
    run = daemon.wait_finished()
    assert (run["outcome"], run["reason"]) == ("cancelled", "resolved")
    assert mend.calls() == 0


def test_one_alertmanager_of_two_is_enough_to_act_on(
    start: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    first, second = start_alertmanager(), start_alertmanager()
    daemon = start(first, second)
    first.stop()

    second.fire(BROKEN)
    daemon.wait_run(status="verifying")
    assert mend.calls() == 1
    second.resolve(BROKEN)
    _reconciled(daemon, "failed")
    assert daemon.wait_run()["status"] == "verifying", "nobody can prove that it is over"
    first.start()
    assert daemon.wait_finished()["outcome"] == "succeeded"


def test_nothing_is_done_before_an_alertmanager_has_answered(
    start: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    alertmanager = start_alertmanager()
    daemon = start(alertmanager)
    daemon.stop()
    alertmanager.fire(BROKEN)
    until_sync(alertmanager.alerts, 30, "the alert")
    alertmanager.stop()

    daemon.ready_path = "/-/healthy"
    daemon.start()
    _reconciled(daemon, "failed")
    assert not _ready(daemon)["alertmanager"]["ok"]
    assert daemon.runs() == []

    alertmanager.start()
    alertmanager.fire(BROKEN)
    until_sync(lambda: daemon.ask("GET", "/-/ready").ok, 30, "200 from /-/ready")
    daemon.wait_run(status="verifying")
    assert mend.calls() == 1


def test_one_that_answers_is_enough_to_be_ready_though_it_proves_nothing_yet(
    start: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    """The whole stack was started a moment ago, and a second Alertmanager is still to come."""
    first, second = start_alertmanager(), start_alertmanager()
    second.stop()
    daemon = start(first, second, alertmanager_settle="5m")
    detail = _ready(daemon)["alertmanager"]["detail"]
    assert f"{first.url}: it was started" in detail
    assert second.url in detail

    first.fire(BROKEN)
    daemon.wait_run(status="verifying")
    assert mend.calls() == 1


def test_a_silenced_alert_is_not_acted_on_until_the_silence_is_over(
    start: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    alertmanager = start_alertmanager()
    daemon = start(alertmanager, severity="P0")
    _posts_to(alertmanager, daemon)
    alertmanager.fire(BROKEN)
    asked = daemon.wait_approval()
    silence = alertmanager.silence({"alertname": "Broken"})
    until_sync(
        lambda: [one["status"]["state"] for one in alertmanager.alerts()] == ["suppressed"], 30, "the silence"
    )

    _reconciled(daemon, "ok")  # what was heard of an alert a moment ago is believed
    daemon.approve(asked["id"])
    run = daemon.wait_run(status="held")
    assert run["hold_reason"] == "muted"
    _reconciled(daemon, "ok")
    assert daemon.wait_run()["status"] == "held", "a muted alert is not over"
    assert mend.calls() == 0

    alertmanager.expire(silence)
    daemon.wait_run(status="verifying")
    assert mend.calls() == 1
    alertmanager.resolve(BROKEN)
    assert daemon.wait_finished()["outcome"] == "succeeded"
    assert len(daemon.approvals()) == 1


def test_what_is_routed_to_others_is_left_alone(
    start: Callable[..., Daemon], start_alertmanager: Callable[..., Alertmanager], mend: Program
) -> None:
    config = {
        "route": {
            "receiver": "others",
            "group_wait": "200ms",
            "routes": [{"receiver": "remediator", "matchers": ['team="app"']}],
        },
        "receivers": [{"name": "others"}, {"name": "remediator"}],
    }
    alertmanager = start_alertmanager(config=config)
    daemon = start(alertmanager, receiver="remediator")
    alertmanager.fire(BROKEN | {"team": "others"})
    alertmanager.fire(BROKEN | {"team": "app"})

    daemon.wait_run(status="verifying")
    _reconciled(daemon, "ok")
    assert [one["labels"]["team"] for one in daemon.get("/api/v1/incidents/1")["alerts"]] == ["app"]
    assert len(daemon.incidents()) == 1
    assert mend.calls() == 1
