"""How bad an alert is: by the rule, by the table, by its own label; and what nobody classifies."""

from typing import Any

import pytest

from remediator.decide import acting, intake
from remediator.decide.classify import Classified, classify
from remediator.decide.draft import Draft
from remediator.decide.facts import Records
from remediator.decide.guardrails import shadow
from remediator.model.alert import Alert, Episode
from remediator.model.rule import Classification
from remediator.model.run import Incident, Run
from remediator.model.snapshot import Snapshot
from remediator.model.verdict import Allow, Deny
from remediator.model.words import IncidentType, Mode, Outcome, Reason, RunStatus, Severity
from tests.unit.decide.asks import a_request, reason_of
from tests.unit.decide.case import NOON, Case, a_plan, a_rule

PAGE = Classification(severity=Severity.P0, type=IncidentType.DATA_ISSUE)
PLAIN: dict[str, Any] = {"severity": None, "type": None}


def draft(snapshot: Snapshot | None = None, table: Classification | None = None) -> Draft:
    """A draft over which the table says this of every alert."""
    return Draft(snapshot or Snapshot(), NOON, classify=lambda _: table)


def classified(severity: Severity, kind: IncidentType | None, by: str) -> Classified:
    return Classified(severity=severity, type=kind, by=by)


OUTAGE = IncidentType.SERVICE_OUTAGE


@pytest.mark.parametrize(
    ("rule", "table", "label", "expected"),
    [
        ({}, PAGE, "warning", classified(Severity.P1, OUTAGE, "rule")),
        (PLAIN, PAGE, "warning", classified(Severity.P0, IncidentType.DATA_ISSUE, "table")),
        (PLAIN | {"type": OUTAGE}, PAGE, "", classified(Severity.P0, OUTAGE, "table")),
        ({"type": None}, PAGE, "", classified(Severity.P1, IncidentType.DATA_ISSUE, "rule")),
        (PLAIN, Classification(severity=Severity.P1), "info", classified(Severity.P1, None, "table")),
        (PLAIN, None, "warning", classified(Severity.P2, None, "label")),
        (PLAIN, None, "dreadful", classified(Severity.P3, None, "nothing")),
        (PLAIN, None, "", classified(Severity.P3, None, "nothing")),
        (None, PAGE, "", classified(Severity.P0, IncidentType.DATA_ISSUE, "table")),
        (None, None, "critical", classified(Severity.P1, None, "label")),
        (None, None, "", classified(Severity.P3, None, "nothing")),
    ],
)
def test_the_rule_says_else_the_table_else_the_label(
    rule: dict[str, Any] | None, table: Classification | None, label: str, expected: Classified
) -> None:
    labels = {"severity": label} if label else {}
    assert classify(draft(table=table), labels, None if rule is None else a_rule(**rule)) == expected


def an_alert(**labels: str) -> Alert:
    return Alert.model_validate(
        {
            "status": "firing",
            "labels": {"alertname": "Down", "service": "robo-rlhf", **labels},
            "startsAt": NOON,
            "fingerprint": "a1",
        }
    )


def taken_in(table: Classification | None, **labels: str) -> tuple[Draft, Incident]:
    case = Case()
    made = draft(case.snapshot, table)
    intake.take_in(made, an_alert(**labels), a_rule(**PLAIN), case.policy)
    return made, case.incident


def test_an_incident_is_what_the_table_says_of_its_alert_and_the_record_tells_so() -> None:
    made, incident = taken_in(PAGE)
    assert (incident.severity, incident.type) == (Severity.P0, IncidentType.DATA_ISSUE)
    (opened,) = (event for event in made.events if event.kind == "episode.opened")
    assert (opened.data["severity"], opened.data["classified_by"]) == ("P0", "table")


def test_an_alert_that_nothing_classifies_is_p3_and_said_to_be_so() -> None:
    made, incident = taken_in(None)
    assert (incident.severity, incident.type) == (Severity.P3, None)
    (opened,) = (event for event in made.events if event.kind == "episode.opened")
    assert (opened.data["severity"], opened.data["classified_by"]) == ("P3", "nothing")


def decided(rule: dict[str, Any], *alerts: Classification | None, by_hand: bool = False) -> Run:
    """What becomes of a run whose alerts the table says this of."""
    case = Case(a_rule(**rule))
    if by_hand:
        case.start()
    else:
        for number, _ in enumerate(alerts):
            case.fire(f"a{number}", number=str(number))
    table = {str(number): says for number, says in enumerate(alerts)}
    made = Draft(case.snapshot, NOON, classify=lambda labels: table[labels["number"]])
    rule, records = case.rules["app-down"], Records(alerts=case.all(Episode))
    acting.decide(made, case.run, rule, case.policy, case.facts(case.run), records, a_plan("w"))
    return case.run


def test_what_nothing_classifies_is_decided_and_recorded_and_not_done() -> None:
    run = decided(PLAIN, None)
    assert (run.outcome, run.reason) == (Outcome.SHADOW, Reason.SHADOW)
    assert "no classification" in str(run.detail)


@pytest.mark.parametrize(
    ("rule", "alerts"),
    [
        (PLAIN, (Classification(severity=Severity.P2),)),
        (PLAIN, (None, Classification(severity=Severity.P3))),
        ({"severity": Severity.P3}, (None,)),
    ],
)
def test_one_word_about_one_of_the_alerts_is_enough_to_act(
    rule: dict[str, Any], alerts: tuple[Classification | None, ...]
) -> None:
    assert decided(rule, *alerts).status is RunStatus.ACTING


def test_a_run_by_hand_needs_no_classification() -> None:
    assert decided(PLAIN, by_hand=True).status is RunStatus.ACTING


def test_alerts_are_only_read_where_their_labels_matter() -> None:
    assert acting.alerts_wanted(a_rule()) == 0
    assert acting.alerts_wanted(a_rule(**PLAIN)) > 0


def test_the_mode_is_told_before_the_missing_classification() -> None:
    request = a_request(rule={"mode": Mode.SHADOW})
    assert "rule app-down" in shadow.judge(request, NOON).detail
    assert type(shadow.judge(a_request(), NOON)) is Allow
    assert reason_of(shadow.judge(request, NOON), Deny) is Reason.SHADOW
