"""The closed loop on real components, told as a time line: from Prometheus to the Docker Engine and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.house import in_order, rules
from tests.lab.wait import until_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.house import House


def test_a_crash_is_mended_verified_and_on_the_record(build: Callable[..., House]) -> None:
    house = build(rules("P1"))
    daemon = house.daemon

    house.service.crash()
    run = daemon.wait_finished()

    assert (run["outcome"], run["reason"]) == ("succeeded", "verified")
    assert house.service.healthy()
    assert house.restarted
    assert house.restarts() == 1
    until_sync(lambda: not house.fires(), 30, "the alert's end in Alertmanager")

    in_order(
        house.kinds(run["incident"]),
        "incident.opened",
        "episode.opened",
        "run.proposed",
        "run.triaged",
        "run.decided",
        "attempt.applied",
        "run.verifying",
        "run.finished",
    )
    daemon.wait_event("incident.resolved", f"incident:{run['incident']}")
    assert house.kinds(run["incident"]).count("run.decided") == 1

    told = daemon.run(run["id"])
    assert [attempt["status"] for attempt in told["attempts"]] == ["applied"]
    assert {found["check"] for found in told["evidence"]} == {"containers", "logs"}

    ended = {"rule": "app-down", "action": "restart", "outcome": "succeeded"}
    assert daemon.metric("remediator_remediations_total", **ended) == 1
    assert daemon.metric("remediator_alerts_received_total", status="firing") >= 1
    assert daemon.metric("remediator_act_seconds_count", action="restart") == 1
    assert daemon.metric("remediator_incidents_open") == 0
    assert daemon.audit().returncode == 0


def test_p0_waits_for_a_person_and_acts_when_approved(build: Callable[..., House]) -> None:
    house = build(rules("P0"))
    daemon = house.daemon

    house.service.crash()
    approval = daemon.wait_approval()
    assert house.service.status() == "exited", "nothing may be done before somebody has said yes"
    told = daemon.get(f"/api/v1/approvals/{approval['id']}")
    assert {found["check"] for found in told["evidence"]} == {"containers", "logs"}

    daemon.approve(approval["id"], by="alice", digest=approval["digest"], reason="go on")
    run = daemon.wait_finished()

    assert run["outcome"] == "succeeded"
    assert house.restarts() == 1
    in_order(
        house.kinds(run["incident"]),
        "run.triaged",
        "approval.requested",
        "approval.decided",
        "approval.granted",
        "run.decided",
        "attempt.applied",
        "run.finished",
    )
    granted = daemon.wait_event("approval.granted", f"incident:{run['incident']}")
    assert granted["actor"] == "alice"


def test_p0_that_is_denied_does_nothing(build: Callable[..., House]) -> None:
    house = build(rules("P0"))

    house.service.crash()
    approval = house.daemon.wait_approval()
    house.daemon.deny(approval["id"], reason="the data would be lost", by="bob")
    run = house.daemon.wait_finished()

    assert (run["outcome"], run["reason"]) == ("denied", "denied_by_person")
    assert "bob" in run["detail"]
    assert house.restarts() == 0
    assert house.service.status() == "exited"
    assert house.daemon.ask("POST", f"/api/v1/approvals/{approval['id']}/approve", {}).status == 409


def test_p0_whose_alert_ends_while_it_waits_is_cancelled(build: Callable[..., House]) -> None:
    house = build(rules("P0"))

    house.service.crash()
    approval = house.daemon.wait_approval()
    house.service.container.start()  # somebody mends it by hand
    run = house.daemon.wait_finished()

    assert (run["outcome"], run["reason"]) == ("cancelled", "resolved")
    assert house.restarts() == 0
    assert house.daemon.get(f"/api/v1/approvals/{approval['id']}")["status"] == "cancelled"


def test_p0_that_nobody_answers_is_asked_again(build: Callable[..., House]) -> None:
    house = build(rules("P0"), severities={"P0": {"mode": "approve", "approval_expires": "2s"}})

    house.service.crash()
    first = house.daemon.wait_approval()
    house.daemon.wait_approval(status="expired")
    second = house.daemon.wait_approval(ask=2)

    assert second["run"] == first["run"]
    assert house.restarts() == 0


def test_what_somebody_stopped_is_left_alone(build: Callable[..., House]) -> None:
    house = build(rules("P1"), guardrails={"changed_by_others": "10s"})
    # Its making, a moment ago, counts as a change by others, too; the test is about its stop.
    until_sync(lambda: _age(house) > 11, 30, "eleven seconds after its making")

    house.service.container.stop(timeout=1)
    run = house.daemon.wait_run(status="held")

    assert run["hold_reason"] == "changed_by_others"
    assert house.service.name in run["hold_detail"]
    assert house.restarts() == 0
    held = {"guardrail": "changed_by_others", "verdict": "hold", "reason": "changed_by_others"}
    house.daemon.wait_metric("remediator_guardrail_verdicts_total", 1, **held)

    house.service.container.start()
    assert house.daemon.wait_finished()["outcome"] == "cancelled"
    assert house.restarts() == 0


def _age(house: House) -> float:
    """Seconds since the service's process was started, by its own metrics."""
    found = house.prometheus.value("time() - process_start_time_seconds")
    assert found is not None
    return found
