"""What the configuration says about deciding, without the rest of the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from remediator.model.rule import Budget, Guards
from remediator.model.words import Mode, Severity

LONGEST_ACT = timedelta(hours=1)
"""How long before its end an act may have begun: what explains a change, or starts a cooldown."""

UNCLASSIFIED = Severity.P3
"""Severity of an alert that no rule and no label classifies."""

LABEL_SEVERITIES: Mapping[str, Severity] = {
    "critical": Severity.P1,
    "warning": Severity.P2,
    "info": Severity.P3,
}
"""What the usual values of an alert's own `severity` label mean. P0 is only ever said by a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityPolicy:
    """How incidents of one severity may be acted on."""

    mode: Mode = Mode.AUTO
    people: int = 1
    """How many different people must approve, where approval is needed."""
    approval_expires: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of deciding that hold for every rule file."""

    mode: Mode = Mode.AUTO
    severities: Mapping[Severity, SeverityPolicy] = field(
        default_factory=lambda: {
            Severity.P0: SeverityPolicy(mode=Mode.APPROVE),
            Severity.P1: SeverityPolicy(),
            Severity.P2: SeverityPolicy(),
            Severity.P3: SeverityPolicy(),
        }
    )
    cooldown: timedelta | None = None
    """Per service, whatever the rule."""
    budget: tuple[Budget, ...] = ()
    """Per service, whatever the rule."""
    changed_by_others: timedelta = timedelta(minutes=10)
    """Unless a rule says otherwise."""
    confirm_within: timedelta = timedelta(minutes=5)
    """An alert not confirmed for this long is not acted on."""
    channels: tuple[str, ...] = ()
    """Names of the channels that are told."""

    def hands_off(self, guards: Guards) -> timedelta:
        """How long after somebody else's change a target is left alone."""
        return self.changed_by_others if guards.changed_by_others is None else guards.changed_by_others

    def horizon(self, guards: Guards) -> timedelta:
        """How far back acts must be known to judge cooldowns and budgets."""
        windows = [b.window for b in (*self.budget, *guards.budget)]
        after_end = [c for c in (self.cooldown, guards.cooldown, self.hands_off(guards)) if c is not None]
        return max([*windows, *(length + LONGEST_ACT for length in after_end)])
