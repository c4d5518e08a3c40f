"""The closed vocabularies: values that are stored, shown, and used as metric labels.

A label *value* of an alert is never one of these, so metrics stay bounded.
"""

from enum import StrEnum
from typing import Any

Json = Any
"""A value that `json` can write: None, bool, int, float, str, list, dict."""


class Severity(StrEnum):
    """How bad an incident is; P0 is the worst. Sorts worst first."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class IncidentType(StrEnum):
    """The five kinds of incident of the runbook."""

    SERVICE_OUTAGE = "service-outage"
    PERFORMANCE_DEGRADATION = "performance-degradation"
    DATA_ISSUE = "data-issue"
    SECURITY_INCIDENT = "security-incident"
    INFRASTRUCTURE = "infrastructure"


class Mode(StrEnum):
    """How far a rule may go by itself. Sorted from free to strict by `strictness`."""

    AUTO = "auto"
    APPROVE = "approve"
    SHADOW = "shadow"

    @property
    def strictness(self) -> int:
        """0 for auto, 1 for approve, 2 for shadow: the strictest mode that applies wins."""
        return list(Mode).index(self)


class EpisodeStatus(StrEnum):
    """Whether an alert's episode is still open."""

    FIRING = "firing"
    RESOLVED = "resolved"


class IncidentStatus(StrEnum):
    """The life of an incident, first form."""

    OPEN = "open"
    RESOLVED = "resolved"


class RunStatus(StrEnum):
    """Where a run stands. What the engine has to do for a run follows from this alone."""

    PLANNING = "planning"  # resolve the target, plan, gather evidence and facts
    HELD = "held"  # a guardrail said: not now
    AWAITING_APPROVAL = "awaiting_approval"  # people were asked
    ACTING = "acting"  # an intent is committed, the act is under way
    PROBING = "probing"  # the outcome of an act is not known; ask the world
    UNKNOWN = "unknown"  # the world could not tell; a person settles it
    VERIFYING = "verifying"  # acted; does it help?
    FINISHED = "finished"


AT_WORK = (RunStatus.ACTING, RunStatus.PROBING, RunStatus.UNKNOWN, RunStatus.VERIFYING)
"""A run in one of these states acts, or watches what becomes of its act."""


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    CANCELLED = "cancelled"
    DENIED = "denied"
    EXPIRED = "expired"
    SHADOW = "shadow"  # would have acted; the mode says: only record


class AttemptStatus(StrEnum):
    """What is known of one try at one operation."""

    INTENT = "intent"  # committed before acting; may or may not have happened
    APPLIED = "applied"
    NOT_APPLIED = "not_applied"  # proven not to have happened; spends no budget
    FAILED = "failed"  # happened, or was refused, with an error
    UNKNOWN = "unknown"


class ApprovalStatus(StrEnum):
    """The life of one question to people."""

    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"  # the plan changed; a new question replaces this one
    CANCELLED = "cancelled"  # the run ended without needing it


class Reason(StrEnum):
    """Why a guardrail or a decision said what it said. Stable: these are metric labels."""

    OK = "ok"
    # holds
    PAUSED = "paused"
    LOCKED = "locked"
    OBJECT_LOCKED = "object_locked"  # a run of another service is at work on the same object
    COOLDOWN = "cooldown"
    BUDGET = "budget"
    CHANGED_BY_OTHERS = "changed_by_others"
    UNCONFIRMED = "unconfirmed"  # the alert's last confirmation is too old
    MUTED = "muted"  # silenced or inhibited in Alertmanager
    TARGET_UNCLEAR = "target_unclear"  # missing, or more than one, for a moment so far
    FACT_UNREADABLE = "fact_unreadable"
    WORLD_UNREADABLE = "world_unreadable"  # planning could not read what it needs
    STARTING = "starting"  # not reconciled since the start
    DRAINING = "draining"
    TEMPLATE_UNRESOLVED = "template_unresolved"  # labels give a step's parameters no value, or no one value
    STALE_PLAN = "stale_plan"
    NOT_FIRING_LONG = "not_firing_long"  # not for as long as the rule wants
    OUTSIDE_HOURS = "outside_hours"  # the rule is muted, or not active, at this time
    TOO_FEW_ALERTS = "too_few_alerts"
    CONDITION_NOT_MET = "condition_not_met"  # Prometheus' answer to the rule's expression is empty, or zero
    OTHER_INCIDENT_OPEN = "other_incident_open"
    # approval
    SEVERITY_POLICY = "severity_policy"
    RULE_MODE = "rule_mode"
    # denials and ends; the two about targets also holds, where they may pass
    SHADOW = "shadow"
    NOT_ALLOWED = "not_allowed"  # neither labelled nor in the catalogue
    OWN_CONTAINER = "own_container"
    DRIFTED = "drifted"  # what would be made anew differs from what runs, in a way that is not meant
    NO_TARGET = "no_target"
    AMBIGUOUS_TARGET = "ambiguous_target"
    NO_SERVICE = "no_service"
    INVALID_PARAMS = "invalid_params"
    NOTHING_TO_CHANGE = "nothing_to_change"  # it is already as far as the step may take it
    NOT_SCALABLE = "not_scalable"  # more replicas cannot run beside those that do
    DENIED_BY_PERSON = "denied_by_person"
    CANCELLED_BY_PERSON = "cancelled_by_person"
    RESOLVED = "resolved"  # the alert ended before the act
    RULE_GONE = "rule_gone"
    APPROVAL_EXPIRED = "approval_expired"
    TOO_LATE = "too_late"  # started by a person, and held for so long that it may not be meant any more
    # verification
    VERIFIED = "verified"
    STILL_FIRING = "still_firing"
    UNHEALTHY = "unhealthy"
    RELAPSED = "relapsed"
    CANNOT_TELL = "cannot_tell"
    NOTHING_TO_VERIFY = "nothing_to_verify"
    ACT_FAILED = "act_failed"
    TAKEN_BACK = "taken_back"
    SETTLED_BY_PERSON = "settled_by_person"
