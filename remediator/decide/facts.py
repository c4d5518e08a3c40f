"""What guardrails judge by: the request, and the facts read for it."""

from dataclasses import asdict, dataclass
from datetime import datetime

from remediator.decide.policy import Policy
from remediator.model.alert import Sighting
from remediator.model.plan import Operation, Plan
from remediator.model.rule import Rule
from remediator.model.run import Approval, ApprovalDecision, Attempt, Control, Incident, Lock, Run
from remediator.model.words import Json
from remediator.model.world import ObjectChange


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFacts:
    """Slow facts, read from the world just before the decision."""

    read_at: datetime
    reconciled: bool = True
    """Whether the state was held against Alertmanager since the daemon started."""
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

    def told(self) -> Json:
        """The facts as they are recorded with the decision."""
        return {
            "read_at": self.read_at.isoformat(),
            "reconciled": self.reconciled,
            "paused_by_file": self.paused_by_file,
            "alert_api": self.alert_api,
            "alerts": {s.fingerprint: s.state for s in self.sightings},
            "confirmed_at": self.confirmed_at and self.confirmed_at.isoformat(),
            "changes": [{**asdict(c), "at": c.at and c.at.isoformat()} for c in self.changes],
            "changes_error": self.changes_error,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """Facts that the write transaction itself reads: what counts, locks or reserves."""

    lock: Lock | None
    pauses: tuple[Control, ...]
    history: tuple[Attempt, ...]
    """Acts on this service within the policy's horizon, newest anywhere."""
    approval: Approval | None
    """The latest question for exactly this plan."""
    decisions: tuple[ApprovalDecision, ...]


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
