"""A world as far as the past tells of it: the alerts. The rest is as it is assumed to have been.

It forgets what nobody can ask for any more, so that a long past takes no more room than a short one.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from remediator.model.service import TargetKind
from remediator.world.base import (
    AlertsSeen,
    CommandResult,
    EngineEvent,
    EngineRefused,
    History,
    NoRequests,
    Reply,
    Sample,
    SeenAlert,
    World,
)
from remediator.world.labels import COMPOSE_PROJECT
from remediator.world.simulated import SimulatedCompose, SimulatedEngine, SimulatedPrometheus
from remediator.world.simulated.containers import compose_labels
from remediator.world.simulated.requests import reply_meeting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from remediator.clock import Clock
    from remediator.history.assumptions import Assumptions
    from remediator.history.changes import Change
    from remediator.model.command import CommandSpec
    from remediator.model.request import FilledRequest, RequestSpec
    from remediator.model.rule import Rule
    from remediator.model.service import Service, Target
    from remediator.world.base import Survivor

NEVER = datetime(1, 1, 1, tzinfo=UTC)
KEPT_EVENTS = 1000
"""Events of an engine that may be too old before they are thrown away."""
PROJECT = "history"
"""The Compose project of services for which the catalogue names none."""


class PastAlertmanager:
    """The Alertmanager's API of that time. It knows what fires, and nothing of silences."""

    def __init__(self, clock: Clock) -> None:
        self.firing: dict[str, SeenAlert] = {}
        self._clock = clock

    def follow(self, change: Change) -> None:
        """An alert begins or ends."""
        if not change.firing:
            self.firing.pop(change.mark, None)
            return
        self.firing[change.mark] = SeenAlert(
            fingerprint=change.mark,
            labels=dict(change.labels),
            annotations={},
            starts_at=change.began,
            updated_at=change.at,
            ends_at=NEVER,
            state="active",
        )

    async def look(self, max_age: timedelta) -> AlertsSeen:
        """Everything that fires, without a copy of it: it is asked for very often."""
        return AlertsSeen(at=self._clock.now(), alerts=self.firing, complete=True)

    async def close(self) -> None:
        """Nothing to let go of."""


class PastEngine(SimulatedEngine):
    """A Docker engine on which everything of the catalogue runs."""

    def __init__(self, clock: Clock, assumed: Assumptions, kept: timedelta) -> None:
        """`kept`: how long anybody wants to know what happened."""
        super().__init__(clock)
        self._assumed = assumed
        self._kept = kept

    def add(self, service: Service) -> None:
        """Have a service run here, unless something that it runs as is here already."""
        replicas, target = self._assumed.replicas or 1, service.target
        if target.kind is TargetKind.SWARM_SERVICE:
            if self.find(target.name) is None:
                self.add_swarm_service(target.name, replicas=replicas)
            return
        name, labels = target.name, labels_of(target)
        match target.kind:
            case TargetKind.NONE:
                return
            case TargetKind.COMPOSE_SERVICE:
                name = f"{labels[COMPOSE_PROJECT]}-{target.name}"
            case TargetKind.LABEL:
                name = service.name
            case TargetKind.CONTAINER:
                replicas = 1
        known = {box.seen.name for box in self.boxes.values()}
        for number in range(1, replicas + 1):
            full = name if target.kind is TargetKind.CONTAINER else f"{name}-{number}"
            if full not in known:
                self.add_container(full, labels=labels, health_check=True)
                if self._assumed.health is False:
                    self.breaks(full, incurable=True)

    async def history(self, since: datetime) -> History:
        """What we did; and what somebody else has just done, if that is assumed."""
        self._forget()
        first = bisect_left(self.events, since, key=lambda event: event.at)
        told = list(self.events[first:])
        if self._assumed.changes:
            now = self.now()
            told += [
                EngineEvent(at=now, kind="container", action="update", object_id=id_, attributes={"name": n})
                for id_, n in ((id_, box.seen.name) for id_, box in self.boxes.items())
            ]
            told += [
                EngineEvent(
                    at=now, kind="service", action="update", object_id=s.id, attributes={"name": s.name}
                )
                for s in self.services.values()
            ]
        return History(complete_from=since, events=tuple(told))

    async def restart_container(self, container_id: str, stop_timeout: int) -> None:
        """As assumed."""
        if self._assumed.acts is False:
            raise EngineRefused("acts are assumed to fail")
        await super().restart_container(container_id, stop_timeout)

    async def force_update(self, service_id: str, version: int) -> None:
        """As assumed."""
        if self._assumed.acts is False:
            raise EngineRefused("acts are assumed to fail")
        await super().force_update(service_id, version)

    async def scale_service(self, service_id: str, version: int, replicas: int) -> None:
        """As assumed."""
        if self._assumed.acts is False:
            raise EngineRefused("acts are assumed to fail")
        await super().scale_service(service_id, version, replicas)

    def _forget(self) -> None:
        self.restarts.clear()
        self.scaled.clear()
        before = bisect_left(self.events, self.now() - self._kept, key=lambda event: event.at)
        if before > KEPT_EVENTS:
            del self.events[:before]


def labels_of(target: Target) -> dict[str, str]:
    """The labels by which containers are those of a target."""
    match target.kind:
        case TargetKind.COMPOSE_SERVICE:
            return compose_labels(target.project or PROJECT, target.name)
        case TargetKind.LABEL:
            key, _, value = target.name.partition("=")
            return {key: value}
    return {}


class PastCommands:
    """Named commands that all end as it is assumed."""

    def __init__(self, specs: Mapping[str, CommandSpec], assumed: Assumptions) -> None:
        self.specs = specs
        self._exit_code = 1 if assumed.acts is False else 0

    async def run(
        self, spec: CommandSpec, argv: Sequence[str], *, attempt: int | None = None
    ) -> CommandResult:
        """End at once."""
        return CommandResult(
            exit_code=self._exit_code, output="", output_bytes=0, seconds=0.0, timed_out=False
        )

    async def survivors(self, attempt: int) -> list[Survivor]:
        """None."""
        return []

    async def end_survivors(self, attempt: int, argv: Sequence[str]) -> None:
        """There is nothing to end."""


class PastRequests(NoRequests):
    """Named requests that are all answered as it is assumed."""

    def __init__(self, specs: Mapping[str, RequestSpec], assumed: Assumptions) -> None:
        self.specs = specs
        self._fail = assumed.acts is False

    async def send(self, spec: RequestSpec, filled: FilledRequest, *, attempt: int | None = None) -> Reply:
        """Answered at once."""
        if self._fail:
            return Reply(status=500, body="", body_bytes=0, told=None, seconds=0.0)
        return reply_meeting(filled.expect)


class PastPrometheus(SimulatedPrometheus):
    """A Prometheus that says to the expressions of rules what is assumed."""

    def __init__(self, clock: Clock, rules: Iterable[Rule], assumed: Assumptions) -> None:
        super().__init__(clock)
        self._holds = {rule.when.promql: assumed.holds(rule.name) for rule in rules}

    async def query(self, expr: str) -> list[Sample]:
        """One series, or none."""
        return [Sample(labels={}, value=1.0)] if self._holds.get(expr) else []


def past_world(
    clock: Clock,
    alerts: PastAlertmanager,
    services: Iterable[Service],
    rules: Iterable[Rule],
    commands: Mapping[str, CommandSpec],
    requests: Mapping[str, RequestSpec],
    assumed: Assumptions,
    kept: timedelta,
) -> World:
    """The world of that time. `kept`: how long anybody wants to know what happened in it."""
    engines = {"local": PastEngine(clock, assumed, kept)}
    for service in services:
        name = service.target.engine
        if name not in engines:
            engines[name] = PastEngine(clock, assumed, kept)
        engines[name].add(service)
    compose = SimulatedCompose(engines)
    compose.fails = "acts are assumed to fail" if assumed.acts is False else None
    return World(
        engines=engines,
        alerts=alerts,
        prometheus=PastPrometheus(clock, rules, assumed),
        commands=PastCommands(commands, assumed),
        requests=PastRequests(requests, assumed),
        clock=clock,
        own_container_id=None,
        compose=compose,
    )
