"""Cooldowns and budgets, at their edges."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from remediator.decide.guardrails import (
    budget,
    cooldown,
)
from remediator.model.rule import Budget, Guards
from remediator.model.verdict import Allow, Hold
from remediator.model.words import (
    AttemptStatus,
    Reason,
)
from tests.unit.decide.asks import INSTANT, a_request, an_act, reason_of, until_of
from tests.unit.decide.case import NOON, minutes

# Cooldown


@pytest.mark.parametrize(
    ("act", "until"),
    [
        ({"ago": minutes(10)}, None),
        ({"ago": minutes(10) - INSTANT}, NOON + INSTANT),
        ({"ago": minutes(4)}, NOON + minutes(6)),
        ({"ago": minutes(14), "lasted": minutes(5)}, NOON + minutes(1)),  # counted from its end
        ({"ago": minutes(4), "lasted": None}, NOON + minutes(6)),
        ({"ago": minutes(4), "rule": "other"}, None),
        ({"ago": minutes(4), "run": 7, "step": 1}, None),  # the ladder's own rung
        ({"ago": minutes(4), "status": AttemptStatus.NOT_APPLIED}, None),
        ({"ago": minutes(4), "status": AttemptStatus.FAILED}, NOON + minutes(6)),
        ({"ago": minutes(4), "status": AttemptStatus.UNKNOWN}, NOON + minutes(6)),
    ],
)
def test_the_rules_cooldown(act: dict[str, Any], until: datetime | None) -> None:
    request = a_request(rule={"guards": Guards(cooldown=minutes(10))}, history=(an_act(**act),))
    verdict = cooldown.judge(request, NOON)
    if until is None:
        assert type(verdict) is Allow, verdict
    else:
        assert (reason_of(verdict, Hold), until_of(verdict)) == (Reason.COOLDOWN, until)


def test_the_services_cooldown_counts_every_rules_acts() -> None:
    history = (an_act(minutes(4), rule="other"),)
    request = a_request(policy={"cooldown": minutes(10)}, history=history)
    assert until_of(cooldown.judge(request, NOON)) == NOON + minutes(6)


def test_the_longer_of_two_cooldowns_counts() -> None:
    request = a_request(
        rule={"guards": Guards(cooldown=minutes(20))},
        policy={"cooldown": minutes(5)},
        history=(an_act(minutes(12)), an_act(minutes(3), run=2, rule="other")),
    )
    assert until_of(cooldown.judge(request, NOON)) == NOON + minutes(8)


def test_no_cooldown_is_set_so_none_holds() -> None:
    assert type(cooldown.judge(a_request(history=(an_act(INSTANT),)), NOON)) is Allow


# Budget

HOUR = timedelta(hours=1)
TWICE = Guards(budget=(Budget(count=2, window=HOUR),))


@pytest.mark.parametrize(
    ("ago", "until"),
    [
        ((), None),
        ((30,), None),
        ((30, 20), NOON + minutes(30)),
        ((60, 20), None),  # the older one has just left the window
        ((59, 20), NOON + minutes(1)),
        ((50, 40, 10), NOON + minutes(20)),  # one is to leave before there is room for one
    ],
)
def test_a_budget_has_room_again_when_the_oldest_act_leaves_its_window(
    ago: tuple[int, ...], until: datetime | None
) -> None:
    history = tuple(an_act(minutes(m), run=n) for n, m in enumerate(ago, 1))
    verdict = budget.judge(a_request(rule={"guards": TWICE}, history=history), NOON)
    if until is None:
        assert type(verdict) is Allow, verdict
    else:
        assert (reason_of(verdict, Hold), until_of(verdict)) == (Reason.BUDGET, until)


def test_the_order_of_the_history_does_not_matter() -> None:
    history = (an_act(minutes(20), run=2), an_act(minutes(59), run=1))
    assert until_of(budget.judge(a_request(rule={"guards": TWICE}, history=history), NOON)) == NOON + minutes(
        1
    )


@pytest.mark.parametrize(
    ("acts", "counted"),
    [
        # a step is one act, however many operations and tries it has
        ([{"run": 1}, {"run": 1, "name": "web-2"}], 1),
        ([{"run": 1, "step": 0}, {"run": 1, "step": 1}], 2),
        ([{"run": 1}, {"run": 2}], 2),
        ([{"run": 1}, {"run": 2, "status": AttemptStatus.NOT_APPLIED}], 1),
        ([{"run": 1, "status": AttemptStatus.NOT_APPLIED}, {"run": 1}], 1),
        ([{"run": 1}, {"run": 2, "status": AttemptStatus.FAILED}], 2),
        ([{"run": 1}, {"run": 2, "status": AttemptStatus.UNKNOWN, "lasted": None}], 2),
        ([{"run": 1}, {"run": 2, "rule": "other"}], 1),
        # the step that asks counts itself only once: when it begins
        ([{"run": 1}, {"run": 7, "step": 0}], 1),
        ([{"run": 1}, {"run": 7, "step": 3}], 2),
    ],
)
def test_what_counts_as_an_act(acts: list[dict[str, Any]], counted: int) -> None:
    history = tuple(an_act(minutes(10 + n), **act) for n, act in enumerate(acts))
    verdict = budget.judge(a_request(rule={"guards": TWICE}, history=history), NOON)
    assert (type(verdict) is Hold) == (counted == 2), verdict


def test_a_budget_of_the_service_counts_every_rules_acts() -> None:
    history = (an_act(minutes(10), run=1, rule="x"), an_act(minutes(20), run=2, rule="y"))
    request = a_request(policy={"budget": TWICE.budget}, history=history)
    verdict = budget.judge(request, NOON)
    assert until_of(verdict) == NOON + minutes(40)
    assert "budget 2/1h of service robo-rlhf" in verdict.detail


def test_of_several_spent_budgets_the_last_to_have_room_counts() -> None:
    budgets = (Budget(count=1, window=minutes(30)), Budget(count=2, window=24 * HOUR))
    history = (an_act(5 * HOUR, run=1), an_act(minutes(10), run=2))
    verdict = budget.judge(a_request(rule={"guards": Guards(budget=budgets)}, history=history), NOON)
    assert until_of(verdict) == NOON + 19 * HOUR
    assert "2/1d" in verdict.detail
