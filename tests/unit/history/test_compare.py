"""Which runs of a replay belong to those of the record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from remediator.history.compare import compare
from remediator.history.trails import Trail, Trails
from tests.simulation.given import rule, rules
from tests.unit.history.recorded import Past, differences

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulation.house import House

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def trails(*begun: tuple[str, float, set[str]], by_hand: bool = False) -> Trails:
    """Runs of rules that begin after so many seconds, for these alerts."""
    made = Trails()
    for number, (name, seconds, alerts) in enumerate(begun, 1):
        at = BEGIN + timedelta(seconds=seconds)
        made.runs[number] = Trail(number, 1, name, "v", "web", at, by_hand, alerts)
    return made


def test_runs_for_different_alerts_do_not_belong_together() -> None:
    then, now = trails(("b", 0, {"B"})), trails(("t2", 5, {"T"}))
    assert differences(compare(then, now)) == [("b", "no run"), ("t2", "new run")]


def test_runs_of_another_rule_for_the_same_alert_belong_together() -> None:
    then, now = trails(("b", 0, {"B"})), trails(("t2", 5, {"T"}), ("b2", 9, {"B", "C"}))
    assert differences(compare(then, now)) == [("b", "other rule"), ("t2", "new run")]


def test_what_people_started_belongs_together_by_its_rule() -> None:
    then, now = trails(("b", 0, set()), by_hand=True), trails(("b", 5, set()), by_hand=True)
    assert differences(compare(then, now)) == [("b", "same")]
    other = trails(("c", 5, set()), by_hand=True)
    assert differences(compare(then, other)) == [("b", "no run"), ("c", "new run")]


def test_the_nearest_belongs_to_a_run_and_each_to_one_only() -> None:
    then, now = trails(("b", 60, {"B"}), ("b", 90, {"B"})), trails(("b", 0, {"B"}), ("b", 65, {"B"}))
    found = [(line.some.begun.second, line.now and line.now.id) for line in compare(then, now)]
    assert found == [(0, 1), (0, 2), (30, None)]


async def two_alerts(house: House) -> None:
    first = await house.fire("web", "B")
    await house.wait(seconds=5)
    second = await house.fire("web", "T")
    await house.wait(minutes=2)
    await house.resolve(first)
    await house.resolve(second)
    await house.wait(minutes=5)


def test_a_rule_for_another_alert_of_the_service_is_a_new_run(tmp_path: Path) -> None:
    past = Past(tmp_path, rules(rule("b", alert="B")), two_alerts)
    found = past.replay(rules(rule("t2", alert="T")))
    assert sorted(differences(found)) == [("b", "no run"), ("t2", "new run")]


async def an_act(house: House) -> None:
    mark = await house.fire()
    await house.acts()
    await house.resolve(mark)
    await house.finished()
    await house.wait(minutes=5)


def test_what_is_assumed_does_not_replace_what_is_stored(tmp_path: Path) -> None:
    past = Past(tmp_path, rules(rule(guardrails="changed_by_others: 5m")), an_act)
    bad = ("changes=recent", "health=bad", "acts=failed", "approvals=denied")
    assert differences(past.replay(None, *bad)) == [("web-down", "same")]
