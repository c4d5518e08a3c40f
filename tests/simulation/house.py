"""A house for tests that read as time lines: services, what watches them, people, and the daemon in it.

Everything of the daemon is real: rules from YAML, actions, checks, decisions, the store's SQL and the
engine. Only the world around it is simulated, and time is the event loop's. With a `Random` each question
and answer takes a time of its own, which makes what runs at the same time meet in ever other ways.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from remediator import actions, checks
from remediator.decide.policy import Policy
from remediator.engine.engine import Engine
from remediator.engine.face import DeskError
from remediator.engine.setup import Setup
from remediator.metrics import Metrics
from remediator.model.run import Approval, Attempt, Incident, Message, Run
from remediator.model.service import Service, Target, TargetKind
from remediator.model.words import RunStatus
from remediator.rules.load import load_rules
from remediator.store import Store
from remediator.world.base import World
from remediator.world.simulated import SimulatedPrometheus
from tests.simulation.clock import LoopClock
from tests.simulation.life import Fate, Gone, LivingStore
from tests.simulation.record import check_record
from tests.simulation.surroundings import (
    Inbox,
    Monitoring,
    SlowAlertmanagers,
    WatchedCommands,
    WatchedEngine,
)
from tests.simulation.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from pathlib import Path
    from random import Random
    from types import TracebackType
    from typing import Any, Self

    from remediator.engine.face import Desk
    from remediator.model.command import CommandSpec
    from remediator.model.event import Event
    from remediator.model.words import Reason
    from remediator.rules.ruleset import RuleSet

T = TypeVar("T")

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
PEOPLE = "people"
"""The channel."""


class House:
    """Everything, in virtual time. An async context: on its way out it holds all that happened to account."""

    def __init__(
        self,
        rules: str,
        folder: Path,
        *,
        services: Sequence[str] = ("web",),
        swarm: Sequence[str] = (),
        aliases: Mapping[str, str] | None = None,
        replicas: int = 1,
        policy: Policy | None = None,
        commands: Iterable[CommandSpec] = (),
        alertmanager: bool = True,
        channels: Sequence[str] = (PEOPLE,),
        dice: Random | None = None,
        **setup: Any,
    ) -> None:
        """`rules` is the text of a rule file; `setup` are further fields of the engine's Setup.

        An alias is one more name of a container in the catalogue.
        """
        self.clock = LoopClock()
        self.dice = dice
        self.folder = folder
        self.pause_file = folder / "pause"
        self._commands = {spec.name: spec for spec in commands}
        self._services = {
            name: Service(name=name, target=Target(kind=TargetKind.COMPOSE_SERVICE, name=name))
            for name in services
        }
        for name, box in (aliases or {}).items():
            self._services[name] = Service(name=name, target=Target(kind=TargetKind.CONTAINER, name=box))
        for name in swarm:
            self._services[name] = Service(name=name, target=Target(kind=TargetKind.SWARM_SERVICE, name=name))
        self.inboxes = {name: Inbox(self.clock) for name in channels}
        self.inbox = self.inboxes[PEOPLE]
        self._all_inboxes = dict(self.inboxes)
        self.setup = Setup(
            rules=self.load(rules),
            policy=replace(policy or Policy(), channels=tuple(channels)),
            services=self._services,
            actions=actions.registry(self._commands),
            checks=checks.registry(self._commands),
            channels=self.inboxes,
            pause_file=self.pause_file,
            **setup,
        )
        self.witness = Witness(self.clock, self.setup)
        self.docker = WatchedEngine(self.clock, self.witness, self._pause)
        self.alertmanager = SlowAlertmanagers(self.clock, self._pause)
        self.commands = WatchedCommands(self.clock, list(self._commands.values()), self.witness)
        self.prometheus = SimulatedPrometheus(self.clock)
        self.world = World(
            engines={"local": self.docker},
            alerts=self.alertmanager if alertmanager else None,
            prometheus=self.prometheus,
            commands=self.commands,
            clock=self.clock,
            own_container_id=None,
        )
        for name in services:
            self.docker.add_compose_service(name, replicas=replicas, health_check=True)
        for name in swarm:
            self.docker.add_swarm_service(name, replicas=replicas)
        self.store = Store.open(":memory:", self.clock, threads=False)
        self._committed = asyncio.Event()
        self.store.on_commit(self.witness.committed)
        self.store.on_commit(self._hear)
        self.monitoring = Monitoring(self.clock, self.alertmanager, self.post)
        self.fate = Fate()
        self.store_delays: list[float] = []
        """Seconds that the next ways to the store and back take, one after the other."""
        self.reads: str | None = None
        """What a reload finds in the rule file, if that is not what is in force."""
        self.deaths = 0
        self.twice: set[int] = set()
        """Messages that may have been sent twice, for the daemon died while they were under way."""
        self._metrics = Metrics("simulated")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._life: LivingStore | None = None
        self._engine: Engine | None = None
        self.begun = self.clock.now()

    # The daemon

    async def __aenter__(self) -> Self:
        self.spared = asyncio.current_task()
        with suppress(Gone):
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.crash()
        try:
            for end in ends:
                if isinstance(end, Exception):
                    raise end
            if kind is None:
                self.witness.testify()
                await check_record(self)
            elif isinstance(error, Exception):
                error.add_note(f"at {self.clock.now():%H:%M:%S}, after:\n{self.witness.tell()}")
                self.witness.testify()
        finally:
            await self.store.close()

    async def start(self) -> None:
        """Start the daemon. Gone if it dies while it starts."""
        assert self._life is None, "the daemon runs already"
        life = LivingStore(self.store, self.fate, self._way_to_the_store)
        self._life = life
        for task in (self.spared, asyncio.current_task(), *self._tasks):
            assert task is not None
            life.spare(task)
        self._engine = Engine(
            store=life,  # type: ignore[arg-type]
            world=self.world,
            clock=self.clock,
            metrics=self._metrics,
            setup=self.setup,
            load=self._read,
        )
        await self._engine.start()

    def kill(self) -> None:
        """The daemon is killed at this very moment; whoever waits for its death tidies up."""
        if self._life is not None:
            self._life.die()

    async def crash(self) -> None:
        """The daemon dies, as by SIGKILL; nothing happens if it is dead already."""
        life, self._life, self._engine = self._life, None, None
        if life is None:
            return
        life.die()
        self.deaths += 1
        for inbox in self._all_inboxes.values():
            self.twice |= inbox.under_way
            inbox.under_way.clear()
        await life.bury()

    async def stop(self, grace: timedelta = MINUTE) -> timedelta:
        """The daemon is told to end, and does; returns how long that took."""
        begun = self.clock.now()
        await self.engine.stop(grace.total_seconds())
        took = self.clock.now() - begun
        await self.crash()
        return took

    async def restart_when_dead(self, after: timedelta = timedelta(seconds=5)) -> None:
        """For ever: when the daemon has died, start it again."""
        while True:
            if self._life is not None:
                await self._life.dead.wait()
                await self.crash()
            await asyncio.sleep(after.total_seconds())
            try:
                await self.start()
            except Gone:
                await self.crash()

    @property
    def engine(self) -> Engine:
        """The daemon that runs."""
        if self._engine is None:
            raise Gone("the daemon is down")
        return self._engine

    @property
    def desk(self) -> Desk:
        """Where people and Alertmanager reach it."""
        return self.engine.desk

    def beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something go on beside the test, until the house ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        if self._life is not None:
            self._life.spare(task)
        return task

    def _read(self) -> Setup:
        return replace(self.setup, rules=self.load(self.reads)) if self.reads else self.setup

    def write(self, rules: str) -> None:
        """Other rules from the next start or reload on."""
        self.setup = self.witness.setup = replace(self.setup, rules=self.load(rules))

    def load(self, rules: str) -> RuleSet:
        """A rule file, read as the daemon reads it."""
        file = self.folder / "rules.yml"
        file.write_text(rules)
        return load_rules(
            [file],
            services=self._services,
            actions=actions.registry(self._commands),
            checks=checks.registry(self._commands),
        )

    def _hear(self, events: Sequence[Event]) -> None:
        self._committed.set()
        for event in events:
            for entity in event.puts:
                if isinstance(entity, Message):
                    self._all_inboxes[entity.channel].under_way.discard(entity.id)

    def _way_to_the_store(self) -> float:
        return self.store_delays.pop(0) if self.store_delays else self._pause()

    def _pause(self) -> float:
        """How long a question or an answer is on its way."""
        if self.dice is None:
            return 0.0
        return self.dice.choice((0.0, 0.0, 0.0, 0.001, 0.01, 0.2))

    # What happens around it

    def watch(self, service: str = "web", alert: str = "Down") -> None:
        """Have monitoring tell when a service is ill, and when it is well again."""
        labels = {"alertname": alert, "service": service}
        self.beside(self.monitoring.watch(labels, lambda: self.well(service)))

    def well(self, service: str = "web") -> bool:
        """Whether all of a service's containers run and are healthy."""
        if swarm := self.docker.find(service):
            return swarm.running >= swarm.replicas
        boxes = [b for b in self.docker.boxes.values() if b.seen.name.startswith(f"app-{service}-")]
        shown = [box.shown(self.docker.now()) for box in boxes]
        return bool(shown) and all(c.running and c.health in (None, "healthy") for c in shown)

    def on(self, kind: str, act: Callable[[], object]) -> None:
        """At the first commit of an event of this kind, before the daemon goes on, something happens."""
        left = [act]

        def listen(events: Sequence[Event]) -> None:
            if left and any(event.kind == kind for event in events):
                left.pop()()

        self.store.on_commit(listen)

    async def fire(self, service: str = "web", alert: str = "Down") -> str:
        """An alert begins to fire, and is posted. Returns its fingerprint."""
        mark = self.alertmanager.fire({"alertname": alert, "service": service})
        assert await self.post(self.alertmanager.notification(mark))
        return mark

    async def resolve(self, mark: str) -> None:
        """An alert ends, and that is posted."""
        self.alertmanager.resolve(mark)
        assert await self.post(self.alertmanager.notification(mark))

    async def post(self, body: bytes) -> bool:
        """Alertmanager posts to the daemon; False if that does not take it."""
        try:
            await self.desk.receive(body, "alertmanager")
        except (DeskError, Gone):
            return False
        return True

    # Time

    async def wait(self, **length: float) -> None:
        """Let time pass: `minutes=3`."""
        await asyncio.sleep(timedelta(**length).total_seconds())
        self.witness.testify()

    async def until(self, seen: Callable[[], T], *, within: timedelta = 10 * MINUTE) -> T:
        """Let time pass until something is so, and return it."""
        end = self.clock.now() + within
        while not (found := seen()):
            self.witness.testify()
            assert self.clock.now() < end, f"not within {within}"
            self._committed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._committed.wait()
        self.witness.testify()
        return found

    async def finished(self, rule: str = "web-down", *, within: timedelta = 20 * MINUTE) -> Run:
        """Let time pass until the rule's latest run has finished."""
        await self.until(lambda: any(run.finished for run in self.runs(rule)[-1:]), within=within)
        return self.run(rule)

    async def is_now(self, status: RunStatus, rule: str = "web-down", *, within: timedelta = MINUTE) -> Run:
        """Let time pass until the rule's latest run has this status."""
        await self.until(lambda: any(run.status is status for run in self.runs(rule)[-1:]), within=within)
        return self.run(rule)

    async def acts(self, rule: str = "web-down") -> Run:
        """Let time pass until the world is about what the rule's latest run wants of it."""
        await self.until(lambda: any(a.id in self.witness.requests for a in self.attempts(rule)[-1:]))
        await asyncio.sleep(1)
        return self.run(rule)

    async def held(self, reason: Reason, rule: str = "web-down", *, within: timedelta = MINUTE) -> Run:
        """Let time pass until the rule's latest run is held for this reason."""
        await self.until(lambda: any(r.hold_reason is reason for r in self.runs(rule)[-1:]), within=within)
        return self.run(rule)

    async def asked(self, rule: str = "web-down", *, within: timedelta = MINUTE) -> Approval:
        """Let time pass until people are asked about the rule's latest run."""
        run = await self.is_now(RunStatus.AWAITING_APPROVAL, rule, within=within)
        return self.approvals(run)[-1]

    # What is known

    def runs(self, rule: str = "web-down") -> list[Run]:
        """The runs of a rule, oldest first."""
        return sorted((r for r in self.witness.state.all(Run) if r.rule == rule), key=lambda r: r.id)

    def run(self, rule: str = "web-down") -> Run:
        """The latest run of a rule, as last committed."""
        return self.runs(rule)[-1]

    def attempts(self, rule: str = "web-down") -> list[Attempt]:
        """All attempts of a rule, oldest first."""
        return sorted((a for a in self.witness.state.all(Attempt) if a.rule == rule), key=lambda a: a.id)

    def approvals(self, run: Run) -> list[Approval]:
        """What people were asked about a run, oldest first."""
        found = (a for a in self.witness.state.all(Approval) if a.run_id == run.id)
        return sorted(found, key=lambda a: a.id)

    def incidents(self) -> list[Incident]:
        """All incidents, oldest first."""
        return sorted(self.witness.state.all(Incident), key=lambda i: i.id)

    def kinds(self) -> list[str]:
        """The kinds of all events, in their order."""
        return [event.kind for event in self.witness.events]
