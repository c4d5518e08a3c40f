"""The metrics tell what committed events tell, and their labels stay bounded."""

from datetime import UTC, datetime, timedelta

import pytest

from remediator.metrics import Levels, Metrics
from remediator.model.event import Event
from remediator.model.run import Approval
from remediator.model.words import ApprovalStatus, Reason, Severity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def metrics():
    return Metrics("1.2.3")


def event(kind, puts=(), **data):
    return Event(chain="system", kind=kind, at=NOW, actor="daemon", data=data, puts=puts)


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"remediator_{name}", labels)


def test_a_notification_counts_with_its_alerts(metrics):
    metrics.observe(
        event("notification.taken_in", notification=1, alerts_firing=3, alerts_resolved=2, quarantined=1)
    )
    assert value(metrics, "notifications_received_total") == 1
    assert value(metrics, "alerts_received_total", status="firing") == 3
    assert value(metrics, "alerts_received_total", status="resolved") == 2
    assert value(metrics, "alerts_quarantined_total") == 1


def test_every_verdict_of_a_decision_counts(metrics):
    verdicts = [
        {"guardrail": "paused", "verdict": "hold", "reason": "paused", "detail": "x"},
        {"guardrail": "budget", "verdict": "allow", "reason": "ok", "detail": ""},
    ]
    metrics.observe(event("run.decided", verdicts=verdicts, overall="hold"))
    labels = {"guardrail": "paused", "verdict": "hold", "reason": "paused"}
    assert value(metrics, "guardrail_verdicts_total", **labels) == 1
    labels = {"guardrail": "budget", "verdict": "allow", "reason": "ok"}
    assert value(metrics, "guardrail_verdicts_total", **labels) == 1


def test_a_run_that_succeeded_counts_as_mitigation(metrics):
    metrics.observe(
        event(
            "run.finished",
            rule="app-down",
            action="restart",
            outcome="succeeded",
            seconds_verifying=20.0,
            seconds_since_incident=95.0,
        )
    )
    labels = {"rule": "app-down", "action": "restart", "outcome": "succeeded"}
    assert value(metrics, "remediations_total", **labels) == 1
    assert value(metrics, "verify_seconds_sum", action="restart") == 20
    assert value(metrics, "time_to_mitigate_seconds_sum") == 95


def test_alerts_that_nothing_classifies_are_counted(metrics):
    for by in ("rule", "table", "label", "nothing"):
        metrics.observe(event("episode.opened", classified_by=by))
    assert value(metrics, "alerts_unclassified_total") == 1


def test_a_run_that_failed_is_no_mitigation(metrics):
    metrics.observe(
        event("run.finished", rule="r", action=None, outcome="failed", seconds_since_incident=95.0)
    )
    assert value(metrics, "remediations_total", rule="r", action="none", outcome="failed") == 1
    assert value(metrics, "time_to_mitigate_seconds_count") == 0


@pytest.mark.parametrize("kind", ["attempt.applied", "attempt.failed"])
def test_acts_with_a_known_outcome_are_timed(metrics, kind):
    metrics.observe(event(kind, action="restart", seconds=2.0))
    metrics.observe(event("attempt.unknown", action="restart", seconds=60.0))
    assert value(metrics, "act_seconds_count", action="restart") == 1
    assert value(metrics, "act_seconds_sum", action="restart") == 2


@pytest.mark.parametrize("status", list(ApprovalStatus))
def test_approvals_count_by_what_became_of_them_whichever_event_ended_them(metrics, status):
    approval = Approval(
        id=1,
        run_id=1,
        digest="d",
        reason=Reason.SEVERITY_POLICY,
        status=status,
        needed=1,
        ask=1,
        requested_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
    )
    metrics.observe(event("run.finished", puts=(approval,)))
    shown = "requested" if status is ApprovalStatus.PENDING else status.value
    assert value(metrics, "approvals_total", status=shown) == 1


def test_messages_count_by_channel_and_what_came_of_them(metrics):
    for kind in ("message.retry", "message.delivered"):
        metrics.observe(event(kind, channel="chat"))
    assert value(metrics, "outbox_messages_total", channel="chat", status="retry") == 1
    assert value(metrics, "outbox_messages_total", channel="chat", status="delivered") == 1
    assert value(metrics, "outbox_messages_total", channel="chat", status="failed") is None


def test_a_refused_reload_keeps_the_time_of_the_last_good_one(metrics):
    metrics.observe(event("rules.loaded"))
    assert value(metrics, "config_last_reload_successful") == 1
    metrics.observe(event("rules.refused"))
    assert value(metrics, "config_last_reload_successful") == 0
    assert value(metrics, "config_last_reload_success_timestamp_seconds") == NOW.timestamp()


@pytest.mark.parametrize(
    "kind",
    [
        "notification.taken_in",
        "episode.opened",
        "run.decided",
        "run.finished",
        "attempt.applied",
        "message.delivered",
        "rules.loaded",
        "a.kind.of.tomorrow",
    ],
)
def test_an_event_without_its_optional_data_breaks_nothing(metrics, kind):
    metrics.observe(event(kind))
    assert b"remediator_build_info" in metrics.text()


def test_levels_replace_one_another(metrics):
    metrics.set_levels(
        Levels(
            ready=True,
            paused=True,
            incidents_open={Severity.P0: 2},
            approvals_pending=3,
            notifications_pending=4,
            outbox_oldest_seconds=5.5,
        )
    )
    assert value(metrics, "incidents_open", severity="P0") == 2
    assert value(metrics, "incidents_open", severity="P3") == 0
    assert value(metrics, "approvals_pending") == 3
    assert value(metrics, "notifications_pending") == 4
    assert value(metrics, "outbox_oldest_seconds") == 5.5
    assert value(metrics, "ready") == value(metrics, "paused") == 1
    metrics.set_levels(Levels(ready=False, paused=False))
    assert value(metrics, "incidents_open", severity="P0") == 0
    assert value(metrics, "ready") == value(metrics, "paused") == 0


def test_two_instances_share_nothing(metrics):
    metrics.observe(event("notification.taken_in"))
    assert value(Metrics("1.2.3"), "notifications_received_total") == 0


def test_the_exposition_names_the_build(metrics):
    assert b'remediator_build_info{python="' in metrics.text()
    assert b'version="1.2.3"' in metrics.text()


def test_series_that_alerts_are_written_on_exist_before_the_first_event(metrics):
    assert value(metrics, "alerts_received_total", status="firing") == 0
    assert value(metrics, "approvals_total", status="expired") == 0
    assert value(metrics, "reconcile_total", result="failed") == 0
