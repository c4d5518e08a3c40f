"""The stage of a rehearsal: the engine, its store, and a simulated world with all services in it.

Whoever rehearses lets alerts fire and things go wrong, lets time pass, and looks at what was committed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from remediator.channels.base import Delivered
from remediator.engine.engine import Engine
from remediator.metrics import Metrics
from remediator.model.service import TargetKind
from remediator.rehearse.time import VirtualClock
from remediator.store import Store
from remediator.world.base import World
from remediator.world.simulated import (
    SimulatedAlertmanagers,
    SimulatedCommands,
    SimulatedCompose,
    SimulatedEngine,
    SimulatedPrometheus,
    SimulatedRequests,
)
from remediator.world.simulated.containers import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from remediator.channels.base import Delivery
    from remediator.engine.face import Desk
    from remediator.engine.setup import Setup
    from remediator.model.command import CommandSpec
    from remediator.model.event import Event
    from remediator.model.request import RequestSpec
    from remediator.model.run import Message
    from remediator.model.service import Service
    from remediator.world.simulated.containers import Box

SOURCE = "alertmanager"
PEOPLE = "people"
"""The only channel: all who are told of anything."""
PROJECT = "rehearsal"
"""The Compose project of services for which the catalogue names none."""


class Ear:
    """A channel that takes everything at once, and remembers it."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    async def send(self, message: Message) -> Delivery:
        """Take it."""
        self.heard.append(message)
        return Delivered()

    async def close(self) -> None:
        """Nothing to let go of."""


class PassingStore(Store):
    """A store that ends with its rehearsal: nobody will ever ask whether its record was cut."""

    async def seal(self) -> None:
        """Nothing."""


class Stage:
    """Engine, store and world. An async context, to be made and entered inside of `rehearse.time.run`."""

    def __init__(
        self,
        setup: Setup,
        *,
        start: datetime,
        commands: Mapping[str, CommandSpec] | None = None,
        requests: Mapping[str, RequestSpec] | None = None,
        store: str = ":memory:",
        metrics: Metrics | None = None,
    ) -> None:
        """`setup` goes by other channels here: what people are told is in `told`.

        All services of its catalogue are there and well. `store` is the path of the database; `metrics`
        may be shared by many stages, where nobody reads them.
        """
        self.clock = VirtualClock(start)
        self._ear = Ear()
        policy = replace(setup.policy, channels=(PEOPLE,))
        self.setup = replace(setup, policy=policy, channels={PEOPLE: self._ear}, receiver=None)
        self.engines = _engines(setup.services.values(), self.clock)
        self.docker = self.engines["local"]
        self.alertmanager = SimulatedAlertmanagers(self.clock)
        self.fired: set[str] = set()
        """The fingerprints of all alerts that ever fired."""
        self.muted: set[str] = set()
        """The fingerprints of those that are silenced or inhibited now."""
        self.prometheus = SimulatedPrometheus(self.clock)
        self.commands = SimulatedCommands(self.clock, (commands or {}).values())
        self.requests = SimulatedRequests(self.clock, (requests or {}).values())
        self._world = World(
            engines=self.engines,
            alerts=self.alertmanager,
            prometheus=self.prometheus,
            commands=self.commands,
            requests=self.requests,
            clock=self.clock,
            own_container_id=None,
            compose=SimulatedCompose(self.engines),
        )
        self._path = store
        self._metrics = metrics or Metrics("rehearsal")
        self._listeners: list[Callable[[Sequence[Event]], None]] = []

    @property
    def desk(self) -> Desk:
        """Where people reach the daemon."""
        return self.engine.desk

    @property
    def told(self) -> list[Message]:
        """What people were told, in order."""
        return self._ear.heard

    def on_commit(self, listener: Callable[[Sequence[Event]], None]) -> None:
        """Hear of each commit's events. Before the stage is entered, so that none is missed."""
        self._listeners.append(listener)

    async def __aenter__(self) -> Self:
        self.store = PassingStore.open(self._path, self.clock, threads=False)
        for listener in self._listeners:
            self.store.on_commit(listener)
        self.engine = Engine(
            store=self.store,
            world=self._world,
            clock=self.clock,
            metrics=self._metrics,
            setup=self.setup,
            load=lambda: self.setup,
        )
        await self.engine.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.engine.stop(0)
        await self.store.close()

    async def fire(self, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> str:
        """An alert begins to fire, or is told of again. Returns its fingerprint."""
        mark = self.alertmanager.fire(labels, annotations)
        self.fired.add(mark)
        await self._tell(mark)
        return mark

    async def resolve(self, mark: str) -> None:
        """An alert ends, and that is told. KeyError if there never was such a one."""
        self.alertmanager.resolve(mark)
        await self._tell(mark)

    def mute(self, mark: str) -> None:
        """An alert is silenced or inhibited: nothing of it is told, only the API shows it."""
        self.alertmanager.mute(mark)
        self.muted.add(mark)

    async def unmute(self, mark: str) -> None:
        """That is over, and what still fires is told."""
        self.alertmanager.unmute(mark)
        self.muted.discard(mark)
        if self.alertmanager.fires(mark):
            await self._tell(mark)

    async def _tell(self, mark: str) -> None:
        if mark not in self.muted:
            await self.post(self.alertmanager.notification(mark))

    async def post(self, body: bytes) -> int:
        """Alertmanager posts a notification. Raises what `Desk.receive` raises."""
        return await self.desk.receive(body, SOURCE)

    async def wait_until(self, moment: datetime) -> None:
        """Let time pass until then; everything that is due before has happened."""
        await self.clock.sleep(max(0.0, (moment - self.clock.now()).total_seconds()))

    async def settle(self, seconds: float) -> None:
        """Let so little time pass that only what is due already happens, and all of that."""
        await self.clock.sleep(seconds)

    def engine_of(self, service: str) -> SimulatedEngine:
        """The Docker Engine that a service of the catalogue runs on."""
        return self.engines[self.setup.services[service].target.engine]

    def boxes(self, service: str) -> list[Box]:
        """The containers of a service of the catalogue."""
        target = self.setup.services[service].target
        return [box for box in self.engine_of(service).boxes.values() if matches(target, box.seen)]


def _engines(services: Iterable[Service], clock: VirtualClock) -> dict[str, SimulatedEngine]:
    """Every Docker Engine that the catalogue names, with what is to run on it."""
    engines = {"local": SimulatedEngine(clock)}
    for service in services:
        _add(engines.setdefault(service.target.engine, SimulatedEngine(clock)), service)
    return engines


def _add(engine: SimulatedEngine, service: Service) -> None:
    target = service.target
    match target.kind:
        case TargetKind.COMPOSE_SERVICE:
            engine.add_compose_service(target.name, project=target.project or PROJECT, health_check=True)
        case TargetKind.CONTAINER:
            engine.add_container(target.name, health_check=True)
        case TargetKind.LABEL:
            key, _, value = target.name.partition("=")
            engine.add_container(service.name, labels={key: value}, health_check=True)
        case TargetKind.SWARM_SERVICE:
            engine.add_swarm_service(target.name)
        case TargetKind.NONE:
            pass
