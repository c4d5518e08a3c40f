"""From alerts to episodes, incidents and runs."""

from datetime import timedelta

import pytest

from remediator.decide.intake import RECONCILE
from remediator.model.alert import Episode
from remediator.model.run import Incident, Run
from remediator.model.words import EpisodeStatus, IncidentStatus, IncidentType, Outcome, Reason, Severity
from tests.unit.decide.case import NOON, Case, a_rule, minutes


def test_a_new_alert_opens_an_episode_an_incident_and_a_run() -> None:
    case = Case()
    assert case.fire() == "opened"
    assert case.kinds == ["incident.opened", "episode.opened", "run.proposed"]
    assert (case.incident.severity, case.incident.type) == (Severity.P1, IncidentType.SERVICE_OUTAGE)
    assert case.incident.title == "ApplicationDown on robo-rlhf"
    assert (case.run.rule, case.run.service, case.run.requested_by) == ("app-down", "robo-rlhf", "alert")


def test_a_repeat_adds_nothing_to_the_record() -> None:
    case = Case()
    case.fire()
    mark = len(case.events)
    for _ in range(3):
        case.after(minutes(5))
        assert case.fire() == "repeated"
        assert case.fire(source=RECONCILE) == "repeated"
    assert case.since(mark) == []


def test_a_start_that_moves_because_prometheus_restarted_is_the_same_episode() -> None:
    case = Case()
    case.fire(starts_at=NOON)
    case.after(minutes(3))
    assert case.fire(starts_at=case.now) == "repeated"
    assert case.after(minutes(1)).resolve(starts_at=NOON) == "closed"
    assert len(case.all(Episode)) == 1


def test_a_resolved_alert_ends_its_episode_its_waiting_run_and_its_incident() -> None:
    case = Case()
    case.fire()
    mark = len(case.events)
    assert case.after(minutes(1)).resolve() == "closed"
    assert case.since(mark) == ["episode.closed", "run.finished", "incident.resolved"]
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.RESOLVED)
    episode = case.all(Episode)[0]
    assert (episode.status, episode.closed_by, episode.ends_at) == (
        EpisodeStatus.RESOLVED,
        "webhook",
        case.now,
    )


def test_resolved_twice_adds_nothing() -> None:
    case = Case()
    case.fire()
    case.after(minutes(1)).resolve()
    mark = len(case.events)
    assert case.resolve() == "repeated"
    assert case.since(mark) == []


def test_an_end_is_all_that_is_heard_of_an_alert() -> None:
    case = Case()
    assert case.resolve() == "unheard"
    assert case.kinds == ["episode.unheard"]
    assert [(e.firing, e.incident_id) for e in case.all(Episode)] == [(False, None)]
    assert case.all(Incident) == case.all(Run) == []
    assert case.resolve() == "repeated"


def test_a_firing_that_comes_after_its_end_opens_nothing() -> None:
    case = Case()
    case.after(minutes(5)).resolve(starts_at=NOON)
    assert case.fire(starts_at=NOON) == "stale"
    assert case.fire(starts_at=NOON + minutes(6)) == "opened"


def test_the_end_of_an_episode_that_was_never_heard_of_is_remembered_beside_older_ones() -> None:
    case = Case()
    case.fire()
    case.after(minutes(1)).resolve()
    began = case.after(minutes(1)).now
    assert case.after(minutes(1)).resolve(starts_at=began) == "unheard"
    assert case.fire(starts_at=began) == "stale"


def test_the_resolved_of_an_earlier_episode_does_not_end_this_one() -> None:
    case = Case()
    case.fire(starts_at=NOON)
    assert case.resolve(ends_at=NOON - minutes(10)) == "stale"
    assert case.incident.open


def test_a_resolved_without_its_end_ends_now() -> None:
    case = Case()
    case.fire()
    case.after(minutes(2))
    zero = NOON.replace(year=1, month=1, day=1, hour=0)
    assert case.resolve(ends_at=zero) == "closed"
    assert case.all(Episode)[0].ends_at == case.now


@pytest.mark.parametrize(
    ("starts", "answer"),
    [
        (timedelta(minutes=-3), "stale"),  # a cluster's duplicate, or a retry that took long
        (timedelta(0), "stale"),
        (timedelta(milliseconds=1), "opened"),
    ],
)
def test_a_new_episode_starts_after_the_last_one_ended(starts: timedelta, answer: str) -> None:
    case = Case()
    case.fire()
    case.after(minutes(5)).resolve()
    ended = case.now
    assert case.after(minutes(1)).fire(starts_at=ended + starts) == answer


def test_the_api_tells_of_now_so_an_old_start_does_not_make_it_stale() -> None:
    case = Case()
    case.fire()
    case.after(minutes(5)).resolve()
    assert case.fire(starts_at=NOON) == "stale"
    assert case.fire(starts_at=NOON, source=RECONCILE) == "opened"
    assert len(case.all(Run)) == 2


def test_an_answer_of_the_api_from_before_the_end_opens_nothing() -> None:
    case = Case()
    case.fire()
    asked = case.after(minutes(5)).now
    case.after(minutes(1)).resolve()
    assert case.fire(starts_at=NOON, source=RECONCILE, seen_at=asked) == "stale"
    assert case.fire(starts_at=NOON, source=RECONCILE, seen_at=case.now) == "opened"


def test_an_end_by_our_clock_is_not_before_the_start_by_another() -> None:
    case = Case()
    ahead = NOON + minutes(2)
    case.fire(starts_at=ahead)
    case.after(minutes(1)).seen_gone()
    assert case.fire(starts_at=ahead) == "stale"


def test_one_alert_by_webhook_and_by_the_api_is_one_episode() -> None:
    case = Case()
    assert case.fire(source=RECONCILE) == "opened"
    assert case.fire() == "repeated"
    assert len(case.all(Run)) == 1


def test_an_alert_whose_end_was_lost_is_closed_by_the_reconciler() -> None:
    case = Case()
    case.fire()
    case.after(minutes(9)).seen_gone()
    assert case.all(Episode)[0].closed_by == "reconcile"
    assert not case.incident.open


def test_an_alert_that_nobody_tells_of_any_more_is_lost_and_nobody_waits_for_it() -> None:
    case = Case(a_rule(severity=Severity.P0))
    case.fire()
    case.decide()
    case.after(minutes(60 * 25)).lose()
    assert case.all(Episode)[0].closed_by == "lost"
    assert (case.run.reason, case.run.detail) == (Reason.RESOLVED, "nobody told of the alert any more")
    assert not case.incident.open


def test_what_was_lost_and_is_heard_of_again_fires_again() -> None:
    case = Case()
    case.fire(starts_at=NOON)
    case.after(minutes(60 * 25)).lose()
    assert case.fire(starts_at=NOON) == "opened"


def test_a_flapping_alert_is_an_episode_an_incident_and_a_run_each_time() -> None:
    case = Case()
    for _ in range(3):
        case.after(minutes(1)).fire()
        case.after(minutes(1)).resolve()
    assert len(case.all(Episode)) == len(case.all(Incident)) == len(case.all(Run)) == 3


def test_two_alerts_of_one_rule_on_one_service_share_incident_and_run() -> None:
    case = Case()
    case.fire("a1")
    case.fire("a2")
    assert len(case.all(Episode)) == 2
    assert len(case.all(Incident)) == len(case.all(Run)) == 1


def test_a_run_waits_until_the_last_of_its_alerts_is_over() -> None:
    case = Case()
    case.fire("a1")
    case.fire("a2")
    case.resolve("a1")
    assert not case.run.finished
    case.resolve("a2")
    assert case.run.reason is Reason.RESOLVED


def test_two_rules_on_one_service_share_the_incident_and_have_a_run_each() -> None:
    case = Case(a_rule("app-down"), a_rule("errors", severity=Severity.P2))
    case.fire("a1", rule="app-down")
    case.fire("a2", rule="errors")
    assert len(case.all(Incident)) == 1
    assert [r.rule for r in case.all(Run)] == ["app-down", "errors"]
    case.resolve("a1")
    assert [r.finished for r in case.all(Run)] == [True, False]
    assert case.incident.open


def test_services_have_incidents_of_their_own() -> None:
    case = Case()
    case.fire("a1", service="robo-rlhf")
    case.fire("a2", service="redis")
    assert [i.correlation_key for i in case.all(Incident)] == ["service:robo-rlhf", "service:redis"]


def test_the_service_that_the_rule_names_beats_the_label() -> None:
    case = Case(a_rule(service="robo-rlhf"))
    case.fire(service="something-else")
    assert case.run.service == "robo-rlhf"


@pytest.mark.parametrize(
    ("of_rule", "label", "severity"),
    [
        (Severity.P0, "info", Severity.P0),
        (None, "critical", Severity.P1),
        (None, "warning", Severity.P2),
        (None, "info", Severity.P3),
        (None, "P0", Severity.P3),
        (None, None, Severity.P3),
    ],
)
def test_severity(of_rule: Severity | None, label: str | None, severity: Severity) -> None:
    case = Case(a_rule(severity=of_rule))
    case.fire(**({"severity": label} if label else {}))
    assert case.incident.severity is severity


def test_a_worse_alert_raises_the_severity_of_its_incident_and_a_milder_one_does_not_lower_it() -> None:
    case = Case(a_rule("mild", severity=Severity.P2), a_rule("bad", severity=Severity.P0), a_rule("app-down"))
    case.fire("a1", rule="mild")
    case.fire("a2", rule="bad")
    assert case.incident.severity is Severity.P0
    changed = next(e for e in case.events if e.kind == "incident.changed")
    assert (changed.data["before"], changed.data["severity"]) == ("P2", "P0")
    mark = len(case.events)
    case.fire("a3", rule="app-down")
    assert case.incident.severity is Severity.P0
    assert "incident.changed" not in case.since(mark)


def test_an_incident_learns_its_type_from_the_first_rule_that_knows_it() -> None:
    case = Case(a_rule("typed", severity=Severity.P3), a_rule("other", type=IncidentType.DATA_ISSUE))
    case.fire("a1", rule=None)
    assert case.incident.type is None
    case.fire("a2", rule="typed")
    case.fire("a3", rule="other")
    assert case.incident.type is IncidentType.SERVICE_OUTAGE


def test_an_alert_that_no_rule_matches_is_an_incident_without_a_run() -> None:
    case = Case()
    case.fire(rule=None, service=None, fingerprint="f0")
    assert (case.incident.correlation_key, case.incident.service) == ("alert:f0", None)
    assert case.incident.title == "ApplicationDown"
    assert case.all(Run) == []
    case.resolve("f0")
    assert case.incident.status is IncidentStatus.RESOLVED


def test_a_rule_without_any_service_to_act_on_is_denied_and_told() -> None:
    case = Case()
    case.fire(service=None)
    assert (case.run.outcome, case.run.reason) == (Outcome.DENIED, Reason.NO_SERVICE)
    assert [m.kind for m in case.told()] == ["denied"]
    assert case.incident.open


def test_each_channel_gets_a_message_of_its_own() -> None:
    case = Case()
    case.fire(service=None)
    assert sorted(m.channel for m in case.snapshot.all(type(case.told()[0]))) == ["hook", "pager"]


def test_a_new_alert_after_the_incident_is_over_opens_a_new_incident() -> None:
    case = Case()
    case.fire()
    case.after(minutes(1)).resolve()
    case.after(minutes(1)).fire()
    assert [i.status for i in case.all(Incident)] == [IncidentStatus.RESOLVED, IncidentStatus.OPEN]


def test_a_run_that_acts_is_not_stopped_by_the_end_of_its_alert() -> None:
    case = Case()
    case.fire()
    case.decide()
    case.after(minutes(1)).resolve()
    assert not case.run.finished
    assert case.incident.open
