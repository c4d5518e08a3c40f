"""The digest that an approval pins: what belongs to the plan, and what only flickers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remediator.model.plan import OperationSpec, PlanSpec, canonical

OPERATION = OperationSpec(
    kind="container.restart",
    object_id="f00d",
    object_name="web-1",
    change={"stop_timeout": 10},
    before={"started_at": "12:00"},
)
PLAN = PlanSpec(action="restart", params={"timeout": "10s"}, operations=(OPERATION,), summary="restart web-1")


def with_operation(**changes: Any) -> PlanSpec:
    return replace(PLAN, operations=(replace(OPERATION, **changes),))


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, action="stop"),
        replace(PLAN, params={"timeout": "20s"}),
        replace(PLAN, operations=()),
        replace(PLAN, operations=(OPERATION, replace(OPERATION, object_id="beef"))),
        with_operation(kind="container.stop"),
        with_operation(object_id="beef"),
        with_operation(change={"stop_timeout": 20}),
    ],
    ids=["action", "params", "no operation", "one more", "kind", "object", "change"],
)
def test_what_would_be_done_is_in_the_digest(other: PlanSpec) -> None:
    assert other.digest("v1") != PLAN.digest("v1")


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, summary="restart web-1, up for 3 s"),
        with_operation(object_name="web-1-renamed"),
        with_operation(before={"started_at": "12:05"}),
        with_operation(timeout=timedelta(minutes=5)),
    ],
    ids=["summary", "name", "state before", "timeout"],
)
def test_what_flickers_is_not(other: PlanSpec) -> None:
    assert other.digest("v1") == PLAN.digest("v1")


def test_the_rules_version_and_the_step_are_in_the_digest() -> None:
    assert len({PLAN.digest("v1"), PLAN.digest("v2"), PLAN.digest("v1", 1)}) == 3


def test_the_order_of_operations_is_in_the_digest() -> None:
    other = replace(OPERATION, object_id="beef")
    one = replace(PLAN, operations=(OPERATION, other))
    assert one.digest("v1") != replace(PLAN, operations=(other, OPERATION)).digest("v1")


def test_equal_values_have_one_text_whatever_the_order_of_their_keys() -> None:
    assert (
        canonical({"b": [1, None], "a": "é"})
        == canonical({"a": "é", "b": [1, None]})
        == '{"a":"é","b":[1,null]}'
    )
