"""What the past does not tell, and what is taken for true instead: `--assume FACT=VALUE`.

A fact that a decision rests on and that nobody has assumed is named beside the result. What is worked
with then is the plainest case: one container, nobody at work on it, acts that succeed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from remediator.model.duration import parse_duration
from remediator.model.service import TargetKind
from remediator.model.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from remediator.decide.policy import Policy
    from remediator.model.rule import Rule
    from remediator.model.service import Service

TARGET = "target"
REPLICAS = "replicas"
CHANGES = "changes"
HEALTH = "health"
ACTS = "acts"
RESOLVED_AFTER = "resolved-after"
APPROVALS = "approvals"
PROMQL = "promql"
"""What Prometheus said to the expression of a rule: `promql:RULE`, or of all rules at once."""

WRITTEN = {
    RESOLVED_AFTER: "a duration such as 5m",
    HEALTH: "ok or bad",
    CHANGES: "none or recent",
    REPLICAS: "a number of containers from 1 to 100",
    ACTS: "ok or failed",
    APPROVALS: "granted, denied or none",
    PROMQL: "true or false",
}
"""Every fact that can be assumed, and how its value is written."""

_WORDS = {
    HEALTH: {"ok": True, "bad": False},
    CHANGES: {"none": False, "recent": True},
    ACTS: {"ok": True, "failed": False},
    PROMQL: {"true": True, "false": False},
}

MOST_REPLICAS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What to take for true; None where nobody has said."""

    resolved_after: timedelta | None = None
    """An alert ends so long after an act for it, and not when the past says."""
    health: bool | None = None
    """Whether services are well after an act."""
    changes: bool | None = None
    """Whether somebody has always just changed the target."""
    replicas: int | None = None
    acts: bool | None = None
    """Whether acts succeed."""
    approvals: Literal["granted", "denied", "none"] = "none"
    """What people say as soon as they are asked; with none their questions expire."""
    promql: Mapping[str, bool] = field(default_factory=dict)
    """Whether the expression of a rule holds, by the rule's name; under PROMQL that of any other."""
    made: frozenset[str] = field(default_factory=frozenset)
    """Names of the facts that somebody has assumed."""

    def cover(self, fact: str) -> bool:
        """Whether somebody has assumed this fact."""
        return fact in self.made or fact.partition(":")[0] in self.made

    def holds(self, rule: str) -> bool:
        """Whether the expression of a rule holds."""
        return self.promql.get(rule, self.promql.get(PROMQL, True))


def read_assumptions(written: Iterable[str], rules: Collection[str] = ()) -> Assumptions:
    """What `FACT=VALUE` texts say; a later one replaces an earlier. ValueError names a wrong one.

    `rules` are the names of those that there are.
    """
    assumed = Assumptions()
    for text in written:
        fact, equals, value = text.partition("=")
        name, _, rule = fact.partition(":")
        if name not in WRITTEN or (rule and name != PROMQL):
            known = ", ".join(WRITTEN)
            raise ValueError(
                f"there is no fact `{fact}` to assume{did_you_mean(name, WRITTEN)} (there is: {known})"
            )
        if rule and rule not in rules:
            raise ValueError(f"`{text}`: there is no rule `{rule}`{did_you_mean(rule, rules)}")
        if not equals:
            raise ValueError(f"`{fact}` wants a value: {fact}=..., {WRITTEN[name]}")
        try:
            read = _value(name, value)
        except (ValueError, KeyError):
            raise ValueError(f"`{text}`: expected {WRITTEN[name]}") from None
        if name == PROMQL:
            read = {**assumed.promql, rule or PROMQL: read}
        changed = {name.replace("-", "_"): read, "made": assumed.made | {fact}}
        assumed = replace(assumed, **changed)  # type: ignore[arg-type]  # values of any field
    return assumed


def _value(name: str, value: str) -> object:
    if name == RESOLVED_AFTER:
        return parse_duration(value)
    if name == REPLICAS:
        if not (value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= MOST_REPLICAS):
            raise ValueError
        return int(value)
    if name == APPROVALS:
        return {"granted": "granted", "denied": "denied", "none": "none"}[value]
    return _WORDS[name][value]


def rests_on(
    rule: Rule, step: int, service: Service | None, policy: Policy, *, needs_containers: bool
) -> tuple[str, ...]:
    """The facts from outside that a decision to carry out this step rests on, if nobody assumes them."""
    if service is None:
        return (TARGET,)
    facts = []
    if needs_containers:
        facts.append(REPLICAS)
    if service.target.kind is not TargetKind.NONE and policy.hands_off(rule.guards) > timedelta(0):
        facts.append(CHANGES)
    if rule.when.promql is not None:
        facts.append(f"{PROMQL}:{rule.name}")
    if step > 0:  # it was not reached unless the step before had failed
        facts += [RESOLVED_AFTER, *ended_by(rule, step - 1)]
    return tuple(facts)


def ended_by(rule: Rule, step: int) -> tuple[str, ...]:
    """The facts that what became of a step rests on, beside the end of the alert."""
    healthy = step < len(rule.steps) and rule.steps[step].verify.healthy
    return (ACTS, HEALTH) if healthy else (ACTS,)
