"""The approve gate: who is asked, what their yes, no and silence lead to, and what a yes is good for."""

from datetime import timedelta

import pytest

from remediator.decide.asking import RefusalError
from remediator.decide.policy import Policy, SeverityPolicy
from remediator.model.plan import Plan
from remediator.model.rule import Guards
from remediator.model.run import Approval, ApprovalDecision, Attempt, Timer
from remediator.model.words import ApprovalStatus, Mode, Outcome, Reason, RunStatus, Severity
from remediator.model.world import ActFailed, Applied, NotApplied, ObjectChange, Unknown
from tests.unit.decide.case import Case, a_plan, a_rule, minutes, reloaded

HALF_HOUR = minutes(30)


def asked(case: Case | None = None, **rule: object) -> Case:
    """A P0 whose question is open."""
    case = case or Case(a_rule(**{"severity": Severity.P0, **rule}))
    case.fire()
    case.triage(None, {"check": "logs", "summary": "Killed", "sha256": "ab"})
    case.decide(planned=a_plan("web-1"))
    return case


def policy_of(people: int) -> Policy:
    p0 = SeverityPolicy(mode=Mode.APPROVE, people=people)
    return Policy(channels=("hook",), severities={**Policy().severities, Severity.P0: p0})


def test_a_p0_asks_people_and_touches_nothing() -> None:
    case = asked()
    assert case.run.status is RunStatus.AWAITING_APPROVAL
    assert case.all(Attempt) == []
    assert case.lock is None
    assert (case.approval.status, case.approval.needed, case.approval.ask) == (ApprovalStatus.PENDING, 1, 1)


def test_a_question_pins_the_plan_and_expires() -> None:
    case = asked()
    assert case.approval.digest == case.snapshot.get(Plan, case.run.plan_id).digest
    assert case.approval.expires_at == case.now + HALF_HOUR
    assert [t.due_at for t in case.all(Timer)] == [case.now + HALF_HOUR]


def test_a_question_shows_the_plan_its_objects_and_the_evidence() -> None:
    case = asked()
    (message,) = case.told()
    payload = message.payload
    assert message.kind == "approval_wanted"
    assert (payload["plan"], payload["objects"], payload["severity"]) == ("restart web-1", ["web-1"], "P0")
    assert payload["evidence"][0]["summary"] == "Killed"


def test_a_yes_is_planned_and_judged_anew_and_then_acts() -> None:
    case = asked()
    case.after(minutes(1)).grant()
    assert case.run.status is RunStatus.PLANNING
    assert case.approval.status is ApprovalStatus.GRANTED
    case.decide(planned=a_plan("web-1"))
    assert case.run.status is RunStatus.ACTING
    verdict = next(v for v in case.events[-1].data["verdicts"] if v["guardrail"] == "approval")
    assert verdict["detail"] == "approved by alice"


def test_who_said_yes_and_why_is_on_the_record() -> None:
    case = asked()
    case.grant("alice")
    event = next(e for e in case.events if e.kind == "approval.decided")
    assert (event.actor, event.data["granted"], event.data["why"]) == ("alice", True, "go")


def test_a_no_ends_the_run_and_is_not_news_to_anybody() -> None:
    case = asked()
    case.deny("bob")
    assert (case.run.outcome, case.run.reason) == (Outcome.DENIED, Reason.DENIED_BY_PERSON)
    assert case.run.detail == "denied by bob: not now"
    assert case.approval.status is ApprovalStatus.DENIED
    assert [m.kind for m in case.told()] == ["approval_wanted"]
    case.decide(planned=a_plan("web-1"))
    assert case.all(Attempt) == []


# A yes is for one plan, for a time, and for nothing else


def test_a_plan_that_changed_after_the_yes_is_asked_for_anew() -> None:
    case = asked()
    first = case.approval
    case.grant()
    case.decide(planned=a_plan("web-1-recreated"))
    assert case.run.status is RunStatus.AWAITING_APPROVAL
    assert case.snapshot.get(Approval, first.id).status is ApprovalStatus.SUPERSEDED
    assert (case.approval.ask, case.approval.status) == (2, ApprovalStatus.PENDING)
    event = next(e for e in case.events if e.kind == "approval.superseded")
    assert event.data["why"] == "the plan has changed"


def test_a_rule_that_changed_after_the_yes_is_asked_for_anew() -> None:
    case = asked()
    case.grant()
    case.rules["app-down"] = reloaded(case.rules["app-down"])
    case.decide(planned=a_plan("web-1"))
    assert case.run.status is RunStatus.AWAITING_APPROVAL


def test_what_flickers_does_not_make_another_plan_of_it() -> None:
    case = asked()
    case.grant()
    same = a_plan("web-1", summary="restart web-1, which has been up for 4 s")
    case.decide(planned=same)
    assert case.run.status is RunStatus.ACTING


@pytest.mark.parametrize(("late", "acts"), [(timedelta(0), False), (timedelta(microseconds=-1), True)])
def test_a_yes_that_has_expired_before_the_act_is_asked_for_anew(late: timedelta, acts: bool) -> None:
    case = asked()
    case.after(minutes(10)).grant()
    case.now = case.approval.expires_at + late
    case.decide(planned=a_plan("web-1"))
    assert (case.run.status is RunStatus.ACTING) == acts
    if not acts:
        event = next(e for e in case.events if e.kind == "approval.superseded")
        assert event.data["why"] == "the approval is too old"


def test_a_yes_does_not_beat_a_hold() -> None:
    case = asked()
    case.grant()
    change = ObjectChange(object_id="id-web-1", object_name="web-1", what="stop", at=case.now)
    case.decide(planned=a_plan("web-1"), changes=(change,))
    assert case.run.hold_reason is Reason.CHANGED_BY_OTHERS
    case.after(minutes(10)).decide(planned=a_plan("web-1"))
    assert case.run.status is RunStatus.ACTING


def test_a_yes_does_not_beat_a_pause() -> None:
    case = asked()
    case.pause()
    case.grant()
    case.decide(planned=a_plan("web-1"))
    assert case.run.hold_reason is Reason.PAUSED


def test_holds_come_first_so_that_people_are_asked_when_something_could_be_done() -> None:
    case = Case(a_rule(severity=Severity.P0))
    case.pause()
    case.fire()
    case.decide()
    assert case.run.status is RunStatus.HELD
    assert case.pending() == []


def test_a_try_that_did_not_happen_may_be_repeated_on_the_same_yes() -> None:
    case = asked()
    case.grant()
    case.decide(planned=a_plan("web-1"))
    case.report(Unknown())
    case.probe(NotApplied())
    case.decide(planned=a_plan("web-1"))
    assert case.run.status is RunStatus.ACTING
    assert case.approval.ask == 1


def test_a_yes_to_one_rung_is_none_to_the_next_even_if_that_does_the_same() -> None:
    case = asked(steps=2)
    case.grant()
    case.decide(planned=a_plan("web-1"))
    case.report(ActFailed(result={"error": "no"}))
    assert case.run.step == 1
    case.decide(planned=a_plan("web-1"))
    assert case.run.status is RunStatus.AWAITING_APPROVAL
    assert len(case.all(Attempt)) == 1


# Several people


def test_as_many_people_as_the_policy_says_must_say_yes() -> None:
    case = asked(Case(a_rule(severity=Severity.P0), policy=policy_of(2)))
    case.grant("alice")
    assert case.run.status is RunStatus.AWAITING_APPROVAL
    case.grant("bob")
    assert case.run.status is RunStatus.PLANNING
    event = next(e for e in case.events if e.kind == "approval.granted")
    assert event.data["by"] == ["alice", "bob"]


def test_one_person_decides_once() -> None:
    case = asked(Case(a_rule(severity=Severity.P0), policy=policy_of(2)))
    case.grant("alice")
    with pytest.raises(RefusalError, match="alice has already decided"):
        case.grant("alice")
    assert len(case.all(ApprovalDecision)) == 1


def test_one_no_outweighs_a_yes() -> None:
    case = asked(Case(a_rule(severity=Severity.P0), policy=policy_of(2)))
    case.grant("alice")
    case.deny("bob")
    assert case.run.outcome is Outcome.DENIED


# A no always counts


def test_a_person_may_turn_a_yes_into_a_no() -> None:
    case = asked(Case(a_rule(severity=Severity.P0), policy=policy_of(2)))
    case.grant("alice")
    case.after(minutes(1)).deny("alice")
    assert (case.run.outcome, case.run.detail) == (Outcome.DENIED, "denied by alice: not now")
    assert [(d.actor, d.granted) for d in case.all(ApprovalDecision)] == [("alice", False)]
    said = [e.data["granted"] for e in case.events if e.kind == "approval.decided"]
    assert said == [True, False], "the yes stays on the record"


def test_a_no_is_never_turned_into_a_yes() -> None:
    case = asked(Case(a_rule(severity=Severity.P0), policy=policy_of(2)))
    case.deny("alice")
    with pytest.raises(RefusalError, match="it was denied"):
        case.grant("alice")


@pytest.mark.parametrize("actor", ["alice", "bob"])
@pytest.mark.parametrize("held", [False, True])
def test_a_granted_approval_is_revoked_as_long_as_the_act_has_not_begun(actor: str, held: bool) -> None:
    case = asked()
    case.grant("alice")
    if held:
        case.decide(planned=a_plan("web-1"), paused_by_file="/run/pause")
    mark = len(case.events)
    case.deny(actor)
    assert case.since(mark)[:3] == ["approval.decided", "approval.revoked", "run.finished"]
    assert (case.run.outcome, case.run.reason) == (Outcome.DENIED, Reason.DENIED_BY_PERSON)
    assert case.approval.status is ApprovalStatus.DENIED
    case.decide(planned=a_plan("web-1"))
    assert case.all(Attempt) == []


def test_a_no_counts_before_the_next_try_of_what_did_not_happen() -> None:
    case = asked()
    case.grant()
    case.decide(planned=a_plan("web-1"))
    case.report(Unknown())
    case.probe(NotApplied())
    case.deny("bob")
    assert (case.run.outcome, case.approval.status) == (Outcome.DENIED, ApprovalStatus.DENIED)


def test_a_no_between_two_operations_verifies_what_was_done() -> None:
    case = half_granted()
    case.deny("bob")
    assert case.run.status is RunStatus.VERIFYING
    assert case.run.cancel_requested == "bob"


def half_granted() -> Case:
    """A plan of two containers, approved; the first is done."""
    case = Case(a_rule(severity=Severity.P0))
    case.fire()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.grant()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.report()
    return case


def test_a_no_to_what_has_begun_says_how_to_stop_it() -> None:
    case = asked()
    case.grant()
    case.decide(planned=a_plan("web-1"))
    for _ in range(2):
        mark = len(case.events)
        with pytest.raises(RefusalError, match=r"has gone on: it is .*remediator cancel 1"):
            case.deny("bob")
        assert case.since(mark) == []
        if case.run.status is RunStatus.ACTING:
            case.report()
    case.verdict()
    with pytest.raises(RefusalError, match=r"has gone on: it is succeeded$"):
        case.deny("bob")


def test_a_no_to_a_rung_that_the_run_has_left_is_refused() -> None:
    case = asked(steps=2)
    case.grant()
    case.decide(planned=a_plan("web-1"))
    case.after(minutes(1)).report(ActFailed(result={"error": "no"}))
    with pytest.raises(RefusalError, match="was carried out, and run 1 is at its next step"):
        case.deny("bob")
    case.decide(planned=a_plan("web-1"))
    case.after(minutes(1)).grant()
    case.deny("bob")
    assert case.run.outcome is Outcome.DENIED


def test_a_no_counts_though_the_question_is_about_to_expire() -> None:
    case = asked()
    case.after(HALF_HOUR).deny("bob")
    assert case.run.outcome is Outcome.DENIED


def test_an_answer_to_an_old_question_is_told_which_one_is_open() -> None:
    case = asked()
    case.after(HALF_HOUR).expire()
    case.decide(planned=a_plan("web-1"))
    with pytest.raises(RefusalError, match="it was expired; approval 2 is open now"):
        case.deny("bob", approval=1)


def test_a_severity_raised_while_people_are_asked_needs_the_people_of_the_new_one() -> None:
    case = Case(a_rule(mode=Mode.APPROVE), a_rule("worse", severity=Severity.P0), policy=policy_of(2))
    run = asked(case).run
    case.fire("a2", rule="worse")
    case.grant("alice", approval=1)
    case.decide(run, planned=a_plan("web-1"))
    assert case.again(run).status is RunStatus.AWAITING_APPROVAL
    assert (case.approval.needed, case.approval.reason) == (2, Reason.SEVERITY_POLICY)
    event = next(e for e in case.events if e.kind == "approval.superseded")
    assert event.data["why"] == "more people are needed"


# Too late


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda case: case.deny(), "no longer open: it was denied"),
        (lambda case: case.grant("bob"), "no longer open: it was granted"),
        (lambda case: case.expire(), "no longer open: it was expired"),
        (lambda case: case.resolve(), "no longer open: it was cancelled"),
        (lambda case: case.after(HALF_HOUR), "expired at"),
    ],
    ids=["denied", "granted", "expired", "resolved", "not expired yet but too old"],
)
def test_a_yes_that_comes_too_late_is_refused_and_changes_nothing(how: object, message: str) -> None:
    case = asked()
    how(case)  # type: ignore[operator]
    mark = len(case.events)
    with pytest.raises(RefusalError, match=message):
        case.grant("alice")
    assert case.since(mark) == []


def test_a_yes_to_another_plan_than_the_one_that_was_read_is_refused() -> None:
    case = asked()
    with pytest.raises(RefusalError, match="another plan than the one you read"):
        case.grant(digest="what-i-read")
    case.grant(digest=case.approval.digest)
    assert case.approval.status is ApprovalStatus.GRANTED


# Silence


def test_a_question_that_nobody_answers_is_told_and_asked_again_while_the_alert_fires() -> None:
    case = asked()
    for ask in (1, 2, 3):
        assert (case.approval.ask, case.run.status) == (ask, RunStatus.AWAITING_APPROVAL)
        case.after(HALF_HOUR).expire()
        assert case.approval.status is ApprovalStatus.EXPIRED
        assert case.run.status is RunStatus.PLANNING
        case.decide(planned=a_plan("web-1"))
    assert [m.kind for m in case.told()] == ["approval_wanted", "approval_expired"] * 3 + ["approval_wanted"]
    assert case.all(Attempt) == []


def test_a_question_is_withdrawn_when_its_alert_resolves() -> None:
    case = asked()
    case.after(minutes(5)).resolve()
    assert (case.run.outcome, case.approval.status) == (Outcome.CANCELLED, ApprovalStatus.CANCELLED)
    assert case.all(Timer) == []
    assert not case.incident.open


def test_the_timer_of_a_question_that_was_answered_changes_nothing() -> None:
    case = asked()
    case.grant()
    case.decide(planned=a_plan("web-1"))
    mark = len(case.events)
    case.after(HALF_HOUR).expire()
    assert case.since(mark) == ["timer.dropped"]
    assert case.run.status is RunStatus.ACTING


def test_a_question_of_a_run_by_hand_ends_it_when_nobody_answers() -> None:
    case = Case(a_rule(severity=Severity.P0))
    case.start()
    case.decide()
    case.after(HALF_HOUR).expire()
    assert (case.run.outcome, case.run.reason) == (Outcome.EXPIRED, Reason.APPROVAL_EXPIRED)
    assert [m.kind for m in case.told()] == ["approval_wanted", "approval_expired"]


# In the middle of a plan


def half_done(severity: Severity = Severity.P0) -> Case:
    """A plan of two containers, approved; the first is done and the approval has expired since."""
    case = Case(a_rule(severity=severity, steps=2, guards=Guards()))
    case.fire()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.grant()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.report(Applied())
    case.after(HALF_HOUR).decide(planned=a_plan("web-1", "web-2"))
    assert case.run.status is RunStatus.AWAITING_APPROVAL
    assert case.run.operation == 1
    return case


def test_the_rest_of_an_approved_plan_goes_on_without_asking_again() -> None:
    case = Case(a_rule(severity=Severity.P0))
    case.fire()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.grant()
    for name in ("id-web-1", "id-web-2"):
        case.decide(planned=a_plan("web-1", "web-2"))
        assert case.attempt().object_id == name
        case.after(minutes(1)).report()
    assert case.run.status is RunStatus.VERIFYING
    assert case.approval.ask == 1


def test_past_its_expiry_the_rest_of_a_plan_is_asked_for() -> None:
    case = half_done()
    case.grant("bob")
    case.decide(planned=a_plan("web-1", "web-2"))
    assert (case.run.status, case.attempt().object_id) == (RunStatus.ACTING, "id-web-2")


def test_a_no_to_the_rest_verifies_what_was_done_and_climbs_no_further() -> None:
    case = half_done()
    case.deny("bob")
    assert case.run.status is RunStatus.VERIFYING
    case.verdict(Outcome.FAILED)
    assert case.run.outcome is Outcome.FAILED
    assert case.run.detail is not None
    assert "bob" in case.run.detail
    assert len(case.all(Attempt)) == 1


def test_silence_about_the_rest_asks_again() -> None:
    case = half_done()
    case.after(HALF_HOUR).expire()
    case.decide(planned=a_plan("web-1", "web-2"))
    assert case.run.status is RunStatus.AWAITING_APPROVAL
    assert case.run.operation == 1


def test_a_question_about_the_rest_is_withdrawn_when_the_alert_resolves() -> None:
    case = half_done()
    case.resolve()
    assert case.run.status is RunStatus.VERIFYING
    assert case.approval.status is ApprovalStatus.CANCELLED
    assert case.all(Timer) == []
