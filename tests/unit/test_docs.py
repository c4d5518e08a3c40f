"""The reference pages keep up with what they tell of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from remediator.actions import registry as actions
from remediator.checks import registry as checks
from remediator.decide.guardrails import STAGES
from remediator.metrics import Metrics
from remediator.model.words import IncidentType

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_metric_is_told_of_and_no_other() -> None:
    told = set(re.findall(r"`(remediator_\w+)`", (REFERENCE / "metrics.md").read_text()))
    there = set()
    for family in Metrics("0").registry.collect():
        if family.name.startswith("remediator_"):
            there.add(family.name + ("_total" if family.type == "counter" else ""))
    assert told == there


def test_every_guardrail_is_told_of() -> None:
    rows = re.findall(r"^\| (\w+) \|", (REFERENCE / "guardrails.md").read_text(), re.MULTILINE)
    assert [row for row in rows if row != "guardrail"] == list(STAGES)


@pytest.mark.parametrize("name", [*actions({}), *IncidentType])
def test_every_action_and_incident_type_is_told_of(name: str) -> None:
    assert f"`{name}`" in (REFERENCE / "rules.md").read_text()


def test_every_check_is_told_of_with_all_its_parameters_and_an_example() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", (REFERENCE / "checks.md").read_text(), re.MULTILINE))
    assert set(rows) == set(checks({}))
    for name, look in checks({}).items():
        told, _, example = rows[name].rsplit(" | ", 2)
        for param, field in look.params.model_fields.items():
            assert f"`{field.alias or param}`" in told, name
        assert name in example, name
