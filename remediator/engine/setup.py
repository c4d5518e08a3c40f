"""What a reload replaces, as one value: a decision sees either all of the old or all of the new."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.model.rule import Rule
from remediator.model.service import all_needed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from remediator.actions.base import Action
    from remediator.channels.base import Channel
    from remediator.checks.base import Check
    from remediator.decide.policy import Policy
    from remediator.model.run import Run
    from remediator.model.service import Service
    from remediator.rules.ruleset import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Rules and configuration, as far as the engine goes by them."""

    rules: RuleSet
    policy: Policy
    services: Mapping[str, Service] = field(default_factory=dict)
    actions: Mapping[str, Action] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    receiver: str | None = None
    """Only alerts that Alertmanager routes to this receiver are taken in from its API. None: all."""
    pause_file: Path | None = None
    """While this file exists, nothing is begun."""
    reconcile_interval: timedelta = timedelta(seconds=30)
    lost_after: timedelta = timedelta(hours=24)
    """Without an API, an alert that no notification tells of for so long is closed as lost."""
    verify_interval: timedelta = timedelta(seconds=2)
    """Between two looks at whether an act helped."""
    triage_timeout: timedelta = timedelta(seconds=10)
    """For all looks before the first act together; they run side by side."""

    def rule_for(self, rule: Rule, service: str | None) -> Rule:
        """The rule as it goes for a service: if it does not say for whom it waits, for all that is needed."""
        if rule.unless_open is not None:
            return rule
        return replace(rule, unless_open=all_needed(service, self.services))


class RuleBook:
    """The rules in force, and those older ones by which runs under way have acted.

    What is still to be done always goes by the rules in force. Whether what was done has helped is
    judged by the rule that it was done by.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._older: dict[tuple[str, str], Rule] = {}

    def replace(self, rules: RuleSet, unfinished: Iterable[Run]) -> None:
        """Put new rules in force; those that runs under way may have acted by are kept."""
        self._older = {
            (run.rule, run.rule_version): rule
            for run in unfinished
            if (rule := self.of(run)) is not None and rule.version == run.rule_version
        }
        self.rules = rules

    def of(self, run: Run) -> Rule | None:
        """The rule by which a run has acted; None if its rule is gone.

        After a restart that version may be unknown: then the rule of that name as it is now.
        """
        current = self.rules.find(run.rule)
        if current is not None and current.version == run.rule_version:
            return current
        return self._older.get((run.rule, run.rule_version), current)

    def known(self, run: Run) -> Rule:
        """The same, for a run that has acted already: what it lacks is a rule without a further step."""
        return self.of(run) or Rule(name=run.rule, group="", version=run.rule_version, source="", steps=())
