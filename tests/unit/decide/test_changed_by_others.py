"""People come first: whose hand was on the target, and for how long that holds us back."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from remediator.decide.guardrails import (
    changed_by_others,
)
from remediator.model.rule import Guards
from remediator.model.verdict import Allow, Hold
from remediator.model.words import (
    AttemptStatus,
    Reason,
)
from tests.unit.decide.asks import INSTANT, a_change, a_request, an_act, reason_of, until_of
from tests.unit.decide.case import NOON, minutes

# Changed by others

WINDOW = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("ago", "until"),
    [
        (timedelta(0), NOON + WINDOW),
        (minutes(4), NOON + minutes(6)),
        (WINDOW - INSTANT, NOON + INSTANT),
        (WINDOW, None),
        (minutes(-1), NOON + minutes(11)),  # the engine's clock is ahead of ours
    ],
)
def test_a_change_by_somebody_else_holds_for_the_window(ago: timedelta, until: datetime | None) -> None:
    verdict = changed_by_others.judge(a_request(world={"changes": (a_change(ago),)}), NOON)
    if until is None:
        assert type(verdict) is Allow
    else:
        assert (reason_of(verdict, Hold), until_of(verdict)) == (Reason.CHANGED_BY_OTHERS, until)
        assert "web-1: stop" in verdict.detail


def test_the_latest_of_several_changes_counts() -> None:
    changes = (a_change(minutes(8)), a_change(minutes(1), name="web-2", what="update"), a_change(minutes(5)))
    verdict = changed_by_others.judge(a_request(world={"changes": changes}), NOON)
    assert until_of(verdict) == NOON + minutes(9)
    assert verdict.detail.startswith("web-2: update")


def test_a_stop_on_purpose_of_unknown_time_holds_as_long_as_it_is_seen() -> None:
    request = a_request(
        world={"changes": (a_change(None, what="stopped on purpose"),)}, history=(an_act(minutes(1)),)
    )
    verdict = changed_by_others.judge(request, NOON)
    assert until_of(verdict) == NOON + timedelta(seconds=30)
    assert "stopped on purpose" in verdict.detail


def test_facts_that_cannot_be_read_hold_even_when_none_were_found() -> None:
    verdict = changed_by_others.judge(a_request(world={"changes_error": "timed out"}), NOON)
    assert reason_of(verdict, Hold) is Reason.FACT_UNREADABLE


@pytest.mark.parametrize("of_rule", [None, timedelta(0), minutes(2)])
def test_the_window_is_the_rules_or_else_the_policys(of_rule: timedelta | None) -> None:
    request = a_request(
        rule={"guards": Guards(changed_by_others=of_rule)}, world={"changes": (a_change(minutes(1)),)}
    )
    verdict = changed_by_others.judge(request, NOON)
    if of_rule == timedelta(0):
        assert type(verdict) is Allow
    else:
        assert until_of(verdict) == NOON - minutes(1) + (of_rule or WINDOW)


def test_switched_off_needs_no_facts() -> None:
    request = a_request(
        rule={"guards": Guards(changed_by_others=timedelta(0))}, world={"changes_error": "timed out"}
    )
    assert type(changed_by_others.judge(request, NOON)) is Allow


@pytest.mark.parametrize(
    ("act", "change", "ours"),
    [
        # our act ran from 11:55:00 to 11:56:00
        ({}, minutes(4.5), True),
        ({}, minutes(5) + timedelta(seconds=2), True),
        ({}, minutes(5) + timedelta(seconds=2.1), False),
        ({}, minutes(4) - timedelta(seconds=2), True),
        ({}, minutes(4) - timedelta(seconds=2.1), False),
        # it has not ended: its deadline bounds it
        ({"lasted": None, "status": AttemptStatus.INTENT}, minutes(3), True),
        ({"lasted": None, "status": AttemptStatus.UNKNOWN}, minutes(2.9), False),
        # it may have changed something even if it failed, but not if it did not happen
        ({"status": AttemptStatus.FAILED}, minutes(4.5), True),
        ({"status": AttemptStatus.NOT_APPLIED}, minutes(4.5), False),
        ({"status": AttemptStatus.NOT_APPLIED, "result": {"half_done": True}}, minutes(4.5), True),
        # a named command, or another run's act
        ({"name": "command:mend"}, minutes(4.5), True),
        ({"run": 99, "rule": "other"}, minutes(4.5), True),
    ],
)
def test_our_own_acts_are_told_from_those_of_others(
    act: dict[str, Any], change: timedelta, ours: bool
) -> None:
    history = (an_act(minutes(5), **{"lasted": minutes(1), **act}),)
    verdict = changed_by_others.judge(
        a_request(world={"changes": (a_change(change),)}, history=history), NOON
    )
    assert (type(verdict) is Allow) == ours, verdict


def test_our_act_on_one_container_does_not_excuse_a_hand_on_another() -> None:
    history = (an_act(minutes(5), lasted=minutes(1), name="web-1"),)
    changes = (a_change(minutes(4.5), name="web-2"),)
    request = a_request(world={"changes": changes}, history=history, objects=("web-1", "web-2"))
    assert reason_of(changed_by_others.judge(request, NOON), Hold) is Reason.CHANGED_BY_OTHERS


def test_our_act_on_a_swarm_service_explains_what_happened_to_its_tasks() -> None:
    history = (an_act(minutes(5), lasted=minutes(1), name="swarm"),)
    changes = (a_change(minutes(4.5), name="task-1", object_id="container-of-task-1"),)
    request = a_request(world={"changes": changes}, history=history, objects=("swarm",))
    assert type(changed_by_others.judge(request, NOON)) is Allow
