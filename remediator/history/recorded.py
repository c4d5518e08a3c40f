"""A world that answers as the record says it did, and notes where the record does not say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from remediator.checks.changes import HANDS
from remediator.history.assumptions import ACTS, REPLICAS
from remediator.history.record import NEAR, fitted
from remediator.history.world import PastAlertmanager, PastEngine, PastPrometheus, labels_of
from remediator.model.service import TargetKind
from remediator.model.words import AttemptStatus
from remediator.model.world import (
    ActFailed,
    Applied,
    NotApplied,
    ObjectChange,
    TargetError,
    Unknown,
    WorldError,
)
from remediator.world.base import AlertsSeen, EngineEvent, History, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from pydantic import BaseModel

    from remediator.actions.base import Action
    from remediator.clock import Clock
    from remediator.history.assumptions import Assumptions
    from remediator.history.record import Record, Window
    from remediator.model.plan import Operation, Plan, PlanSpec
    from remediator.model.rule import Rule
    from remediator.model.run import Attempt
    from remediator.model.service import Service, Target
    from remediator.model.words import Json
    from remediator.model.world import ApplyResult, Container, ProbeResult
    from remediator.world.base import World

    Missing = Callable[[str, str], None]
    """Takes a service, and the fact that nobody knows of it."""


class RecordedAction:
    """An action that plans and does what the record says was planned and done."""

    def __init__(self, real: Action, record: Record, assumed: Assumptions, missing: Missing) -> None:
        self._real = real
        self._record = record
        self._assumed = assumed
        self._missing = missing
        self._used: set[int] = set()
        """Attempts of the record that are done again."""
        self._of: dict[int, Attempt] = {}
        """Attempt here -> the one of the record."""
        self.name: str = real.name
        self.params: type[BaseModel] = real.params
        self.needs_containers: bool = real.needs_containers
        self.disruptive: bool = real.disruptive
        self.reversible: bool = real.reversible

    def check(self, params: BaseModel) -> str | None:
        """As the real one."""
        return self._real.check(params)

    async def plan(self, service: Service, params: Mapping[str, Json], world: World) -> PlanSpec:
        """What was planned for the service then; else what would be, on the plainest world."""
        known = self._record.plan(service.name, self.name, world.clock.now())
        if known is None:
            if self.needs_containers:
                self._missing(service.name, REPLICAS)
            return await self._real.plan(service, params, world)
        if isinstance(known.result, WorldError | TargetError):
            raise known.result
        if known.result.params == params:
            return known.result
        return fitted(known.result, await self._real.plan(service, params, world))

    async def apply(self, operation: Operation, attempt: Attempt, world: World) -> ApplyResult:
        """What became of the same act then."""
        then = self._then(attempt, world.clock.now())
        if then is None:
            self._missing(attempt.service, ACTS)
            if self._assumed.acts is False:
                return ActFailed(result={"error": "acts are assumed to fail"})
            return Applied()
        self._used.add(then.id)
        self._of[attempt.id] = then
        took = (then.ended_at or then.deadline) - then.intent_at
        await world.clock.sleep(took.total_seconds())
        if "settled_by" in then.result:
            return Unknown(result=then.result)
        match then.status:
            case AttemptStatus.APPLIED:
                return Applied(result=then.result)
            case AttemptStatus.FAILED:
                return ActFailed(result=then.result)
        return Unknown(result=then.result)

    async def probe(self, operation: Operation, attempt: Attempt, world: World) -> ProbeResult:
        """What the probe found then."""
        then = self._of.get(attempt.id)
        if then is not None and "settled_by" not in then.result:
            if then.status is AttemptStatus.NOT_APPLIED:
                return NotApplied(result=then.result)
            if then.status is AttemptStatus.APPLIED:
                return Applied(result=then.result)
        return Unknown(result=then.result if then is not None else {})

    def undo(self, plan: Plan, operations: Sequence[Operation]) -> PlanSpec | None:
        """As the real one."""
        return self._real.undo(plan, operations)

    def _then(self, attempt: Attempt, now: datetime) -> Attempt | None:
        known = self._record.attempts[attempt.service, self.name, attempt.object_id]
        near = [a for a in known if a.id not in self._used and abs(a.intent_at - now) <= NEAR]
        return min(near, key=lambda a: abs(a.intent_at - now), default=None)


class RecordedAlertmanager(PastAlertmanager):
    """Alertmanager as decisions and verifications found it then, and between them as it told by webhook."""

    def __init__(self, clock: Clock, record: Record) -> None:
        super().__init__(clock)
        self._record = record

    async def look(self, max_age: timedelta) -> AlertsSeen:
        """Everything that fires, as far as the record knows better than the notifications."""
        now = self._clock.now()
        said = {mark: self._record.said_of(mark, now) for mark in self.firing}
        alerts = {
            mark: replace(alert, state="suppressed", silenced_by=("then",))
            if said[mark] == "muted"
            else alert
            for mark, alert in self.firing.items()
            if said[mark] not in ("absent", "unknown")
        }
        complete = "unknown" not in said.values()
        return AlertsSeen(
            at=now, alerts=alerts, complete=complete, errors={} if complete else {"then": "unknown"}
        )


class RecordedEngine(PastEngine):
    """An engine on which others did what the decisions of the record knew of."""

    def __init__(
        self, clock: Clock, assumed: Assumptions, kept: timedelta, record: Record, services: Iterable[Service]
    ) -> None:
        """`services` are those that the record may tell of."""
        # What is assumed counts only where the record does not say.
        super().__init__(clock, replace(assumed, changes=None, health=None), kept)
        self._just_changed = assumed.changes is True
        self._record = record
        self._names = {service.target: service.name for service in services}

    async def containers(self, target: Target) -> list[Container]:
        """As well, and as readable, as they were then."""
        found = await super().containers(target)
        name = self._names.get(target, "")
        if error := self._during(self._record.unreadable.get(name, ())):
            raise WorldError(error)
        if self._during(self._record.ill.get(name, ())):
            return [replace(container, health="unhealthy") for container in found]
        return found

    async def history(self, since: datetime) -> History:
        """What others did; what we did explains itself."""
        now = self.clock.now()
        events = [
            _event(target, change, change.at)
            for target, name in self._names.items()
            for change in self._record.changes.get(name, ())
            if change.at is not None and since <= change.at <= now
        ]
        for target, name in self._names.items():
            if self._just_changed and not self._record.has_facts(name, now):
                assumed = ObjectChange(object_id="", object_name=target.name, what="update", at=now)
                events.append(_event(target, assumed, now))
        told = await super().history(since)
        events = sorted([*events, *told.events], key=lambda event: event.at)
        return History(complete_from=since, events=tuple(events))

    def _during(self, windows: Iterable[Window]) -> str | None:
        now = self.clock.now()
        return next((window.what for window in windows if window.begin <= now < window.end), None)


def _event(target: Target, change: ObjectChange, at: datetime) -> EngineEvent:
    return EngineEvent(
        at=at,
        kind="service" if target.kind is TargetKind.SWARM_SERVICE else "container",
        action=change.what if change.what in HANDS else "update",
        object_id=change.object_id,
        attributes={**labels_of(target), "name": change.object_name},
    )


class RecordedPrometheus(PastPrometheus):
    """A Prometheus that says what it said then."""

    def __init__(self, clock: Clock, rules: Sequence[Rule], assumed: Assumptions, record: Record) -> None:
        super().__init__(clock, rules, assumed)
        self._record = record

    async def query(self, expr: str) -> list[Sample]:
        """One series, or none."""
        held = self._record.held(expr, self.clock.now())
        if held is None:
            return await super().query(expr)
        return [Sample(labels={}, value=1.0)] if held else []
