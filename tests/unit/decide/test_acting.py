"""A run up to its act: what each answer of triage, planning and the guardrails leads to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remediator.decide.policy import Policy, SeverityPolicy
from remediator.model.plan import Plan
from remediator.model.rule import Budget, Guards
from remediator.model.run import Attempt, Lock, Run
from remediator.model.verdict import Allow, Deny, Hold
from remediator.model.words import AttemptStatus, Mode, Outcome, Reason, RunStatus, Severity
from remediator.model.world import ActFailed, ObjectChange
from tests.unit.decide.case import NOON, SERVICE, Case, a_plan, a_rule, minutes


def test_what_nobody_objects_to_is_committed_as_an_intent_with_lock_and_deadline() -> None:
    case = Case()
    case.fire()
    mark = len(case.events)
    judgement = case.decide(planned=a_plan("web-1"))
    assert judgement is not None
    assert type(judgement.overall) is Allow
    assert case.since(mark) == ["run.decided"]
    attempt = case.attempt()
    assert (attempt.status, attempt.object_id, attempt.intent_at) == (
        AttemptStatus.INTENT,
        "id-web-1",
        case.now,
    )
    assert attempt.deadline == case.now + timedelta(seconds=60 + 5)
    assert case.run.status is RunStatus.ACTING
    assert case.lock == Lock(service=SERVICE, run_id=case.run.id, since=case.now)


def test_a_decision_records_what_it_was_about_and_what_it_rested_on() -> None:
    case = Case()
    case.fire()
    case.decide()
    data = case.events[-1].data
    assert data.keys() >= {
        "rule",
        "rule_version",
        "severity",
        "action",
        "digest",
        "verdicts",
        "facts",
        "stored",
    }
    assert (data["overall"], data["severity"], data["step"], data["operation"]) == ("allow", "P1", 0, 0)
    assert data["facts"]["alerts"][0]["state"] == "firing"


def test_a_run_that_acts_already_is_not_decided_upon_again() -> None:
    case = Case()
    case.fire()
    case.decide()
    mark = len(case.events)
    assert case.decide() is None
    assert case.since(mark) == []


# The alert is over


def test_an_alert_that_the_api_no_longer_has_ends_the_run_and_its_episode() -> None:
    case = Case()
    case.fire()
    case.after(minutes(1))
    mark = len(case.events)
    assert case.decide(sightings=case.gone(), confirmed_at=NOON) is None
    assert case.since(mark) == ["episode.closed", "run.finished", "incident.resolved"]
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.RESOLVED)


def test_an_alert_that_fires_again_after_it_was_seen_gone_gets_a_run() -> None:
    case = Case()
    case.fire()
    case.after(minutes(1)).decide(sightings=case.gone(), confirmed_at=NOON)
    case.after(minutes(1)).fire()
    assert [r.status for r in case.all(Run)] == [RunStatus.FINISHED, RunStatus.PLANNING]


def test_one_of_two_alerts_that_is_gone_does_not_end_the_run() -> None:
    case = Case()
    case.fire("a1")
    case.fire("a2")
    case.after(minutes(1))
    judgement = case.decide(sightings=case.gone("a1"), confirmed_at=NOON)
    assert judgement is not None
    assert [e.fingerprint for e in case.firing(case.run)] == ["a2"]


def test_an_alert_heard_of_after_it_was_looked_for_is_not_gone() -> None:
    case = Case()
    case.fire()
    gone = case.gone()
    case.after(timedelta(seconds=1)).fire()
    assert case.decide(sightings=gone, confirmed_at=case.now) is not None
    assert not case.run.finished


def test_an_episode_that_began_after_the_look_is_not_ended_by_it() -> None:
    case = Case()
    gone = case.gone()
    case.after(timedelta(seconds=1)).fire()
    assert case.decide(sightings=gone, confirmed_at=None) is not None
    assert not case.run.finished


@pytest.mark.parametrize("state", ["unknown", "muted"])
def test_only_a_proof_of_absence_ends_a_run(state: Any) -> None:
    case = Case()
    case.fire()
    case.after(minutes(6))
    sightings = tuple(replace(s, state=state) for s in case.gone())
    case.decide(sightings=sightings, confirmed_at=NOON)
    assert case.run.status is RunStatus.HELD


# Holds


def held_by_a_change(case: Case) -> Hold:
    """Somebody stopped the container a minute ago."""
    change = ObjectChange(object_id="id-web-1", object_name="web-1", what="stop", at=case.now - minutes(1))
    judgement = case.decide(changes=(change,))
    assert judgement is not None
    assert isinstance(judgement.overall, Hold)
    return judgement.overall


def test_a_hold_is_recorded_with_its_reason_its_end_and_every_verdict() -> None:
    case = Case()
    case.fire()
    hold = held_by_a_change(case)
    assert (case.run.status, case.run.hold_reason) == (RunStatus.HELD, Reason.CHANGED_BY_OTHERS)
    data = case.events[-1].data
    assert case.events[-1].kind == "run.held"
    assert hold.until is not None
    assert (data["reason"], data["until"]) == ("changed_by_others", hold.until.isoformat())
    assert {v["guardrail"] for v in data["verdicts"]} >= {"lock", "approval", "changed_by_others"}
    assert data["facts"]["changes"][0]["object_name"] == "web-1"
    assert case.all(Attempt) == []


def test_looking_again_at_the_same_hold_adds_nothing() -> None:
    case = Case()
    case.fire()
    at = case.now - minutes(1)
    mark = len(case.events)
    for _ in range(4):
        change = ObjectChange(object_id="id-web-1", object_name="web-1", what="stop", at=at)
        case.decide(changes=(change,))
        case.after(minutes(1))
    assert case.since(mark) == ["run.held"]
    assert len(case.told("held")) == 1


def test_a_hold_for_something_new_is_recorded_but_people_are_not_told_again() -> None:
    case = Case()
    case.fire()
    held_by_a_change(case)
    case.after(minutes(5))
    held_by_a_change(case)
    assert [e.data["until"] for e in case.events if e.kind == "run.held"] == [
        (NOON + minutes(9)).isoformat(),
        (NOON + minutes(14)).isoformat(),
    ]
    assert len(case.told("held")) == 1


def test_a_hold_for_another_reason_is_recorded_and_told() -> None:
    case = Case()
    case.fire()
    held_by_a_change(case)
    case.after(minutes(11)).decide(sightings=(), confirmed_at=None)
    assert case.run.hold_reason is Reason.UNCONFIRMED
    assert [m.payload["reason"] for m in case.told("held")] == ["changed_by_others", "unconfirmed"]


def test_a_held_run_acts_once_the_hold_is_over() -> None:
    case = Case()
    case.fire()
    held_by_a_change(case)
    case.after(minutes(10)).decide()
    assert case.run.status is RunStatus.ACTING
    assert (case.run.hold_reason, case.run.hold_detail) == (None, None)


def test_an_engine_that_is_down_holds_and_is_told_once_whatever_its_error_says() -> None:
    case = Case()
    case.fire()
    mark = len(case.events)
    for number in range(3):
        hold = case.cannot_read(detail=f"timed out after {number}.0 s")
        assert hold.until == case.now + timedelta(seconds=15)
        case.after(timedelta(seconds=15))
    case.decide(changes_error="refused")
    assert case.since(mark) == ["run.held", "run.held"]
    assert [m.payload["reason"] for m in case.told("held")] == ["world_unreadable"]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"draining": True}, False),
        ({"reconciled": False}, False),
        ({"paused_by_file": "/run/pause"}, False),
        ({"changes_error": "timed out"}, True),
        ({"sightings": (), "confirmed_at": None}, True),
    ],
)
def test_people_are_told_of_holds_that_they_did_not_make_and_that_may_last(
    facts: dict[str, Any], told: bool
) -> None:
    case = Case()
    case.fire()
    case.decide(**facts)
    assert case.run.status is RunStatus.HELD
    assert bool(case.told("held")) == told


def test_a_spent_budget_is_told() -> None:
    case = Case(a_rule(guards=Guards(budget=(Budget(count=1, window=minutes(60)),))))
    for _ in range(2):
        case.after(minutes(1)).fire()
        case.decide()
        if case.run.status is RunStatus.ACTING:
            case.report()
            case.verdict()
    assert (case.run.status, case.run.hold_reason) == (RunStatus.HELD, Reason.BUDGET)
    assert len(case.told("held")) == 1


# Plans that cannot be made


@pytest.mark.parametrize(
    ("reason", "lasting"),
    [
        (Reason.NOT_ALLOWED, False),
        (Reason.OWN_CONTAINER, False),
        (Reason.INVALID_PARAMS, False),
        (Reason.NO_TARGET, True),
    ],
)
def test_what_no_waiting_changes_denies_the_run_and_tells(reason: Reason, lasting: bool) -> None:
    case = Case()
    case.fire()
    case.cannot_plan(reason=reason, detail="web may not be touched", lasting=lasting)
    assert (case.run.outcome, case.run.reason) == (Outcome.DENIED, reason)
    assert [m.kind for m in case.told()] == ["denied"]
    assert case.incident.open


@pytest.mark.parametrize("reason", [Reason.NO_TARGET, Reason.AMBIGUOUS_TARGET])
def test_a_target_that_is_missing_for_a_moment_is_waited_for_and_nobody_is_told(reason: Reason) -> None:
    case = Case()
    case.fire()
    case.cannot_plan(reason=reason)
    assert (case.run.status, case.run.hold_reason) == (RunStatus.HELD, Reason.TARGET_UNCLEAR)
    assert case.look_at[case.run.id] == case.now + timedelta(seconds=15)
    case.after(timedelta(seconds=59)).cannot_plan(reason=reason, lasts=timedelta(seconds=59))
    assert case.run.hold_reason is Reason.TARGET_UNCLEAR
    assert case.kinds.count("run.held") == 1
    assert case.told() == []
    case.decide()
    assert case.run.status is RunStatus.ACTING


@pytest.mark.parametrize("reason", [Reason.NO_TARGET, Reason.AMBIGUOUS_TARGET])
def test_a_target_that_stays_missing_is_told_once_and_looked_for_less_often(reason: Reason) -> None:
    case = Case()
    case.fire()
    pauses = []
    for lasts in (0, 1, 4, 60, 600):
        case.cannot_plan(reason=reason, lasts=minutes(lasts))
        look_at = case.look_at[case.run.id]
        assert look_at is not None
        pauses.append((look_at - case.now).total_seconds())
    assert pauses == [15, 15, 60, 300, 300]
    assert case.run.hold_reason is reason
    assert [m.payload["reason"] for m in case.told("held")] == [reason]
    case.cannot_plan(reason=reason)
    assert case.run.hold_reason is reason, "a start of the daemon is no news"
    case.resolve()
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.RESOLVED)


def test_an_empty_plan_is_an_error_never_everything() -> None:
    case = Case()
    case.fire()
    assert case.decide(planned=a_plan()) is None
    assert (case.run.outcome, case.run.reason) == (Outcome.DENIED, Reason.NO_TARGET)


@pytest.mark.parametrize("what", ["cannot_plan", "cannot_read", "triage"])
def test_what_planning_comes_to_does_not_raise_a_run_from_the_dead(what: str) -> None:
    case = Case()
    case.fire()
    case.cancel()
    mark = len(case.events)
    getattr(case, what)()
    assert case.since(mark) == []
    assert case.run.outcome is Outcome.CANCELLED


def test_what_cannot_be_planned_for_an_alert_that_is_over_is_cancelled_not_held() -> None:
    case = Case(a_rule(steps=2))
    case.fire()
    case.decide()
    case.resolve()
    case.report(ActFailed(result={"error": "no"}))
    assert case.run.status is RunStatus.PLANNING
    case.cannot_read()
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.RESOLVED)


def test_what_triage_found_is_kept_with_the_run() -> None:
    case = Case()
    case.fire()
    case.triage(None, {"check": "logs", "ok": None, "summary": "Killed"})
    assert case.run.triaged
    assert case.run.evidence[0]["summary"] == "Killed"
    assert case.events[-1].data["evidence"][0]["check"] == "logs"


# Shadow


@pytest.mark.parametrize(
    "case",
    [
        Case(a_rule(mode=Mode.SHADOW)),
        Case(policy=Policy(mode=Mode.SHADOW, channels=("hook",))),
        Case(a_rule(mode=Mode.SHADOW, severity=Severity.P0)),
    ],
    ids=["rule", "daemon", "P0"],
)
def test_shadow_mode_records_the_plan_and_neither_acts_nor_asks_nor_tells(case: Case) -> None:
    case.fire()
    judgement = case.decide()
    assert judgement is not None
    assert type(judgement.overall) is Deny
    assert case.run.outcome is Outcome.SHADOW
    assert case.snapshot.get(Plan, case.run.plan_id).summary == "restart-0 web-1"
    assert case.all(Attempt) == case.pending() == case.told() == []
    assert case.lock is None


# Severity, rules and policies that change meanwhile


def test_severity_is_read_when_acting_not_when_planned() -> None:
    case = Case(a_rule(), a_rule("worse", severity=Severity.P0))
    case.fire("a1")
    run = case.run
    held_by_a_change(case)
    case.fire("a2", rule="worse")
    case.after(minutes(10)).decide(run)
    assert case.again(run).status is RunStatus.AWAITING_APPROVAL


def test_a_rule_that_was_made_stricter_meanwhile_counts_at_once() -> None:
    case = Case()
    case.fire()
    case.rules["app-down"] = a_rule(severity=Severity.P0, version="v2")
    case.decide()
    assert case.run.status is RunStatus.AWAITING_APPROVAL
    assert case.run.rule_version == "v2"
    assert [e.data["rule_version"] for e in case.events if e.kind == "run.decided"] == ["v2"]


def test_a_rule_that_is_gone_cancels_what_waits() -> None:
    case = Case(a_rule(severity=Severity.P0))
    case.fire()
    case.decide()
    case.lose_rule()
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.RULE_GONE)
    assert case.pending() == []


def test_a_rule_that_is_gone_leaves_an_act_alone() -> None:
    case = Case()
    case.fire()
    case.decide()
    case.lose_rule()
    assert case.run.status is RunStatus.ACTING


def test_the_policy_of_each_severity_counts() -> None:
    policy = Policy(
        severities={
            Severity.P0: SeverityPolicy(),
            Severity.P1: SeverityPolicy(mode=Mode.APPROVE),
            Severity.P2: SeverityPolicy(mode=Mode.SHADOW),
            Severity.P3: SeverityPolicy(),
        }
    )
    expected = {
        Severity.P0: RunStatus.ACTING,
        Severity.P1: RunStatus.AWAITING_APPROVAL,
        Severity.P2: RunStatus.FINISHED,
        Severity.P3: RunStatus.ACTING,
    }
    for severity, status in expected.items():
        case = Case(a_rule(severity=severity), policy=policy)
        case.fire()
        case.decide()
        assert case.run.status is status
