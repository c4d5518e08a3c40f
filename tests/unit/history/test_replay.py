"""A day of a simulated house, lived through again: the same rules decide the same, and others as expected."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from remediator.model.command import CommandSpec
from remediator.model.words import Reason, RunStatus
from remediator.world.base import Sample
from tests.simulation.given import rule, rules
from tests.unit.history.recorded import Past, differences

if TYPE_CHECKING:
    from pathlib import Path

    from remediator.history.compare import Compared
    from tests.simulation.house import House

GUARDS = "cooldown: 10m, budget: [3/1h], changed_by_others: 5m"
RULES = rules(
    rule(guardrails=GUARDS),
    rule("db-down", service="db", severity="P0", guardrails=GUARDS),
    rule("api-down", service="api", guardrails=GUARDS),
)


async def a_day(house: House) -> None:
    """Crashes that a restart mends, one that it does not, a deploy, a question, a pause."""
    for service in ("web", "db", "api"):
        house.watch(service)
    house.docker.crash("app-web-1")
    await house.finished()
    house.docker.crash("app-db-1")
    approval = await house.asked("db-down", within=timedelta(minutes=5))
    await house.wait(minutes=3)
    await house.desk.approve(approval.id, "alice")
    await house.finished("db-down")
    await house.wait(minutes=20)
    house.docker.stop_by_hand("app-web-1")
    await house.held(Reason.CHANGED_BY_OTHERS, within=timedelta(minutes=5))
    await house.wait(minutes=2)
    house.docker.start_by_hand("app-web-1")
    await house.wait(minutes=20)
    house.docker.breaks("app-api-1", incurable=True)
    await house.finished("api-down")
    await house.wait(minutes=5)
    await house.desk.pause("alice", "let me look")
    house.docker.crash("app-web-1")
    await house.held(Reason.PAUSED, within=timedelta(minutes=5))
    await house.wait(minutes=10)
    await house.desk.resume("alice")
    await house.finished()
    await house.wait(minutes=5)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("day"), RULES, a_day, services=("web", "db", "api"))


def test_the_same_rules_decide_the_same(day: Past) -> None:
    found = day.replay()
    assert len(found) >= 5
    assert {line.difference.value for line in found} == {"same"}, [line.told() for line in found]
    assert not [line.depends for line in found if line.depends]


def of(found: list[Compared], name: str) -> list[str]:
    return [line.difference.value for line in found if line.some.rule == name]


def test_a_rule_in_shadow_acts_no_more(day: Past) -> None:
    found = day.replay(RULES.replace("- name: api-down", "- name: api-down\n        mode: shadow"))
    assert of(found, "api-down") == ["held instead of acted"]
    assert set(of(found, "web-down")) == {"same"}
    assert set(of(found, "db-down")) == {"same"}


def test_a_rule_that_is_gone_has_no_runs(day: Past) -> None:
    found = day.replay(rules(rule(guardrails=GUARDS), rule("api-down", service="api", guardrails=GUARDS)))
    assert of(found, "db-down") == ["no run"]
    assert set(of(found, "web-down")) == {"same"}


def test_another_rule_for_the_same_alert(day: Past) -> None:
    found = day.replay(RULES.replace("name: db-down", "name: db-restart"))
    assert differences(found)[1] == ("db-down", "other rule")


def test_hands_off_for_less_long_acts_instead_of_waiting(day: Past) -> None:
    before = [line for line in day.replay() if line.then is not None and not line.then.acts]
    assert [line.then.holds for line in before if line.then] == [["changed_by_others"]]
    found = day.replay(RULES.replace("changed_by_others: 5m", "changed_by_others: 0s"))
    (line,) = (line for line in found if line.difference == "acted instead of held")
    assert line.some.begun == before[0].some.begun
    assert "acts" in line.depends


def test_what_nobody_knows_of_another_action_is_named(day: Past) -> None:
    found = day.replay(RULES.replace("restart: {}", "restart: {timeout: 5s}"))
    acted = [line for line in found if line.then is not None and line.then.acts]
    assert {line.difference.value for line in acted} == {"other action"}


def test_runs_from_before_are_not_told_of(day: Past) -> None:
    first, second, *_ = day.replay()
    assert [line.some.id for line in day.replay(since=second.some.begun)][:1] == [second.some.id]
    assert first.some.id != second.some.id


async def a_condition_that_comes_to_hold(house: House) -> None:
    house.watch("web")
    house.docker.crash("app-web-1")
    await house.held(Reason.CONDITION_NOT_MET, within=timedelta(minutes=5))
    await house.wait(minutes=2)
    house.prometheus.answers["up == 0"] = [Sample(labels={}, value=0.0)]
    await house.finished()


def test_what_prometheus_said_then_is_said_again(tmp_path: Path) -> None:
    then = rules(rule(more="when: {promql: 'up == 0'}"))
    past = Past(tmp_path, then, a_condition_that_comes_to_hold)
    (line,) = past.replay()
    assert (line.difference, line.depends) == ("same", [])
    assert line.then is not None
    assert line.now is not None
    assert line.then.holds == line.now.holds == ["condition_not_met"]
    (other,) = past.replay(then.replace("up == 0", "up == 1"))
    assert "promql:web-down" in other.depends


async def again_at_once(house: House) -> None:
    for _ in range(2):
        mark = await house.fire()
        await house.acts()
        await house.resolve(mark)
        await house.finished()
        await house.wait(seconds=5)


def test_an_alert_that_fires_again_at_once_is_acted_on_again(tmp_path: Path) -> None:
    past = Past(tmp_path, rules(rule(guardrails="budget: [9/1h]")), again_at_once)
    found = past.replay()
    assert [(line.difference, len(line.then.acts)) for line in found if line.then] == [("same", 1)] * 2


async def ends_that_only_the_api_tells(house: House) -> None:
    for _ in range(2):
        mark = await house.fire()
        await house.acts()
        house.alertmanager.resolve(mark)
        await house.finished()
        await house.wait(seconds=5)


def test_ends_that_no_notification_told_of_are_ends_for_other_rules_too(tmp_path: Path) -> None:
    then = rules(rule(guardrails="budget: [9/1h]"))
    past = Past(tmp_path, then, ends_that_only_the_api_tells)
    assert of(past.replay(), "web-down") == ["same", "same"]
    shadow = past.replay(then.replace("severity: P1", "severity: P1\n        mode: shadow"))
    assert of(shadow, "web-down") == ["held instead of acted"] * 2


async def people_at_work(house: House) -> None:
    """A run by hand, one that is cancelled, one that a file holds, a hand on what a command is to mend."""
    house.watch("web")
    await house.desk.start_run("web-down", "web", "alice", "to be sure")
    await house.finished()
    await house.wait(minutes=15)
    house.pause_file.touch()
    house.docker.crash("app-web-1")
    await house.held(Reason.PAUSED, within=timedelta(minutes=5))
    await house.wait(minutes=2)
    house.pause_file.unlink()
    await house.finished()
    await house.wait(minutes=15)
    mark = await house.fire("web", "Slow")
    await house.is_now(RunStatus.VERIFYING, "web-slow")
    await house.desk.cancel(house.run("web-slow").id, "bob", "enough")
    await house.resolve(mark)
    await house.wait(minutes=15)
    house.docker.restart_by_hand("app-web-1")
    mark = await house.fire("web", "Slow")
    await house.held(Reason.CHANGED_BY_OTHERS, "web-slow")
    await house.resolve(mark)
    await house.wait(minutes=5)


def test_what_people_did_they_do_again(tmp_path: Path) -> None:
    flush = CommandSpec(name="flush", argv=("/usr/bin/flush",), repeatable=True)
    slow = rule("web-slow", alert="Slow", steps=("{command: {name: flush}}",), guardrails=GUARDS)
    past = Past(tmp_path, rules(rule(guardrails=GUARDS), slow), people_at_work, commands=[flush])
    found = past.replay()
    assert of(found, "web-down") == ["same", "same"], [line.told() for line in found]
    assert of(found, "web-slow") == ["same", "same"], [line.told() for line in found]
    assert [line.then.holds for line in found if line.then] == [[], ["paused"], [], ["changed_by_others"]]
    assert [line.now.holds for line in found if line.now] == [[], ["paused"], [], ["changed_by_others"]]
    assert [line.now.by_hand for line in found if line.now] == [True, False, False, False]


async def an_act_that_did_not_help(house: House) -> None:
    mark = await house.fire()
    await house.finished()
    await house.wait(minutes=30)
    await house.resolve(mark)
    await house.wait(minutes=5)


def test_what_another_act_would_have_brought_about_is_assumed(tmp_path: Path) -> None:
    flush = CommandSpec(name="flush", argv=("/usr/bin/flush",), repeatable=True)
    past = Past(tmp_path, rules(), an_act_that_did_not_help, commands=[flush])
    other = rules(rule(steps=("{command: {name: flush}, verify: {resolved_within: 5m}}",)))
    (unknown,) = past.replay(other)
    assert unknown.now is not None
    assert (unknown.difference, unknown.now.outcome) == ("other action", "failed")
    assert unknown.depends == ["acts", "health", "resolved-after"]
    (helped,) = past.replay(other, "resolved-after=1m", "acts=ok", "health=ok")
    assert helped.now is not None
    assert (helped.now.outcome, helped.depends) == ("succeeded", [])


def test_what_people_would_have_said_is_assumed(tmp_path: Path) -> None:
    past = Past(tmp_path, rules(), an_act_that_did_not_help)
    approve = rules(rule(more="mode: approve"))
    (unknown,) = past.replay(approve)
    assert (unknown.difference, "approvals" in unknown.depends) == ("held instead of acted", True)
    (granted,) = past.replay(approve, "approvals=granted")
    assert granted.now is not None
    assert len(granted.now.acts) == 1
    (denied,) = past.replay(approve, "approvals=denied")
    assert denied.now is not None
    assert (denied.now.acts, denied.now.reason) == ([], "denied_by_person")
