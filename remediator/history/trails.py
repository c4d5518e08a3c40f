"""What each run did, as the events tell: in the record and in its replay alike, so that they compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remediator.model.alert import Episode
from remediator.model.plan import Plan
from remediator.model.run import Attempt, Run
from remediator.model.words import AttemptStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from remediator.model.event import Event
    from remediator.model.words import Json


@dataclass(slots=True)
class Trail:
    """One run."""

    id: int
    incident: int
    rule: str
    version: str
    service: str
    begun: datetime
    by_hand: bool
    alerts: set[str] = field(default_factory=set)
    """Fingerprints of what fired for it until it was finished."""
    acts: list[tuple[int, str, Json]] = field(default_factory=list)
    """Step, action and its parameters, of every act."""
    holds: list[str] = field(default_factory=list)
    """Reasons, each once, in the order they came."""
    asked: bool = False
    outcome: str | None = None
    reason: str | None = None
    missing: set[str] = field(default_factory=set)
    """Facts that it rested on and that nobody knows."""

    def is_like(self, other: Trail) -> bool:
        """Whether both are there for the same: an alert in common, or a person's wish for the same rule."""
        if self.service != other.service or self.by_hand is not other.by_hand:
            return False
        return self.rule == other.rule if self.by_hand else not self.alerts.isdisjoint(other.alerts)

    @property
    def says(self) -> str:
        """What became of it, for people."""
        acts = ", ".join(dict.fromkeys(action for _, action, _ in self.acts))
        parts = [acts and f"{acts} x{len(self.acts)}" if len(self.acts) > 1 else acts]
        if not self.acts:
            parts += ["asked people" if self.asked else "", f"held: {self.holds[-1]}" if self.holds else ""]
        ended = f"{self.outcome} ({self.reason})" if self.outcome else "not finished"
        return "; ".join(part for part in (*parts, ended) if part)


class Trails:
    """All runs, by their number."""

    def __init__(self) -> None:
        self.runs: dict[int, Trail] = {}
        self.unfinished: dict[str, list[Trail]] = {}
        """By service."""
        self._firing: dict[tuple[int, str], set[str]] = {}
        """Fingerprints of open episodes, by incident and rule."""
        self._params: dict[int, Json] = {}
        """Of the latest plan of each unfinished run."""

    def observe(self, events: Sequence[Event]) -> None:
        """Follow what was committed."""
        for event in events:
            for entity in event.puts:
                if isinstance(entity, Plan):
                    self._params[entity.run_id] = entity.params
                elif isinstance(entity, Episode):
                    self._fires(entity)
            run = next((entity for entity in event.puts if isinstance(entity, Run)), None)
            if event.kind == "run.proposed" and run is not None:
                trail = self.runs[run.id] = Trail(
                    run.id,
                    run.incident_id,
                    run.rule,
                    run.rule_version,
                    run.service,
                    run.created_at,
                    run.by_hand,
                    set(self._firing.get((run.incident_id, run.rule), ())),
                )
                self.unfinished.setdefault(run.service, []).append(trail)
            elif run is not None and run.id in self.runs:
                self._go_on(self.runs[run.id], run, event)

    def _fires(self, episode: Episode) -> None:
        if episode.incident_id is None or episode.rule is None:
            return
        cause = (episode.incident_id, episode.rule)
        if not episode.firing:
            left = self._firing.get(cause, set()) - {episode.fingerprint}
            if left:
                self._firing[cause] = left
            else:
                self._firing.pop(cause, None)
            return
        self._firing.setdefault(cause, set()).add(episode.fingerprint)
        for trails in self.unfinished.values():
            for trail in trails:
                if (trail.incident, trail.rule) == cause:
                    trail.alerts.add(episode.fingerprint)

    def _go_on(self, trail: Trail, run: Run, event: Event) -> None:
        match event.kind:
            case "run.decided":
                trail.version = run.rule_version
                attempts = (entity for entity in event.puts if isinstance(entity, Attempt))
                if any(attempt.status is AttemptStatus.INTENT for attempt in attempts):
                    trail.acts.append((run.step, event.data["action"], self._params.get(run.id)))
            case "run.held":
                if event.data["reason"] not in trail.holds:
                    trail.holds.append(event.data["reason"])
            case "approval.requested":
                trail.asked = True
            case "run.finished":
                trail.outcome, trail.reason = event.data["outcome"], event.data["reason"]
                self.unfinished[trail.service].remove(trail)
                self._params.pop(run.id, None)
