"""One run per service at a time: who has it, who is next, and that nobody is forgotten."""

from datetime import timedelta

from remediator.decide.policy import Policy
from remediator.model.rule import Guards
from remediator.model.run import Run
from remediator.model.words import Mode, Outcome, Reason, RunStatus, Severity
from remediator.model.world import ActFailed, NotApplied, ObjectChange, Unknown
from tests.unit.decide.case import Case, a_plan, a_rule, minutes

NAMES = ("first", "second", "third")


def in_line(*, severity: Severity = Severity.P1, steps: int = 1, **second: object) -> tuple[Case, list[Run]]:
    """The first run acts, the other two wait for the service."""
    rules = [a_rule(name, severity=severity, steps=steps) for name in NAMES]
    rules[1] = a_rule("second", **second)
    case = Case(*rules)
    runs = []
    for number, name in enumerate(NAMES):
        case.fire(f"a{number}", rule=name)
        runs.append(case.run)
        case.decide()
    return case, runs


def statuses(case: Case, runs: list[Run]) -> list[RunStatus]:
    return [case.again(run).status for run in runs]


def test_others_wait_while_one_run_has_the_service() -> None:
    case, runs = in_line()
    assert statuses(case, runs) == [RunStatus.ACTING, RunStatus.HELD, RunStatus.HELD]
    assert {case.again(r).hold_reason for r in runs[1:]} == {Reason.LOCKED}
    assert case.told("held") == []


def test_the_lock_stays_until_the_run_has_finished() -> None:
    case, (first, *_) = in_line()
    case.report(run=first)
    assert case.again(first).status is RunStatus.VERIFYING
    assert case.lock is not None
    assert case.lock.run_id == first.id
    case.verdict(run=first)
    assert case.lock is None


def test_the_one_that_waits_longest_is_woken_and_only_that_one() -> None:
    case, runs = in_line()
    case.report(run=runs[0])
    case.verdict(run=runs[0])
    assert statuses(case, runs) == [RunStatus.FINISHED, RunStatus.PLANNING, RunStatus.HELD]


def test_an_unknown_outcome_keeps_the_service_locked() -> None:
    case, runs = in_line()
    case.report(Unknown(), run=runs[0])
    case.probe(Unknown(), run=runs[0])
    case.resolve("a0")
    assert statuses(case, runs) == [RunStatus.UNKNOWN, RunStatus.HELD, RunStatus.HELD]
    case.decide(runs[1])
    assert case.again(runs[1]).hold_reason is Reason.LOCKED


def test_one_whose_alert_is_over_leaves_the_line() -> None:
    case, runs = in_line()
    case.resolve("a1")
    assert case.again(runs[1]).reason is Reason.RESOLVED
    case.report(run=runs[0])
    case.verdict(run=runs[0])
    assert case.again(runs[2]).status is RunStatus.PLANNING


def freed(case: Case, runs: list[Run]) -> None:
    case.report(run=runs[0])
    case.verdict(run=runs[0])
    assert case.again(runs[1]).status is RunStatus.PLANNING


def test_a_turn_that_ends_in_a_denial_is_passed_on() -> None:
    case, runs = in_line()
    freed(case, runs)
    case.cannot_plan(runs[1], Reason.NOT_ALLOWED)
    assert case.again(runs[2]).status is RunStatus.PLANNING


def test_a_turn_of_one_whose_target_is_missing_is_passed_on() -> None:
    case, runs = in_line()
    freed(case, runs)
    case.cannot_plan(runs[1])
    assert case.again(runs[2]).status is RunStatus.PLANNING


def test_a_turn_that_is_cancelled_is_passed_on() -> None:
    case, runs = in_line()
    freed(case, runs)
    case.cancel(runs[1])
    assert case.again(runs[2]).status is RunStatus.PLANNING


def test_a_turn_that_resolves_is_passed_on() -> None:
    case, runs = in_line()
    freed(case, runs)
    case.resolve("a1")
    assert case.again(runs[2]).status is RunStatus.PLANNING


def test_a_turn_that_waits_for_people_is_passed_on() -> None:
    case, runs = in_line(severity=Severity.P1, mode=Mode.APPROVE)
    freed(case, runs)
    case.decide(runs[1])
    assert statuses(case, runs)[1:] == [RunStatus.AWAITING_APPROVAL, RunStatus.PLANNING]


def test_a_turn_that_is_held_for_something_else_is_passed_on() -> None:
    case, runs = in_line()
    freed(case, runs)
    change = ObjectChange(
        object_id="id-web-1", object_name="web-1", what="stop", at=case.after(minutes(1)).now
    )
    case.decide(runs[1], changes=(change,))
    assert case.again(runs[1]).hold_reason is Reason.CHANGED_BY_OTHERS
    assert case.again(runs[2]).status is RunStatus.PLANNING


def test_a_turn_in_a_world_that_cannot_be_read_is_passed_on() -> None:
    case, runs = in_line()
    freed(case, runs)
    case.cannot_read(runs[1])
    assert case.again(runs[2]).status is RunStatus.PLANNING


def test_a_turn_that_ends_in_shadow_is_passed_on() -> None:
    case, runs = in_line()
    case.rules["second"] = a_rule("second", mode=Mode.SHADOW)
    freed(case, runs)
    case.decide(runs[1])
    assert case.again(runs[1]).outcome is Outcome.SHADOW
    assert case.again(runs[2]).status is RunStatus.PLANNING


def test_a_turn_that_is_taken_is_not_passed_on() -> None:
    case, runs = in_line()
    freed(case, runs)
    case.decide(runs[1])
    assert statuses(case, runs)[1:] == [RunStatus.ACTING, RunStatus.HELD]


def test_nobody_overtakes_the_one_whose_turn_it_is() -> None:
    case, runs = in_line()
    case.rules["asks"] = a_rule("asks", mode=Mode.APPROVE)
    case.report(run=runs[0])
    case.verdict(Outcome.INCONCLUSIVE, run=runs[0])
    case.fire("a9", rule="asks")
    asked = case.run
    case.decide(asked)
    assert statuses(case, runs)[1:] == [RunStatus.PLANNING, RunStatus.HELD]
    case.deny(approval=case.approval.id)
    assert case.again(asked).outcome is Outcome.DENIED
    assert statuses(case, runs)[1:] == [RunStatus.PLANNING, RunStatus.HELD]


def test_a_ladder_keeps_the_service_between_its_rungs() -> None:
    case, runs = in_line(steps=2)
    case.report(ActFailed(result={"error": "no"}), run=runs[0])
    assert case.again(runs[0]).status is RunStatus.PLANNING
    case.decide(runs[1])
    assert case.again(runs[1]).hold_reason is Reason.LOCKED
    case.decide(runs[0])
    assert case.again(runs[0]).status is RunStatus.ACTING


def test_an_act_that_did_not_happen_keeps_the_service_for_the_next_try() -> None:
    case, runs = in_line()
    case.report(Unknown(), run=runs[0])
    case.probe(NotApplied(), run=runs[0])
    assert case.again(runs[0]).status is RunStatus.PLANNING
    assert case.lock is not None
    assert case.again(runs[1]).hold_reason is Reason.LOCKED


def test_services_do_not_wait_for_each_other() -> None:
    case = Case(a_rule("one"), a_rule("two"))
    case.fire("a1", rule="one", service="robo-rlhf")
    case.decide()
    case.fire("a2", rule="two", service="redis")
    case.decide(planned=a_plan("redis-1"))
    assert [r.status for r in case.all(Run)] == [RunStatus.ACTING, RunStatus.ACTING]


def two_names() -> tuple[Case, Run, Run]:
    """One run acts on a container, and another wants to act on it as another service."""
    case = Case(a_rule("one"), a_rule("two"))
    case.fire("a1", rule="one", service="robo-rlhf")
    first = case.run
    case.decide()
    case.fire("a2", rule="two", service="the-same")
    second = case.run
    case.decide(planned=a_plan("web-0", "web-1"))
    return case, first, second


def test_one_object_with_two_names_is_acted_on_once_at_a_time() -> None:
    case, first, second = two_names()
    held = case.again(second)
    assert (held.status, held.hold_reason) == (RunStatus.HELD, Reason.OBJECT_LOCKED)
    assert held.hold_detail == "run 1 for robo-rlhf is at work on web-1"
    assert case.look_at[second.id] == case.now + timedelta(seconds=5)
    assert case.events[-1].data["stored"]["elsewhere"] == [
        {"run": 1, "service": "robo-rlhf", "object": "id-web-1"}
    ]
    case.report(run=first)
    case.decide(second, planned=a_plan("web-0", "web-1"))
    assert case.again(second).hold_reason is Reason.OBJECT_LOCKED, "it still watches what became of it"
    case.verdict(run=first)
    case.decide(second, planned=a_plan("web-0", "web-1"))
    assert case.again(second).status is RunStatus.ACTING


def test_an_act_of_unknown_outcome_keeps_its_object_whatever_it_is_called() -> None:
    case, first, second = two_names()
    case.report(Unknown(), run=first)
    case.probe(Unknown(), run=first)
    case.after(minutes(60)).decide(second)
    assert case.again(second).hold_reason is Reason.OBJECT_LOCKED
    case.settle(applied=False, run=first)
    case.decide(second)
    assert case.again(second).status is RunStatus.ACTING


def test_two_that_wait_for_an_object_do_not_wake_one_another_for_ever() -> None:
    case, _, second = two_names()
    case.fire("a3", rule="one", service="the-same")
    third = case.run
    mark = len(case.events)
    case.decide(third)
    case.decide(second)
    assert case.since(mark) == ["run.held"]
    assert {case.again(r).hold_reason for r in (second, third)} == {Reason.OBJECT_LOCKED}


def test_a_rule_in_line_still_waits_for_its_own_cooldown() -> None:
    cooldown = Guards(cooldown=minutes(10))
    case = Case(a_rule("one", guards=cooldown), a_rule("two"), policy=Policy(cooldown=minutes(5)))
    case.fire("a1", rule="one")
    case.decide()
    case.fire("a2", rule="two")
    case.decide()
    case.report(run=case.all(Run)[0])
    case.verdict(run=case.all(Run)[0])
    case.after(minutes(1)).decide()
    assert case.run.hold_reason is Reason.COOLDOWN
    case.after(minutes(4)).decide()
    assert case.run.status is RunStatus.ACTING
