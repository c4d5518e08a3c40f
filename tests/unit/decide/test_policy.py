"""How far back acts must be known, so that no cooldown, budget or change is judged on half a history."""

from datetime import timedelta

import pytest

from remediator.decide.policy import LONGEST_ACT, Policy
from remediator.model.rule import Budget, Guards
from remediator.model.words import Mode, Severity
from tests.unit.decide.case import minutes

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("policy", "guards", "horizon"),
    [
        (Policy(), Guards(), minutes(10) + LONGEST_ACT),
        (Policy(), Guards(changed_by_others=minutes(0)), LONGEST_ACT),
        (Policy(), Guards(cooldown=DAY), DAY + LONGEST_ACT),
        (Policy(cooldown=DAY), Guards(cooldown=minutes(5)), DAY + LONGEST_ACT),
        (Policy(), Guards(budget=(Budget(count=1, window=DAY),)), DAY),
        (
            Policy(budget=(Budget(count=1, window=2 * DAY),)),
            Guards(budget=(Budget(count=1, window=DAY),)),
            2 * DAY,
        ),
    ],
)
def test_horizon(policy: Policy, guards: Guards, horizon: timedelta) -> None:
    assert policy.horizon(guards) == horizon


def test_a_rule_may_set_its_own_time_of_hands_off_also_to_none_at_all() -> None:
    policy = Policy(changed_by_others=minutes(10))
    assert policy.hands_off(Guards()) == minutes(10)
    assert policy.hands_off(Guards(changed_by_others=minutes(3))) == minutes(3)
    assert policy.hands_off(Guards(changed_by_others=timedelta(0))) == timedelta(0)


def test_unless_somebody_says_otherwise_only_p0_asks_and_for_half_an_hour() -> None:
    policy = Policy()
    assert [severity for severity in Severity if policy.severities[severity].mode is Mode.APPROVE] == [
        Severity.P0
    ]
    p0 = policy.severities[Severity.P0]
    assert (p0.people, p0.approval_expires) == (1, minutes(30))
