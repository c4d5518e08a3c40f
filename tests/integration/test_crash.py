"""The daemon dies in the middle of an act, or is away for a while: nothing is lost, nothing done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.house import in_order, rules
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.house import House

# The loop itself runs with both versions; what is told here lies in the daemon.
pytestmark = pytest.mark.parametrize("lab_version", ["new"], indirect=True)


def test_killed_between_intent_and_act(build: Callable[..., House]) -> None:
    """The act did not happen: it is done once, as a new attempt through the guardrails."""
    house = build(rules("P1"), crash_at="after_intent", hasty=True)
    daemon = house.daemon

    house.service.crash()
    assert daemon.wait_end() == -9
    assert house.restarts() == 0
    daemon.crash_at = None
    daemon.start()
    run = daemon.wait_finished(seconds=180)

    assert run["outcome"] == "succeeded"
    assert house.restarts() == 1
    assert [a["status"] for a in daemon.run(run["id"])["attempts"]] == ["not_applied", "applied"]
    kinds = house.kinds(run["incident"])
    in_order(kinds, "run.decided", "run.probing", "attempt.not_applied", "run.decided", "attempt.applied")
    assert daemon.audit().returncode == 0


def test_killed_between_act_and_record(build: Callable[..., House]) -> None:
    """The act did happen: it is found done, not done again, and verified."""
    house = build(rules("P1"), crash_at="after_apply", hasty=True)
    daemon = house.daemon

    house.service.crash()
    assert daemon.wait_end() == -9
    assert house.restarts() == 1
    daemon.crash_at = None
    daemon.start()
    run = daemon.wait_finished(seconds=180)

    assert run["outcome"] == "succeeded"
    assert house.restarts() == 1
    assert [a["status"] for a in daemon.run(run["id"])["attempts"]] == ["applied"]
    in_order(house.kinds(run["incident"]), "run.decided", "run.probing", "attempt.applied", "run.verifying")
    assert daemon.audit().returncode == 0


def test_what_fired_and_ended_while_the_daemon_was_down(build: Callable[..., House]) -> None:
    """The reconciler takes in what still fires, closes what ended, and nothing stale is acted on."""
    house = build(rules("P0"))
    daemon = house.daemon
    house.service.crash()
    waiting = daemon.wait_approval()
    daemon.kill()

    house.service.container.start()
    until_sync(lambda: not house.fires(), 60, "the alert's end in Alertmanager")
    missed = {"alertname": "Missed", "job": "elsewhere"}
    house.alertmanager.fire(missed)
    daemon.start()

    run = daemon.wait_finished()
    assert (run["outcome"], run["reason"]) == ("cancelled", "resolved")
    assert daemon.get(f"/api/v1/approvals/{waiting['id']}")["status"] == "cancelled"
    daemon.wait_incident(title="Missed")
    assert house.restarts() == 0


def test_prometheus_restarted_under_a_firing_alert(build: Callable[..., House]) -> None:
    """The alert's start moves, and yet it is one incident and one act."""
    house = build(rules("P0"))
    house.service.crash()
    approval = house.daemon.wait_approval()

    before = house.prometheus.alerts("ApplicationDown")[0]["activeAt"]
    house.prometheus.restart()
    until_sync(
        lambda: any(
            alert["state"] == "firing" and alert["activeAt"] != before
            for alert in house.prometheus.alerts("ApplicationDown")
        ),
        60,
        "the alert with another start",
    )
    house.daemon.approve(approval["id"])
    run = house.daemon.wait_finished()

    assert run["outcome"] == "succeeded"
    assert house.restarts() == 1
    assert len(house.daemon.incidents()) == 1
    assert len(house.daemon.runs()) == 1
