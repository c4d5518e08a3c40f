"""Rule files: what matching costs among 10,000 rules instead of 10, and what loading costs beside mere YAML.

Both sides run in this process, in turn: `bare` is the small set of rules, or PyYAML's C parser composing the
same text with its positions. The rules demand exact values, or values that begin in some way, as nearly all
that people write do; a rule that demands nothing like that is tried for every alert.
"""

from __future__ import annotations

import gc
import time
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import yaml

from remediator import actions, checks
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import Mode, Severity
from remediator.rules.lint import lint
from remediator.rules.load import load_rules
from tests.bench.figures import Figure
from tests.bench.figures import Target as Promise
from tests.bench.processes import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from remediator.rules.ruleset import RuleSet

FEW, MANY, ALERTS = 10, 10_000, 10_000
SERVICES = {"app": Service(name="app", target=Target(kind=TargetKind.CONTAINER, name="app"))}
SHAPES = (
    """match: ['alertname="Down{0}"', 'job=~"app-{0}.*"', 'env!="dev"']""",
    """match: ['alertname="Slow"', 'instance="host-{0}:8000"', 'severity=~"warning|critical"']""",
    """match: ['alertname=~"Full{0}|Fuller{0}"', 'disk=~"/.+"']""",
    """match: ['instance=~"host-{0}:.+"', 'severity!="info"']""",
    """any: [['alertname="Down"', 'job="app-{0}"'], ['alertname="Gone{0}"', 'env=~"prod.*"']]""",
)
RULE = """\
  - name: rule-{0}
    {1}
    severity: P2
    service: app
    triage: [containers, {{logs: {{tail: 100}}}}]
    steps:
      - restart: {{}}
        verify: {{healthy: true, resolved_within: 5m, stays: 2m}}
    guardrails: {{cooldown: 10m, budget: [3/1h, 7/24h]}}
"""


class Ruling:
    """The figures of this part, filled round by round."""

    def __init__(self, scale: float) -> None:
        self._many, self._alerts = max(FEW, int(MANY * scale)), max(100, int(ALERTS * scale))
        self.matching = Figure(f"alert in 10, {self._many:,} rules", "us", Promise("ratio", 3))
        self.loading = Figure(f"load {self._many:,}, check them", "s", Promise("ratio", 3))
        self.problems: list[str] = []

    def figures(self) -> Iterator[tuple[str, list[Figure]]]:
        """Titles and figures, as they are to be printed."""
        yield "Rules: matching one alert, and loading", [self.matching, self.loading]

    def round(self, folder: Path) -> None:
        """Measure both sides once."""
        file = folder / "many.yml"
        file.write_text(_text(self._many))
        composing = _seconds(lambda: yaml.compose(file.read_bytes(), Loader=yaml.CSafeLoader))
        loaded: list[RuleSet] = []
        self.loading.add(composing, _seconds(lambda: loaded.append(_check(file))))
        small = folder / "few.yml"
        small.write_text(_text(FEW))
        self.matching.add(self._match(_load(small), FEW), self._match(loaded[0], self._many))

    def _match(self, rules: RuleSet, count: int) -> float:
        """Microseconds for an alert, on average; one in two matches the rule that it was made for."""
        alerts = list(islice(_alerts(count), self._alerts))
        found: list[str | None] = []

        def match() -> None:
            for _, labels in alerts:
                matched = rules.match(labels)
                found.append(matched.rule.name if matched else None)

        seconds = _seconds(match)
        if found != [expected for expected, _ in alerts]:
            self.problems.append(f"among {count} rules, alerts did not find the rules made for them")
        return seconds / len(alerts) * 1e6


def _text(rules: int) -> str:
    written = (RULE.format(number, SHAPES[number % len(SHAPES)].format(number)) for number in range(rules))
    return "groups:\n- name: bench\n  rules:\n" + "".join(written)


def _load(file: Path) -> RuleSet:
    return load_rules([file], services=SERVICES, actions=actions.registry({}), checks=checks.registry({}))


def _check(file: Path) -> RuleSet:
    """Load the rules, and look for what can hardly be meant, as `remediator check` does."""
    rules = _load(file)
    found = lint(rules, modes=dict.fromkeys(Severity, Mode.APPROVE), reconcile_interval=timedelta(seconds=30))
    if found:
        raise BenchError(f"rules that are right have findings: {found[0]}")
    return rules


def _alerts(rules: int) -> Iterator[tuple[str | None, dict[str, str]]]:
    """Without end: the name of the rule to be found, and an alert's labels."""
    number = 0
    while True:
        rule = number * 7919 % rules
        labels = {
            "alertname": (f"Down{rule}", "Slow", f"Fuller{rule}", "Any", "Down")[rule % len(SHAPES)],
            "job": f"app-{rule}",
            "instance": f"host-{rule}:8000",
            "disk": "/var",
            "env": "production",
            "severity": "critical",
            "cluster": "eu-1",
        }
        yield f"rule-{rule}", labels
        yield None, {**labels, "alertname": "Other", "instance": "other"}
        number += 1


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of the work, without what was garbage before."""
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin
