"""Plans of several operations: what happens between one and the next, and when the rest no longer stands."""

from dataclasses import replace

import pytest

from remediator.model.plan import Operation, PlanSpec
from remediator.model.rule import Budget, Guards
from remediator.model.run import Attempt
from remediator.model.words import Mode, Outcome, Reason, RunStatus
from tests.unit.decide.case import Case, a_plan, a_rule, minutes, reloaded


def acting(*objects: str, steps: int = 1, **rule: object) -> Case:
    """A run whose first operation is under way."""
    case = Case(a_rule(steps=steps, **rule))
    case.fire()
    case.decide(planned=a_plan(*(objects or ("web-1",))))
    assert case.run.status is RunStatus.ACTING
    return case


def test_operations_are_decided_upon_one_by_one_and_counted_as_one_act() -> None:
    guards = Guards(cooldown=minutes(10), budget=(Budget(count=1, window=minutes(60)),))
    case = acting("web-1", "web-2", guards=guards)
    case.report()
    assert (case.run.status, case.run.operation) == (RunStatus.PLANNING, 1)
    case.decide(planned=a_plan("web-1", "web-2"))
    assert case.attempt().object_id == "id-web-2"
    case.report()
    assert case.run.status is RunStatus.VERIFYING
    assert case.kinds.count("run.decided") == 2


def test_a_plan_goes_on_as_stored_where_no_fresh_one_is_given() -> None:
    case = acting("web-1", "web-2")
    plan = case.run.plan_id
    case.report()
    case.decide(stored=True)
    assert (case.attempt().object_id, case.run.plan_id) == ("id-web-2", plan)


def test_a_plan_that_goes_on_compares_with_the_state_of_now() -> None:
    case = acting("web-1", "web-2")
    case.report()
    fresh = a_plan("web-1", "web-2")
    operations = tuple(replace(o, before={"started_at": "later"}) for o in fresh.operations)
    case.decide(planned=a_plan("web-1", "web-2", operations=operations))
    operation = case.snapshot.get(Operation, case.attempt().operation_id)
    assert (operation.object_id, operation.before) == ("id-web-2", {"started_at": "later"})


@pytest.mark.parametrize(
    "fresh",
    [
        a_plan("web-1"),
        a_plan("web-1", "web-3"),
        a_plan("web-2", "web-1"),
        a_plan("web-1", "web-2", "web-3"),
        a_plan("web-1", "web-2", action="scale"),
        a_plan("web-1", "web-2", params={"timeout": "5s"}),
    ],
    ids=["fewer", "another", "another order", "more", "another action", "other parameters"],
)
def test_the_rest_of_a_stale_plan_is_not_carried_out_and_what_was_done_is_verified(fresh: PlanSpec) -> None:
    case = acting("web-1", "web-2", steps=2)
    case.report()
    assert case.decide(planned=fresh) is None
    assert case.run.status is RunStatus.VERIFYING
    assert case.events[-1].data["reason"] == "stale_plan"
    assert len(case.all(Attempt)) == 1
    case.verdict(Outcome.FAILED)
    assert case.run.step == 1


def test_the_same_plan_of_a_rule_that_was_reloaded_meanwhile_goes_on() -> None:
    case = acting("web-1", "web-2")
    case.report()
    case.rules["app-down"] = reloaded(case.rules["app-down"])
    case.decide(planned=a_plan("web-1", "web-2"))
    assert case.attempt().object_id == "id-web-2"


def test_a_target_that_is_gone_in_the_middle_verifies_what_was_done() -> None:
    case = acting("web-1", "web-2", steps=2)
    case.report()
    case.cannot_plan()
    assert (case.run.status, case.events[-1].data["reason"]) == (RunStatus.VERIFYING, Reason.STALE_PLAN)
    case.verdict(Outcome.FAILED)
    assert (case.run.status, case.run.step) == (RunStatus.PLANNING, 1)


def test_a_target_that_may_not_be_touched_any_more_is_verified_and_ends_it() -> None:
    case = acting("web-1", "web-2", steps=2)
    case.report()
    case.cannot_plan(reason=Reason.NOT_ALLOWED)
    assert case.run.status is RunStatus.VERIFYING
    case.verdict(Outcome.FAILED)
    assert case.run.outcome is Outcome.FAILED


def test_an_alert_that_ends_in_the_middle_leaves_the_rest_undone_and_verifies() -> None:
    case = acting("web-1", "web-2")
    case.resolve()
    case.report()
    case.decide(planned=a_plan("web-1", "web-2"))
    assert case.run.status is RunStatus.VERIFYING
    case.verdict()
    assert case.run.outcome is Outcome.SUCCEEDED
    assert not case.incident.open


def test_a_pause_in_the_middle_holds_the_rest_and_keeps_the_service() -> None:
    case = acting("web-1", "web-2")
    case.pause()
    case.report()
    case.decide(planned=a_plan("web-1", "web-2"))
    assert (case.run.status, case.run.operation) == (RunStatus.HELD, 1)
    assert case.lock is not None
    case.resume()
    case.decide(planned=a_plan("web-1", "web-2"))
    assert case.attempt().object_id == "id-web-2"


def test_an_alert_that_ends_while_the_rest_is_held_verifies_what_was_done() -> None:
    case = acting("web-1", "web-2")
    case.pause()
    case.report()
    case.decide(planned=a_plan("web-1", "web-2"))
    case.resolve()
    assert case.run.status is RunStatus.VERIFYING


def test_a_cancel_in_the_middle_verifies_what_was_done_and_climbs_no_further() -> None:
    case = acting("web-1", "web-2", steps=2)
    case.report()
    case.cancel()
    assert case.run.status is RunStatus.VERIFYING
    case.verdict(Outcome.FAILED)
    assert case.run.outcome is Outcome.FAILED
    assert len(case.all(Attempt)) == 1


def test_shadow_mode_switched_on_in_the_middle_stops_and_verifies() -> None:
    case = acting("web-1", "web-2", steps=2)
    case.report()
    case.rules["app-down"] = reloaded(case.rules["app-down"], mode=Mode.SHADOW)
    case.decide(planned=a_plan("web-1", "web-2"))
    assert case.run.status is RunStatus.VERIFYING
    case.verdict(Outcome.FAILED)
    assert case.run.finished
    assert len(case.all(Attempt)) == 1


def test_a_rule_that_is_gone_in_the_middle_stops_and_verifies() -> None:
    case = acting("web-1", "web-2", steps=2)
    case.report()
    case.lose_rule()
    assert case.run.status is RunStatus.VERIFYING
    assert case.events[-1].data["reason"] == "rule_gone"
