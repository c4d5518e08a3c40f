"""What a rule may wait for: that an alert has fired for long, hours, more alerts, another incident's end."""

from datetime import timedelta
from typing import Any

import pytest

from remediator.decide.facts import Answer
from remediator.decide.guardrails import firing_for, unless_open, when
from remediator.model.alert import Episode
from remediator.model.hours import Hours, When
from remediator.model.verdict import Allow, Hold
from remediator.model.words import EpisodeStatus, Reason, RunStatus
from tests.unit.decide.asks import a_request, reason_of, until_of
from tests.unit.decide.case import NOON, Case, a_rule, minutes
from tests.unit.store.given import incident

BY_HAND = {"requested_by": "alice"}


def an_alert(ago: timedelta) -> Episode:
    return Episode(
        id=1,
        fingerprint="a1",
        incident_id=1,
        rule="app-down",
        status=EpisodeStatus.FIRING,
        labels={"alertname": "Down"},
        annotations={},
        generator_url="",
        starts_at=NOON - ago,
        opened_at=NOON,
    )


# Firing for


def wanting(length: timedelta, *alerts: Episode, **changes: Any) -> Any:
    return firing_for.judge(a_request(rule={"firing_for": length}, alerts=alerts, **changes), NOON)


def test_an_alert_that_has_not_fired_for_long_enough_holds_until_it_has() -> None:
    verdict = wanting(minutes(10), an_alert(minutes(4)))
    assert (reason_of(verdict, Hold), until_of(verdict)) == (Reason.NOT_FIRING_LONG, NOON + minutes(6))


def test_the_oldest_alert_counts() -> None:
    assert type(wanting(minutes(10), an_alert(minutes(1)), an_alert(minutes(10)))) is Allow


def test_a_rule_that_wants_nothing_and_a_run_by_hand_do_not_wait() -> None:
    assert type(firing_for.judge(a_request(alerts=(an_alert(minutes(0)),)), NOON)) is Allow
    assert type(wanting(minutes(10), run=BY_HAND)) is Allow


# When

MINUTE_OF_NOON = (NOON.hour * 60, NOON.hour * 60 + 1)
NOW = Hours(times=(MINUTE_OF_NOON,))
NEVER = Hours(years=((1999, 1999),))


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        (When(), None),
        (When(active=(NOW,)), None),
        (When(active=(NEVER, NOW)), None),
        (When(active=(NEVER,)), Reason.OUTSIDE_HOURS),
        (When(mute=(NEVER,)), None),
        (When(mute=(NEVER, NOW)), Reason.OUTSIDE_HOURS),
        (When(active=(NOW,), mute=(NOW,)), Reason.OUTSIDE_HOURS),
        (When(alerts=3), None),
        (When(alerts=4), Reason.TOO_FEW_ALERTS),
    ],
)
def test_conditions_that_do_not_hold_hold_the_run(conditions: When, reason: Reason | None) -> None:
    verdict = when.judge(a_request(rule={"when": conditions}, alerts_of_incident=3), NOON)
    if reason is None:
        assert type(verdict) is Allow
    else:
        assert (reason_of(verdict, Hold), until_of(verdict)) == (reason, NOON + timedelta(seconds=15))


def test_a_run_by_hand_keeps_to_the_hours_but_needs_no_alerts() -> None:
    few = a_request(rule={"when": When(alerts=4)}, run=BY_HAND)
    late = a_request(rule={"when": When(active=(NEVER,))}, run=BY_HAND)
    assert type(when.judge(few, NOON)) is Allow
    assert type(when.judge(late, NOON)) is Hold


UP = When(promql="up == 1")


def asked(answer: Answer | None, **changes: Any) -> Any:
    return when.judge(a_request(rule={"when": UP}, world={"answer": answer}, **changes), NOON)


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (Answer(promql="up == 1", met=True, series=1), None, "`up == 1` holds"),
        (Answer(promql="up == 1"), Reason.CONDITION_NOT_MET, "`up == 1` has no series"),
        (Answer(promql="up == 1", series=1, told=(({}, "0"),)), Reason.CONDITION_NOT_MET, "is 0"),
        (
            Answer(promql="up == 1", error="refused"),
            Reason.FACT_UNREADABLE,
            "did not answer `up == 1`: refused",
        ),
        (Answer(promql="down", met=True), Reason.FACT_UNREADABLE, "it was not asked"),
        (None, Reason.FACT_UNREADABLE, "it was not asked"),
    ],
)
def test_what_prometheus_says_to_the_rules_expression(
    answer: Answer | None, reason: Reason | None, words: str
) -> None:
    verdict = asked(answer)
    assert words in verdict.detail
    if reason is None:
        assert type(verdict) is Allow
    else:
        assert (reason_of(verdict, Hold), until_of(verdict)) == (reason, NOON + timedelta(seconds=15))


def test_a_run_by_hand_asks_prometheus_too() -> None:
    assert type(asked(Answer(promql="up == 1"), run=BY_HAND)) is Hold


# Unless open


def test_an_open_incident_of_a_named_service_holds() -> None:
    verdict = unless_open.judge(a_request(others_open=(incident(77, "redis"),)), NOON)
    assert reason_of(verdict, Hold) is Reason.OTHER_INCIDENT_OPEN
    assert verdict.detail == "incident 77 of redis is open"
    assert type(unless_open.judge(a_request(), NOON)) is Allow


@pytest.mark.parametrize(("service", "held"), [("redis", True), ("postgres", True), ("web", False)])
def test_only_incidents_of_the_named_services_hold(service: str, held: bool) -> None:
    case = Case(a_rule(unless_open=("redis", "postgres")))
    case.fire()
    case.fire("b2", rule=None, service=service)
    case.decide()
    assert case.run.status is (RunStatus.HELD if held else RunStatus.ACTING)
    assert case.run.hold_reason is (Reason.OTHER_INCIDENT_OPEN if held else None)


def test_when_the_other_incident_is_over_the_run_goes_on() -> None:
    case = Case(a_rule(unless_open=("redis",)))
    case.fire("b2", rule=None, service="redis")
    case.fire()
    case.decide()
    assert case.run.status is RunStatus.HELD
    case.after(minutes(1)).resolve("b2")
    case.decide()
    assert case.run.status is RunStatus.ACTING
