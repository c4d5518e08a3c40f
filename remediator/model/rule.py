"""What an operator writes: a rule, as the loader hands it on, already checked."""

from dataclasses import dataclass, field
from datetime import timedelta

from remediator.model.duration import format_duration
from remediator.model.hours import When
from remediator.model.words import IncidentType, Json, Mode, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageStep:
    """One read-only look before the first act: the name of a check and its parameters."""

    check: str
    params: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySpec:
    """When an act counts as a success."""

    healthy: bool = False
    """The service's containers pass their health check, or run without restarting for `steady`."""
    resolved_within: timedelta = timedelta(minutes=5)
    """The condition must hold by then, counted from the end of the act."""
    stays: timedelta = timedelta(0)
    """And hold without a break for this long."""
    steady: timedelta = timedelta(seconds=10)
    """How long a container without a health check must run to count as healthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rung of the ladder: an action with its verification."""

    action: str
    params: dict[str, Json] = field(default_factory=dict)
    verify: VerifySpec = VerifySpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most `count` acts in any `window`."""

    count: int
    window: timedelta

    def __str__(self) -> str:
        return f"{self.count}/{format_duration(self.window)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Limits that a rule (per rule and service) or the configuration (per service) sets."""

    cooldown: timedelta | None = None
    budget: tuple[Budget, ...] = ()
    changed_by_others: timedelta | None = None
    """Hold when somebody else changed the target within this time. None: not set here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What the operators' table says of alerts: how bad they are, and of which kind."""

    severity: Severity
    type: IncidentType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSource:
    """A file that rules were read from."""

    file: str
    sha256: str
    """Of its bytes, in hex."""
    rules: int
    """How many rules it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A remediation that operators wrote for a kind of alert."""

    name: str
    group: str
    version: str
    """Hash of the rule's meaning; on every run and event that came of it."""
    source: str
    """`file:line`, for people."""
    severity: Severity | None = None
    """None: taken from the classification table, else from the alert's own `severity` label."""
    type: IncidentType | None = None
    service: str | None = None
    """None: the template gives it, or else the alert's own `service` label names it."""
    service_template: str | None = None
    """As it is written; who matches a rule to an alert puts its result into `service`."""
    no_service: str | None = None
    """Why the template gives no service for the alert at hand; then nothing else names one, either."""
    mode: Mode = Mode.AUTO
    triage: tuple[TriageStep, ...] = ()
    steps: tuple[Step, ...]
    guards: Guards = Guards()
    firing_for: timedelta | None = None
    """How long an alert must have fired before anything is done."""
    when: When = field(default_factory=When)
    unless_open: tuple[str, ...] | None = None
    """Services of which no incident may be open. None: those that the service depends on."""
    escalate: str | None = None
    owner: str | None = None
    """Who keeps the rule; told to those whom it calls."""
    runbook_url: str | None = None
    """Where people read what to do by hand."""
