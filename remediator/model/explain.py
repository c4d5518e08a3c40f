"""What `explain` tells of an alert: which rules it calls for, and what would be decided now, and why."""

from dataclasses import dataclass, field
from datetime import datetime

from remediator.model.plan import PlanSpec
from remediator.model.words import IncidentType, Json, RunStatus, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAlert:
    """An alert to explain. It need not be one that anybody has told of."""

    labels: dict[str, str]
    starts_at: datetime | None = None
    """None: it begins just now."""
    fingerprint: str | None = None
    """As its sender gave it; None: the one that Alertmanager would give to the labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """A matcher that an alert's labels do not fulfil."""

    matcher: str
    value: str | None
    """What the label holds; None if the alert has no such label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLook:
    """A rule held against an alert's labels."""

    name: str
    source: str
    """`file:line`."""
    fulfilled: int = 0
    """How many of its matchers hold; of a rule with several blocks, in the nearest one."""
    unmet: tuple[Unmet, ...] = ()
    """The matchers that do not; none if the rule matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesLook:
    """All rules held against an alert's labels."""

    total: int
    matched: tuple[RuleLook, ...]
    """In the order of the rules: the first one is used."""
    missed: tuple[RuleLook, ...]
    """The nearest first, perhaps not all."""
    missed_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An alert, and what would be done about it at this moment."""

    at: datetime
    labels: dict[str, str]
    fingerprint: str
    known: str
    """`open`: an episode of it is open; `assumed`: taken as if it began to fire."""
    alertmanager: str
    """What Alertmanager says of it: `firing`, `muted`, `absent`, `unknown`; `none`: nobody to ask."""
    rules: RulesLook
    rules_version: str
    rule: str | None
    """The rule that is used."""
    rule_version: str | None
    severity: Severity
    type: IncidentType | None
    classified_by: str
    """`rule`, `table`, `label` or `nothing`."""
    service: str | None
    target: str | None = None
    """What the service runs as, for people."""
    incident: int | None = None
    """The open incident that the alert belongs to, or would join."""
    run: int | None = None
    """The run under way for it."""
    run_status: RunStatus | None = None
    step: int | None = None
    """Which rung of the ladder, from 0."""
    action: str | None = None
    params: dict[str, Json] = field(default_factory=dict)
    """With labels filled in."""
    plan: PlanSpec | None = None
    digest: str | None = None
    verdicts: tuple[Json, ...] = ()
    """What each guardrail says now."""
    facts: Json = None
    """What they rest on, of the world."""
    overall: str
    """What would come of it: `allow`, `needs_approval`, `hold`, `deny`; `no_rule`, `at_work` (its run acts
    or verifies), or `over` (nothing is left to decide, or nothing begins for an alert that fires already)."""
    decisive: str | None = None
    """The guardrail that decides."""
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What was asked about."""

    explanations: tuple[Explanation, ...]
    found: int
    """How many alerts there were; of many only the first are explained."""
    recorded: tuple[Json, ...] = ()
    """Of an incident: what was decided about it, oldest first."""
