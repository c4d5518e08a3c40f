"""Each example of the reference page is taken from a rule file, stored as a rule's step, and read back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remediator.actions import registry as actions_of
from remediator.checks import registry
from remediator.model.command import CommandSpec
from remediator.model.params import read_params
from remediator.model.request import RequestSpec
from remediator.model.service import Service, Target, TargetKind
from remediator.rules.load import load_rules

if TYPE_CHECKING:
    from remediator.model.rule import TriageStep

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "checks.md"
COMMANDS = {"redis-ping": CommandSpec(name="redis-ping", argv=("/bin/redis-ping",))}
REQUESTS = {"server-state": RequestSpec(name="server-state", method="GET", url="http://lb/state")}
LOOKS = registry(COMMANDS, REQUESTS)
EXAMPLES = re.findall(r"\| `([^`|]+)` \|$", PAGE.read_text(), re.MULTILINE)


def loaded(triage: str, folder: Path) -> TriageStep:
    path = folder / "rules.yml"
    path.write_text(
        "groups:\n  - name: g\n    rules:\n"
        f"      - {{name: r, match: [a=b], service: web, triage: [{triage}], steps: [restart]}}\n"
    )
    rules = load_rules(
        [path],
        services={"web": Service(name="web", target=Target(kind=TargetKind.CONTAINER, name="web"))},
        actions=actions_of(COMMANDS),
        checks=LOOKS,
    )
    (step,) = rules.rules[0].rule.triage
    return step


def test_there_is_an_example_of_each() -> None:
    assert len(EXAMPLES) >= len(registry({})) - 1


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_works(example: str, tmp_path: Path) -> None:
    step = loaded(example, tmp_path)
    params = read_params(LOOKS[step.check].params, step.params)
    assert params.model_dump(mode="json") == step.params, "what is stored means the same when it is read"


def test_all_parameters_come_back_from_the_store(tmp_path: Path) -> None:
    for triage in (
        "{directory: {path: /backup, newer_than: 25h, at_least: 10MB}}",
        "{host: {instance: 'db:9100', paths: [/, /data], full: 90.5}}",
        "{tcp: {targets: ['redis:6379', '[::1]:80'], timeout: 500ms}}",
        "{health_url: {url: 'http://app:8000/healthz', status: 204, timeout: 2s}}",
    ):
        step = loaded(triage, tmp_path)
        params = read_params(LOOKS[step.check].params, step.params)
        assert params.model_dump(mode="json") == step.params
