"""What guardrails judge by: the request, and the facts read for it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from remediator.decide.policy import Policy
from remediator.model.alert import Episode, Sighting
from remediator.model.plan import Operation, Plan
from remediator.model.rule import Rule
from remediator.model.run import Approval, ApprovalDecision, Attempt, Control, Incident, Lock, Run
from remediator.model.words import Json, Severity
from remediator.model.world import ObjectChange

ALERTS_TOLD = 20
"""Most alerts that one decision's record lists; of all of them it tells how many are in which state."""

SERIES_TOLD = 5
"""Most series of an answer of Prometheus' that one decision's record lists."""

ACTS_TOLD = 20
"""Most acts of a service's history that one decision's record lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Prometheus said to the expression of a rule."""

    promql: str
    met: bool = False
    """It has at least one series, or is a number that is neither zero nor NaN."""
    series: int = 0
    told: tuple[tuple[dict[str, str], str], ...] = ()
    """Labels and value of the first few, as text, for JSON knows no NaN."""
    error: str | None = None
    """Why there is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFacts:
    """Slow facts, read from the world just before the decision."""

    read_at: datetime
    started_at: datetime | None = None
    """When this life of the daemon began."""
    reconciled: bool = True
    """Whether the state was held against Alertmanager since then."""
    draining: bool = False
    paused_by_file: str | None = None
    """Path of the pause file, if it is there."""
    alert_api: bool = False
    """Whether an Alertmanager can be asked at all."""
    sightings: tuple[Sighting, ...] = ()
    """What it said of each alert of this run."""
    confirmed_at: datetime | None = None
    """When an alert of this run was last heard to fire, by webhook or API."""
    changes: tuple[ObjectChange, ...] = ()
    """What happened to the plan's objects lately, by anybody."""
    changes_error: str | None = None
    """Why that could not be read."""
    answer: Answer | None = None
    """To the rule's expression, if it has one."""

    def told(self) -> Json:
        """The facts as they are recorded with the decision; of many alerts first those that do not fire."""
        telling = sorted(self.sightings, key=lambda sighting: sighting.state == "firing")[:ALERTS_TOLD]
        return {
            "read_at": self.read_at.isoformat(),
            "started_at": _moment(self.started_at),
            "reconciled": self.reconciled,
            "draining": self.draining,
            "paused_by_file": self.paused_by_file,
            "alert_api": self.alert_api,
            "alerts_known": dict(Counter(sighting.state for sighting in self.sightings)),
            "alerts": [
                {"fingerprint": s.fingerprint, "state": s.state, "at": s.at.isoformat(), "detail": s.detail}
                for s in telling
            ],
            "confirmed_at": _moment(self.confirmed_at),
            "changes": [{**asdict(c), "at": _moment(c.at)} for c in self.changes],
            "changes_error": self.changes_error,
            **({"answer": asdict(self.answer)} if self.answer else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What the transaction of a decision about an act reads, beside the snapshot."""

    history: Sequence[Attempt] = ()
    """Acts on the run's service within the policy's horizon, in any order."""
    elsewhere: Sequence[Attempt] = ()
    """What runs of other services are at work on among the plan's objects: a thing may have two names."""
    alerts: Sequence[Episode] = ()
    """The oldest of the run's alerts that fire, as far as the rule makes them matter."""
    alerts_of_incident: int = 0
    """How many alerts of the incident fire; counted up to what the rule wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts(Records):
    """All facts that the write transaction itself reads: what counts, locks or reserves."""

    lock: Lock | None
    pause: Control | None
    approval: Approval | None
    """The latest question for exactly this plan."""
    decisions: tuple[ApprovalDecision, ...]
    """What people said to it."""
    others_open: tuple[Incident, ...] = ()
    """Open incidents of services that the rule wants to be well."""

    def told(self) -> Json:
        """The facts as they are recorded with the decision; of a long history its end."""
        lock, pause, approval = self.lock, self.pause, self.approval
        newest = sorted(self.history, key=lambda attempt: (attempt.intent_at, attempt.id))[-ACTS_TOLD:]
        return {
            "lock": lock and {"run": lock.run_id, "since": lock.since.isoformat()},
            "pause": pause and {"by": pause.by, "reason": pause.reason, "at": pause.at.isoformat()},
            "elsewhere": [
                {"run": a.run_id, "service": a.service, "object": a.object_id} for a in self.elsewhere
            ],
            "alerts": [
                {"alert": e.name, "fingerprint": e.fingerprint, "starts_at": e.starts_at.isoformat()}
                for e in self.alerts
            ],
            "alerts_of_incident": self.alerts_of_incident,
            "others_open": [{"incident": i.id, "service": i.service} for i in self.others_open],
            "acts_known": len(self.history),
            "acts": [
                {
                    "attempt": a.id,
                    "run": a.run_id,
                    "rule": a.rule,
                    "step": a.step,
                    "object": a.object_id,
                    "status": a.status.value,
                    "intent_at": a.intent_at.isoformat(),
                    "ended_at": _moment(a.ended_at),
                }
                for a in newest
            ],
            "approval": approval
            and {
                "id": approval.id,
                "status": approval.status.value,
                "needed": approval.needed,
                "expires_at": approval.expires_at.isoformat(),
                "granted_by": [d.actor for d in self.decisions if d.granted],
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a run wants to do now: this operation of this plan."""

    run: Run
    rule: Rule
    incident: Incident
    plan: Plan
    operations: tuple[Operation, ...]
    """All of the plan's; `run.operation` tells which one is next."""
    policy: Policy
    world: WorldFacts
    stored: StoredFacts
    unclassified: bool = False
    """Whether no rule, no table and no label says how bad the alerts are."""

    @property
    def severity(self) -> Severity:
        """The worst of what the incident has and what the rule says, as both are now."""
        return min(self.incident.severity, self.rule.severity or self.incident.severity)


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
