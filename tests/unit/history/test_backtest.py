"""Rules over a past, by the real engine: what it counts, and what is assumed."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from remediator.history.assumptions import read_assumptions
from remediator.history.changes import Change
from remediator.history.feed import PIECE
from tests.simulation.given import rule
from tests.unit.history.given import backtest, prepared, setup
from tests.unit.history.past import after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

SHORT = ("Down", "web", 10, 13)
"""It ends three minutes after it began, and `rule()` gives an act five."""
LONG = ("Down", "web", 10, 100)


def test_an_act_that_the_alert_ends_after_has_succeeded(tmp_path: Path) -> None:
    tally = backtest(setup(tmp_path), SHORT)
    found = tally.rules["web-down"]
    assert (found.episodes, found.runs, found.acts) == (1, 1, 1)
    assert found.outcomes == {"succeeded": 1}
    assert {day.isoformat(): acts for day, acts in found.days.items()} == {"2026-03-01": 1}


def test_an_act_that_the_alert_outlives_has_failed(tmp_path: Path) -> None:
    assert backtest(setup(tmp_path), LONG).rules["web-down"].outcomes == {"failed": 1}


def test_with_resolved_after_the_act_ends_the_alert(tmp_path: Path) -> None:
    tally = backtest(setup(tmp_path), LONG, assumed=("resolved-after=1m",))
    assert tally.rules["web-down"].outcomes == {"succeeded": 1}
    assert "resolved-after" not in {fact for _, fact in tally.rules["web-down"].depends}


def test_the_facts_that_nobody_knows_are_named(tmp_path: Path) -> None:
    depends = backtest(setup(tmp_path), SHORT).rules["web-down"].depends
    assert set(depends) == {
        ("acts", "replicas"),
        ("acts", "changes"),
        ("outcomes", "acts"),
        ("outcomes", "health"),
        ("outcomes", "resolved-after"),
    }


def test_what_is_assumed_is_not_named(tmp_path: Path) -> None:
    assumed = ("replicas=1", "changes=none", "acts=ok", "health=ok", "resolved-after=1m")
    assert not backtest(setup(tmp_path), SHORT, assumed=assumed).rules["web-down"].depends


def test_hands_on_the_target_hold(tmp_path: Path) -> None:
    tally = backtest(setup(tmp_path), SHORT, assumed=("changes=recent",))
    found = tally.rules["web-down"]
    assert found.acts == 0
    assert found.holds == {("changed_by_others", "changed_by_others"): 1}
    assert found.outcomes == {"cancelled": 1}


def test_acts_that_fail_and_services_that_stay_ill(tmp_path: Path) -> None:
    failed = backtest(setup(tmp_path), SHORT, assumed=("acts=failed",)).rules["web-down"]
    assert (failed.acts, failed.outcomes) == (1, {"failed": 1})
    ill = backtest(setup(tmp_path), SHORT, assumed=("health=bad",)).rules["web-down"]
    assert (ill.acts, ill.outcomes) == (1, {"failed": 1})


@pytest.mark.parametrize(("acts", "outcome"), [("ok", "succeeded"), ("failed", "failed")])
def test_named_requests_are_answered_as_it_is_assumed(tmp_path: Path, acts: str, outcome: str) -> None:
    drain = rule(steps=("{http: drain, verify: {resolved_within: 5m}}",))
    found = backtest(setup(tmp_path, drain), SHORT, assumed=(f"acts={acts}",)).rules["web-down"]
    assert (found.acts, found.outcomes) == (1, {outcome: 1})


def test_each_container_is_an_act(tmp_path: Path) -> None:
    assert backtest(setup(tmp_path), SHORT, assumed=("replicas=3",)).rules["web-down"].acts == 3


@pytest.mark.parametrize(
    ("assumed", "acts", "approvals"),
    [
        ((), 0, {"asked": 2, "expired": 1}),
        (("approvals=granted",), 1, {"asked": 1, "granted": 1}),
        (("approvals=denied",), 0, {"asked": 1, "denied": 1}),
    ],
)
def test_people_are_asked(
    tmp_path: Path, assumed: tuple[str, ...], acts: int, approvals: dict[str, int]
) -> None:
    tally = backtest(setup(tmp_path, rule(severity="P0")), ("Down", "web", 10, 50), assumed=assumed)
    found = tally.rules["web-down"]
    assert (found.acts, found.approvals) == (acts, approvals)


def test_a_rule_in_shadow_would_have_acted(tmp_path: Path) -> None:
    found = backtest(setup(tmp_path, rule(more="mode: shadow")), SHORT).rules["web-down"]
    assert (found.acts, found.shadow, found.outcomes) == (0, 1, {"shadow": 1})


def test_holds_are_counted_by_guardrail(tmp_path: Path) -> None:
    tally = backtest(setup(tmp_path), SHORT, ("Down", "web", 17, 18))
    assert tally.rules["web-down"].holds == {("cooldown", "cooldown"): 1}


def test_a_service_that_is_acted_on_again_and_again_flaps(tmp_path: Path) -> None:
    often = [("Down", "web", at, at + 3) for at in (0, 15, 30, 75, 90)]
    seldom = [("Down", "db", at, at + 3) for at in (0, 40, 80)]
    rules = (rule(guardrails="budget: [9/1h]"), rule("db-down", service="db"))
    tally = backtest(setup(tmp_path, *rules), *often, *seldom)
    assert tally.flapping == {"web": 3}
    assert tally.worst_hour is not None
    assert tally.worst_hour[1] == 5


def test_what_concerns_no_rule_is_only_counted(tmp_path: Path) -> None:
    tally = backtest(setup(tmp_path), ("Odd", "elsewhere", 1, 2), ("Odd", "web", 1, 2), SHORT)
    assert (tally.episodes, tally.unmatched, tally.unclassified) == (3, 2, 2)


def test_an_open_incident_of_another_service_holds_even_if_no_rule_is_for_its_alert(tmp_path: Path) -> None:
    rules = setup(tmp_path, rule(more="unless_open: [db]"))
    found = backtest(rules, ("Slow", "db", 1, 50), SHORT).rules["web-down"]
    assert list(found.holds) == [("unless_open", "other_incident_open")]


def test_a_service_that_the_catalogue_does_not_know_depends_on_the_target(tmp_path: Path) -> None:
    text = rule(service="shop").replace("\n        service: shop\n", "\n")
    found = backtest(setup(tmp_path, text), ("Down", "shop", 1, 20)).rules["web-down"]
    assert found.acts == 0
    assert ("holds", "target") in found.depends


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("helth=ok", "did you mean `health`"),
        ("health", "`health` wants a value: health=..., ok or bad"),
        ("health=well", "`health=well`: expected ok or bad"),
        ("replicas=0", "expected a number of containers from 1 to 100"),
        ("replicas=99999999999999999", "from 1 to 100"),
        ("resolved-after=5", "expected a duration such as 5m"),
        ("approvals=yes", "expected granted, denied or none"),
    ],
)
def test_an_assumption_that_cannot_be_read_is_told(written: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_assumptions([written])


def test_what_prometheus_said_is_assumed_to_hold_and_named(tmp_path: Path) -> None:
    rules = setup(tmp_path, rule(more="when: {promql: 'up == 0'}"))
    found = backtest(rules, SHORT).rules["web-down"]
    assert (found.acts, found.depends["acts", "promql:web-down"]) == (1, 1)
    for fact in ("promql", "promql:web-down"):
        held = backtest(rules, SHORT, assumed=(f"{fact}=false",)).rules["web-down"]
        assert (held.acts, list(held.holds)) == (0, [("when", "condition_not_met")])
        known = backtest(rules, SHORT, assumed=(f"{fact}=true",)).rules["web-down"]
        assert (known.acts, known.depends["acts", "promql:web-down"]) == (1, 0)


def test_one_rules_expression_comes_before_that_of_all() -> None:
    assumed = read_assumptions(["promql:a=false", "promql=true"], rules=["a", "b"])
    assert (assumed.holds("a"), assumed.holds("b")) == (False, True)
    with pytest.raises(ValueError, match="there is no rule `web`; did you mean `webs`"):
        read_assumptions(["promql:web=true"], rules=["webs"])
    with pytest.raises(ValueError, match="there is no fact `health:web` to assume"):
        read_assumptions(["health:web=ok"], rules=["web"])


def test_it_can_be_interrupted_while_the_past_is_waited_for(tmp_path: Path) -> None:
    async def hanging() -> AsyncGenerator[Change, None]:
        for number in range(PIECE):
            yield Change(after(1 + number / PIECE), True, str(number), {}, after(1))
        await asyncio.Event().wait()

    test = prepared(setup(tmp_path), hanging)
    test.progress = lambda _: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        test.go()
    assert test.reached == after(1)
    assert not test.complete
