"""Incidents, runs and what hangs on them, as the store keeps them.

Each class here is one table; its fields are the columns. They are replaced, never mutated
(`dataclasses.replace`), and only ever together with the event that tells why.
"""

from dataclasses import dataclass, field
from datetime import datetime

from remediator.model.words import (
    ApprovalStatus,
    AttemptStatus,
    IncidentStatus,
    IncidentType,
    Json,
    Outcome,
    Reason,
    RunStatus,
    Severity,
)

ALERT = "alert"
"""Who wants a run that no person started. No operator may have this name."""

UNDO_STEP = 1_000
"""The step of a run that takes another one back: beyond every ladder."""

PAUSE = "pause"
"""Key of the control that is the kill switch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The episodes that belong together. At most one is open per correlation key."""

    id: int
    correlation_key: str
    service: str | None
    severity: Severity
    type: IncidentType | None
    status: IncidentStatus
    title: str
    opened_at: datetime
    resolved_at: datetime | None = None

    @property
    def open(self) -> bool:
        """True until the incident is resolved."""
        return self.status is not IncidentStatus.RESOLVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One carrying-out of a rule for an incident on a service."""

    id: int
    incident_id: int
    rule: str
    rule_version: str
    service: str
    status: RunStatus
    step: int = 0
    """Index of the rung of the ladder it stands on."""
    operation: int = 0
    """Index of the operation of the current plan that is next, or under way."""
    plan_id: int | None = None
    requested_by: str
    """`alert`, or the name of the operator who started it by hand."""
    created_at: datetime
    triaged: bool = False
    evidence: tuple[Json, ...] = ()
    """What triage found: check, title, summary, and the hash under which the text is kept."""
    cancel_requested: str | None = None
    """Who wants it stopped at the next safe point. Then it climbs no further, whatever comes of it."""
    hold_reason: Reason | None = None
    hold_detail: str | None = None
    verify_from: datetime | None = None
    """When the last operation was applied; deadlines of the verification count from here."""
    reason: Reason | None = None
    detail: str | None = None
    outcome: Outcome | None = None
    finished_at: datetime | None = None
    undoes: int | None = None
    """The run whose acts this one takes back."""

    @property
    def finished(self) -> bool:
        """True when nothing more will happen for this run."""
        return self.status is RunStatus.FINISHED

    @property
    def by_hand(self) -> bool:
        """True when a person started it; then no alert has to fire for it to act."""
        return self.requested_by != ALERT


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one operation. Written as an intent before the act; also what budgets count."""

    id: int
    run_id: int
    operation_id: int
    step: int
    service: str
    rule: str
    object_id: str
    status: AttemptStatus
    intent_at: datetime
    deadline: datetime
    """The act cannot go on after this; only then may a probe be believed."""
    ended_at: datetime | None = None
    result: dict[str, Json] = field(default_factory=dict)
    """Exit code, cut output, engine's answer: what proves the outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The hold of one run on one service: from its first intent until it has finished."""

    service: str
    run_id: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One question to people: whether this exact plan may be carried out."""

    id: int
    run_id: int
    digest: str
    reason: Reason
    """Why people are asked."""
    status: ApprovalStatus
    needed: int
    """How many different people must say yes."""
    ask: int
    """1 for the first time it is asked in this run, 2 for the second, ..."""
    requested_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecision:
    """What one person said to one approval. One per person: a later no takes the place of a yes."""

    approval_id: int
    actor: str
    granted: bool
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something switched on that is to be switched off. One is in force per service and kind."""

    id: int
    service: str
    kind: str
    base: Json
    """The value to go back to."""
    applied: Json
    """The value in force, as last set by us."""
    until: Json
    status: str
    created_at: datetime
    expires_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who wants an effect, and how much."""

    effect_id: int
    incident_id: int
    wanted: Json
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Something to look at again at a time of day; survives a restart."""

    key: str
    """`approval:ID`: its expiry. When to look at a held run again is not kept: a start looks at all."""
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A switch that people throw: the kill switch is `pause`. Present means on."""

    key: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one channel, in the outbox until it is delivered or given up."""

    id: int
    channel: str
    incident_id: int | None
    kind: str
    payload: dict[str, Json]
    status: str
    """`waiting`, `delivered` or `failed`."""
    created_at: datetime
    attempts: int = 0
    next_at: datetime
    """Not to be tried before."""
    error: str | None = None
