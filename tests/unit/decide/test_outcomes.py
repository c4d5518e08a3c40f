"""After the act: reports, crashes, probes, ladders and verdicts."""

import pytest

from remediator.decide.outcomes import MAX_TRIES
from remediator.model.alert import Episode
from remediator.model.rule import Budget, Guards
from remediator.model.run import Attempt, Run
from remediator.model.words import AttemptStatus, Outcome, Reason, RunStatus
from remediator.model.world import ActFailed, Applied, NotApplied, Unknown
from tests.unit.decide.case import NOON, Case, a_plan, a_rule, minutes


def acting(*objects: str, steps: int = 1, **rule: object) -> Case:
    """A run whose first operation is under way."""
    case = Case(a_rule(steps=steps, **rule))
    case.fire()
    case.decide(planned=a_plan(*(objects or ("web-1",))))
    assert case.run.status is RunStatus.ACTING
    return case


# The report of an act


def test_an_act_is_not_a_success_until_it_is_verified() -> None:
    case = acting()
    case.after(minutes(1)).report(Applied(result={"exit": 0}))
    assert (case.run.status, case.run.verify_from, case.run.outcome) == (RunStatus.VERIFYING, case.now, None)
    assert (case.attempt().status, case.attempt().ended_at) == (AttemptStatus.APPLIED, case.now)


def test_an_act_that_failed_at_the_last_rung_ends_the_run_and_is_told() -> None:
    case = acting()
    case.report(ActFailed(result={"error": "no such container"}))
    assert (case.run.outcome, case.run.reason, case.run.detail) == (
        Outcome.FAILED,
        Reason.ACT_FAILED,
        "no such container",
    )
    assert [m.kind for m in case.told()] == ["failed"]
    assert case.lock is None


def test_an_act_that_failed_climbs_where_there_is_a_next_rung() -> None:
    case = acting(steps=2)
    case.report(ActFailed(result={"error": "no"}))
    assert (case.run.status, case.run.step, case.run.operation, case.run.plan_id) == (
        RunStatus.PLANNING,
        1,
        0,
        None,
    )
    assert case.told() == []


def test_an_act_whose_outcome_nobody_knows_is_probed_and_not_repeated() -> None:
    case = acting()
    case.report(Unknown(result={"error": "timed out"}))
    assert case.run.status is RunStatus.PROBING
    assert case.decide() is None
    assert case.attempt().result == {"error": "timed out"}


def test_a_report_that_comes_twice_counts_once() -> None:
    case = acting()
    case.report()
    mark = len(case.events)
    case.report(ActFailed())
    assert case.since(mark) == []


@pytest.mark.parametrize("status", [RunStatus.VERIFYING, RunStatus.PLANNING])
def test_only_an_act_can_be_interrupted(status: RunStatus) -> None:
    case = acting()
    if status is RunStatus.VERIFYING:
        case.report()
    else:
        case.report(Unknown())
        case.probe(NotApplied())
    case.restart_daemon()
    assert case.run.status is status


# After a crash


def crashed() -> Case:
    case = acting()
    case.restart_daemon()
    assert case.run.status is RunStatus.PROBING
    return case


def test_an_act_that_turns_out_to_have_happened_goes_on_to_its_verification() -> None:
    case = crashed()
    case.probe(Applied(result={"started_at": "now"}))
    assert case.run.status is RunStatus.VERIFYING
    assert case.attempt().result == {"started_at": "now", "probed": True}
    assert len(case.all(Attempt)) == 1


def test_an_act_that_did_not_happen_goes_through_the_guardrails_again() -> None:
    case = crashed()
    case.probe(NotApplied())
    assert (case.run.status, case.attempt().status) == (RunStatus.PLANNING, AttemptStatus.NOT_APPLIED)
    case.pause()
    case.decide()
    assert case.run.hold_reason is Reason.PAUSED
    case.resume()
    case.decide()
    assert [a.status for a in case.all(Attempt)] == [AttemptStatus.NOT_APPLIED, AttemptStatus.INTENT]


def test_an_act_that_turns_out_to_have_failed_is_failed_like_any_other() -> None:
    case = crashed()
    case.probe(ActFailed(result={"error": "restarted, but not healthy again"}))
    assert (case.run.outcome, case.run.reason) == (Outcome.FAILED, Reason.ACT_FAILED)
    assert case.run.detail == "restarted, but not healthy again"
    assert case.attempt().status is AttemptStatus.FAILED
    assert case.attempt().result == {"error": "restarted, but not healthy again", "probed": True}
    assert case.lock is None


def test_an_act_that_did_not_happen_is_not_repeated_for_an_alert_that_is_over() -> None:
    case = crashed()
    case.resolve()
    case.probe(NotApplied())
    case.decide()
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.RESOLVED)
    assert case.lock is None


def test_an_act_that_nobody_can_tell_of_waits_for_a_person_with_its_service_locked() -> None:
    case = crashed()
    case.probe(Unknown(result={"error": "engine was reinstalled"}))
    assert (case.run.status, case.attempt().status) == (RunStatus.UNKNOWN, AttemptStatus.UNKNOWN)
    assert [m.kind for m in case.told()] == ["unknown"]
    assert case.lock is not None
    case.resolve()
    assert case.incident.open


def test_a_probe_that_comes_twice_counts_once() -> None:
    case = crashed()
    case.probe(Applied())
    mark = len(case.events)
    case.probe(NotApplied())
    assert case.since(mark) == []


def test_tries_that_never_take_effect_end_at_last() -> None:
    case = acting()
    for _ in range(MAX_TRIES):
        assert case.run.status is RunStatus.ACTING
        case.report(Unknown())
        case.probe(NotApplied())
        case.decide()
    assert (case.run.outcome, case.run.reason) == (Outcome.FAILED, Reason.ACT_FAILED)
    assert len(case.all(Attempt)) == MAX_TRIES


def test_tries_are_counted_for_each_object() -> None:
    case = acting("web-1", "web-2", "web-3")
    for _ in range(3):
        case.report(Unknown())
        case.probe(NotApplied())
        case.decide(planned=a_plan("web-1", "web-2", "web-3"))
        case.report()
        case.decide(planned=a_plan("web-1", "web-2", "web-3"))
    assert case.run.status is RunStatus.VERIFYING


def test_what_did_not_happen_spends_no_budget_and_starts_no_cooldown() -> None:
    guards = Guards(cooldown=minutes(10), budget=(Budget(count=1, window=minutes(60)),))
    case = acting(guards=guards)
    case.report(Unknown())
    case.probe(NotApplied())
    case.resolve()
    case.decide()
    case.after(minutes(1)).fire()
    case.decide()
    assert case.run.status is RunStatus.ACTING


# Ladders and budgets


def test_each_rung_spends_the_budget_and_none_waits_for_the_cooldown() -> None:
    guards = Guards(cooldown=minutes(10), budget=(Budget(count=2, window=minutes(60)),))
    case = acting(steps=3, guards=guards)
    for _ in range(2):
        case.report()
        case.after(minutes(1)).verdict(Outcome.FAILED)
        case.decide()
    assert [a.step for a in case.all(Attempt)] == [0, 1]
    assert (case.run.step, case.run.hold_reason) == (2, Reason.BUDGET)


def test_a_ladder_stops_climbing_when_the_alert_ends() -> None:
    case = acting(steps=2)
    case.report()
    case.verdict(Outcome.FAILED)
    case.resolve()
    assert (case.run.outcome, case.run.reason) == (Outcome.CANCELLED, Reason.RESOLVED)
    assert case.lock is None


# The verdict


def test_success_ends_run_episode_and_incident_without_waiting_for_the_webhook() -> None:
    case = acting()
    case.report()
    mark = len(case.events)
    case.after(minutes(3)).verdict()
    assert case.since(mark) == ["episode.closed", "run.finished", "incident.resolved"]
    assert (case.run.outcome, case.run.reason) == (Outcome.SUCCEEDED, Reason.VERIFIED)
    finished = case.events[-2].data
    assert (finished["seconds_verifying"], finished["seconds_since_incident"]) == (180.0, 180.0)
    assert case.told() == []


def test_the_resolved_that_comes_later_is_a_repeat() -> None:
    case = acting()
    case.report()
    case.verdict()
    assert case.after(minutes(5)).resolve() == "repeated"


def test_an_alert_that_fires_again_before_its_resolved_was_posted_gets_a_run() -> None:
    case = acting()
    case.report()
    case.after(minutes(1)).verdict()
    assert case.after(minutes(1)).fire() == "opened"
    assert [r.status for r in case.all(Run)] == [RunStatus.FINISHED, RunStatus.PLANNING]


def test_an_alert_that_began_again_after_the_last_look_gets_a_run_at_once() -> None:
    case = acting()
    case.report()
    case.after(minutes(1)).resolve()
    looked = case.now
    case.after(minutes(1)).fire()
    assert len(case.all(Run)) == 1
    case.verdict(at=looked)
    first, second = case.all(Run)
    assert first.outcome is Outcome.SUCCEEDED
    assert (second.status, second.requested_by) == (RunStatus.PLANNING, "alert")
    assert [e.firing for e in case.all(Episode)] == [False, True]


def test_success_ends_only_the_episodes_of_its_own_rule() -> None:
    case = Case(a_rule("one"), a_rule("two"))
    case.fire("a1", rule="one")
    case.decide()
    run = case.run
    case.fire("a2", rule="two")
    case.report(run=run)
    case.verdict(run=run)
    assert [e.fingerprint for e in case.all(Episode) if e.firing] == ["a2"]
    assert case.incident.open


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.INCONCLUSIVE])
def test_what_did_not_succeed_is_told_and_leaves_the_incident_open(outcome: Outcome) -> None:
    case = acting()
    case.report()
    case.verdict(outcome)
    assert case.run.outcome is outcome
    assert [m.kind for m in case.told()] == [outcome.value]
    assert case.incident.open
    assert case.firing(case.run)


def test_inconclusive_never_climbs() -> None:
    case = acting(steps=2)
    case.report()
    case.verdict(Outcome.INCONCLUSIVE)
    assert case.run.outcome is Outcome.INCONCLUSIVE
    assert len(case.all(Attempt)) == 1


def test_failed_climbs_and_is_told_only_at_the_end() -> None:
    case = acting(steps=2)
    case.report()
    case.verdict(Outcome.FAILED)
    assert case.told() == []
    case.decide()
    case.report()
    case.verdict(Outcome.FAILED)
    assert [m.kind for m in case.told()] == ["failed"]


def test_a_verdict_on_a_run_that_is_not_verified_any_more_changes_nothing() -> None:
    case = acting()
    case.report()
    case.cancel()
    mark = len(case.events)
    case.verdict()
    assert case.since(mark) == []
    assert case.run.outcome is Outcome.CANCELLED


def test_an_alert_that_comes_back_while_it_is_verified_belongs_to_the_same_run() -> None:
    case = acting()
    case.report()
    case.after(minutes(1)).resolve()
    case.after(minutes(1)).fire()
    assert len(case.all(Run)) == 1
    case.verdict(Outcome.FAILED, reason=Reason.RELAPSED)
    assert (case.run.outcome, case.run.reason) == (Outcome.FAILED, Reason.RELAPSED)


def test_a_verification_counts_from_the_end_of_the_last_act() -> None:
    case = acting("web-1", "web-2")
    case.after(minutes(1)).report()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.after(minutes(1)).report()
    assert case.run.verify_from == NOON + minutes(2)
