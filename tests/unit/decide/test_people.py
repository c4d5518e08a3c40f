"""What operators may ask for: run, cancel, settle, pause and resume."""

import pytest

from remediator.decide.asking import RefusalError
from remediator.decide.policy import Policy, SeverityPolicy
from remediator.model.rule import Budget, Guards
from remediator.model.run import Attempt, Control, Run
from remediator.model.words import (
    AttemptStatus,
    IncidentStatus,
    IncidentType,
    Mode,
    Outcome,
    Reason,
    RunStatus,
    Severity,
)
from remediator.model.world import ActFailed, NotApplied, Unknown
from tests.unit.decide.asks import INSTANT
from tests.unit.decide.case import Case, a_plan, a_rule, minutes

# Run


def test_a_rule_started_by_hand_opens_an_incident_and_says_who_and_why() -> None:
    case = Case()
    run = case.start(actor="alice")
    assert (run.requested_by, run.by_hand, run.status) == ("alice", True, RunStatus.PLANNING)
    assert case.incident.title == "app-down on robo-rlhf, by hand"
    assert (case.incident.severity, case.incident.type) == (Severity.P1, IncidentType.SERVICE_OUTAGE)
    event = case.events[-1]
    assert (event.kind, event.actor, event.data["why"]) == ("run.proposed", "alice", "to be sure")


def test_a_run_by_hand_needs_no_alert_and_ends_its_incident_with_it() -> None:
    case = Case()
    case.start()
    case.decide()
    case.report()
    assert case.incident.open
    case.verdict()
    assert (case.run.outcome, case.incident.status) == (Outcome.SUCCEEDED, IncidentStatus.RESOLVED)


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        (lambda case: case.pause(), Reason.PAUSED),
        (lambda case: None, Reason.BUDGET),
    ],
    ids=["paused", "budget"],
)
def test_a_run_by_hand_passes_the_same_guardrails(obstacle: object, reason: Reason) -> None:
    case = Case(a_rule(guards=Guards(budget=(Budget(count=1, window=minutes(60)),))))
    case.start()
    case.decide()
    case.report()
    case.verdict()
    case.after(minutes(1)).start()
    obstacle(case)  # type: ignore[operator]
    case.decide()
    assert case.run.hold_reason is reason


@pytest.mark.parametrize("what", ["decide", "cannot_plan", "cannot_read"])
def test_what_a_person_started_and_was_held_for_an_hour_is_not_done_any_more(what: str) -> None:
    case = Case()
    case.pause()
    case.start(actor="alice")
    case.decide()
    case.after(minutes(60) - INSTANT).decide()
    assert case.run.hold_reason is Reason.PAUSED
    case.resume()
    case.after(INSTANT)
    getattr(case, what)()
    assert (case.run.outcome, case.run.reason) == (Outcome.EXPIRED, Reason.TOO_LATE)
    assert case.run.detail == "started by alice, and not done within 1h"
    assert [m.kind for m in case.told()] == ["expired"]
    assert not case.incident.open


def test_what_a_person_started_and_is_still_held_after_an_hour_says_for_what() -> None:
    case = Case()
    case.pause()
    case.start()
    case.decide()
    case.after(minutes(60)).decide()
    assert case.run.reason is Reason.TOO_LATE
    assert case.run.detail == "started by alice, and not done within 1h: held for paused"


def test_the_hour_begins_anew_when_a_person_says_yes() -> None:
    case = Case(a_rule(severity=Severity.P0), policy=patient())
    case.start()
    case.decide()
    case.after(minutes(90)).grant()
    case.after(minutes(59)).decide()
    assert case.run.status is RunStatus.ACTING


def patient() -> Policy:
    """People have three hours to answer."""
    p0 = SeverityPolicy(mode=Mode.APPROVE, approval_expires=minutes(180))
    return Policy(channels=("hook",), severities={**Policy().severities, Severity.P0: p0})


def test_the_rest_of_a_plan_is_too_late_too_and_what_was_done_is_verified() -> None:
    case = Case()
    case.start()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.after(minutes(59)).report()
    case.decide(planned=a_plan("web-1", "web-2"), draining=True)
    case.after(minutes(59)).decide(planned=a_plan("web-1", "web-2"), draining=True)
    assert case.run.status is RunStatus.HELD
    case.after(minutes(1)).decide(planned=a_plan("web-1", "web-2"))
    assert case.run.status is RunStatus.VERIFYING
    assert len(case.all(Attempt)) == 1


def test_what_an_alert_started_is_never_too_late() -> None:
    case = Case()
    case.pause()
    case.fire()
    case.decide()
    case.resume()
    case.after(minutes(600)).decide()
    assert case.run.status is RunStatus.ACTING


def test_a_p0_rule_started_by_hand_is_asked_for_even_in_a_milder_incident() -> None:
    case = Case(a_rule(severity=Severity.P0))
    case.fire(rule=None)
    assert case.incident.severity is Severity.P3
    case.start()
    case.decide()
    assert case.run.status is RunStatus.AWAITING_APPROVAL
    assert case.incident.severity is Severity.P0


def test_a_mild_rule_started_by_hand_does_not_soften_the_incident() -> None:
    case = Case(a_rule(severity=Severity.P0), a_rule("mild", severity=Severity.P3))
    case.fire()
    case.start("mild")
    case.decide()
    assert case.run.status is RunStatus.AWAITING_APPROVAL


def test_a_run_by_hand_joins_the_open_incident_and_outlives_its_alert() -> None:
    case = Case(a_rule(), a_rule("other"))
    case.fire()
    case.start("other")
    assert len({r.incident_id for r in case.all(Run)}) == 1
    case.resolve()
    assert [r.finished for r in case.all(Run)] == [True, False]
    assert case.incident.open


def test_what_is_under_way_is_not_started_twice() -> None:
    case = Case()
    case.fire()
    with pytest.raises(RefusalError, match="run 1 of app-down is already under way"):
        case.start()
    assert len(case.all(Run)) == 1


def test_an_alert_does_not_start_what_a_person_has_started() -> None:
    case = Case()
    case.start()
    case.fire()
    assert len(case.all(Run)) == 1


def test_a_rule_for_another_service_is_refused() -> None:
    case = Case(a_rule(service="robo-rlhf"))
    with pytest.raises(RefusalError, match="is for the service robo-rlhf, not for redis"):
        case.start(service="redis")
    assert case.events == []


# Cancel


def waiting() -> Case:
    case = Case()
    case.fire()
    return case


def held() -> Case:
    case = waiting()
    case.decide(draining=True)
    return case


def asked() -> Case:
    case = Case(a_rule(severity=Severity.P0))
    case.fire()
    case.decide()
    return case


def verifying() -> Case:
    case = waiting()
    case.decide()
    case.report()
    return case


@pytest.mark.parametrize("made", [waiting, held, asked, verifying])
def test_a_run_that_does_not_act_is_cancelled_at_once(made: object) -> None:
    case = made()  # type: ignore[operator]
    case.cancel(actor="alice")
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.CANCELLED_BY_PERSON)
    assert "cancelled by alice: enough" in (case.run.detail or "")
    assert case.lock is None
    assert case.pending() == []


def acting(*objects: str, steps: int = 1) -> Case:
    case = Case(a_rule(steps=steps))
    case.fire()
    case.decide(planned=a_plan(*(objects or ("web-1",))))
    case.cancel(actor="alice")
    assert (case.run.status, case.run.cancel_requested) == (RunStatus.ACTING, "alice")
    return case


def test_an_act_under_way_is_not_torn_but_verified_and_the_rest_left_undone() -> None:
    case = acting("web-1", "web-2")
    case.report()
    assert case.run.status is RunStatus.VERIFYING
    case.verdict()
    assert case.run.outcome is Outcome.SUCCEEDED
    assert len(case.all(Attempt)) == 1


def test_a_cancelled_run_whose_act_fails_does_not_climb() -> None:
    case = acting(steps=2)
    case.report(ActFailed(result={"error": "no"}))
    assert (case.run.outcome, case.run.detail) == (Outcome.FAILED, "no; stopped by alice")


def test_a_cancelled_run_whose_verification_fails_does_not_climb() -> None:
    case = acting(steps=2)
    case.report()
    case.verdict(Outcome.FAILED)
    assert case.run.outcome is Outcome.FAILED


def test_a_cancelled_run_whose_act_did_not_happen_does_not_try_again() -> None:
    case = acting()
    case.report(Unknown())
    case.probe(NotApplied())
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.CANCELLED_BY_PERSON)
    assert case.lock is None


def test_a_cancelled_run_in_the_middle_of_a_plan_verifies_what_was_done_when_the_next_did_not_happen() -> (
    None
):
    case = Case()
    case.fire()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.report()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.cancel()
    case.report(Unknown())
    case.probe(NotApplied())
    assert case.run.status is RunStatus.VERIFYING


def test_a_verification_can_be_cancelled_too_after_the_act_was() -> None:
    case = acting()
    case.report()
    case.cancel(actor="bob")
    assert case.run.outcome is Outcome.CANCELLED


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (acting, "is to be stopped after its act already, by alice"),
        (lambda: finished(), "has already ended: cancelled"),
        (lambda: unknown(), "use settle instead"),
    ],
    ids=["stopped", "finished", "unknown"],
)
def test_what_cannot_be_cancelled_says_why(made: object, message: str) -> None:
    case = made()  # type: ignore[operator]
    mark = len(case.events)
    with pytest.raises(RefusalError, match=message):
        case.cancel()
    assert case.since(mark) == []


def finished() -> Case:
    case = waiting()
    case.cancel()
    return case


# Settle


def unknown(**rule: object) -> Case:
    case = Case(a_rule(**rule))
    case.fire()
    case.decide()
    case.report(Unknown(result={"error": "timed out"}))
    case.probe(Unknown())
    assert case.run.status is RunStatus.UNKNOWN
    return case


def test_an_act_that_a_person_says_happened_is_verified() -> None:
    case = unknown()
    case.settle(applied=True, actor="alice")
    assert (case.run.status, case.attempt().status) == (RunStatus.VERIFYING, AttemptStatus.APPLIED)
    assert case.attempt().result == {"error": "timed out", "settled_by": "alice", "settled_why": "I looked"}


def test_an_act_that_a_person_says_did_not_happen_goes_through_the_guardrails_again() -> None:
    case = unknown()
    case.settle(applied=False)
    assert (case.run.status, case.attempt().status) == (RunStatus.PLANNING, AttemptStatus.NOT_APPLIED)
    assert case.lock is not None
    case.decide()
    assert len(case.all(Attempt)) == 2


def test_an_act_settled_as_not_done_after_its_alert_is_over_ends_the_run() -> None:
    case = unknown()
    case.resolve()
    case.settle(applied=False)
    case.decide()
    assert case.run.reason is Reason.RESOLVED
    assert not case.incident.open


@pytest.mark.parametrize("made", [waiting, held, asked, verifying, finished])
def test_only_an_unknown_outcome_needs_settling(made: object) -> None:
    case = made()  # type: ignore[operator]
    with pytest.raises(RefusalError, match="needs no settling"):
        case.settle(applied=True)


# Pause and resume


def test_a_pause_says_who_and_why_and_resume_wakes_what_it_held() -> None:
    case = Case()
    case.pause("alice")
    (control,) = case.all(Control)
    assert (control.by, control.reason, control.at) == ("alice", "deploy", case.now)
    case.fire()
    case.decide()
    assert (case.run.hold_reason, case.run.hold_detail) == (Reason.PAUSED, "paused by alice: deploy")
    assert case.told() == []
    case.resume("bob")
    assert case.run.status is RunStatus.PLANNING
    assert case.all(Control) == []
    assert (case.events[-2].kind, case.events[-2].actor) == ("pause.off", "bob")


def test_resume_wakes_only_what_the_pause_held() -> None:
    case = Case(a_rule(), a_rule("other"))
    case.fire("a1", service="redis")
    case.decide(draining=True)
    case.pause()
    case.fire("a2", rule="other")
    case.decide()
    case.resume()
    assert [r.status for r in case.all(Run)] == [RunStatus.HELD, RunStatus.PLANNING]


def test_a_second_pause_replaces_the_reason_of_the_first() -> None:
    case = Case()
    case.pause("alice")
    case.pause("bob")
    assert [c.by for c in case.all(Control)] == ["bob"]


def test_resume_without_a_pause_is_refused() -> None:
    case = Case()
    with pytest.raises(RefusalError, match="nothing is paused"):
        case.resume()


def test_a_pause_ends_nothing_that_is_under_way() -> None:
    case = Case()
    case.fire()
    case.decide()
    case.pause()
    case.report()
    case.verdict()
    assert case.run.outcome is Outcome.SUCCEEDED


def test_other_switches_than_the_kill_switch_do_not_pause() -> None:
    case = Case()
    with case.deciding() as draft:
        control = Control(key="freeze", by="alice", reason="", at=case.now)
        draft.record("control.on", incident=None, puts=(control,))
    case.fire()
    case.decide()
    assert case.run.status is RunStatus.ACTING
