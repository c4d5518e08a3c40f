"""Lives through the daemon's own past again with candidate rules, and tells run by run what would differ."""

from __future__ import annotations

import asyncio
import heapq
import tempfile
from dataclasses import dataclass, field, replace
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remediator.decide.asking import RefusalError
from remediator.engine.engine import Engine
from remediator.engine.face import DeskError
from remediator.engine.notification import read_notification
from remediator.history.assumptions import APPROVALS, CHANGES, HEALTH, PROMQL, RESOLVED_AFTER, Assumptions
from remediator.history.changes import Change
from remediator.history.compare import Compared, compare
from remediator.history.record import NEAR, Moment, Record, Said, Window, read_record, with_known
from remediator.history.recorded import (
    RecordedAction,
    RecordedAlertmanager,
    RecordedEngine,
    RecordedPrometheus,
)
from remediator.history.stage import MARGIN, RARELY, QuickStore, answer, body_of
from remediator.history.trails import Trails
from remediator.history.world import PastCommands, PastRequests
from remediator.metrics import Metrics
from remediator.model.alert import Episode
from remediator.model.run import Approval, Run
from remediator.model.words import ApprovalStatus
from remediator.rehearse.time import VirtualClock, run
from remediator.store.journal import Journal
from remediator.world.base import World

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
    from datetime import datetime

    from remediator.engine.setup import Setup
    from remediator.history.trails import Trail
    from remediator.model.command import CommandSpec
    from remediator.model.event import Event
    from remediator.model.request import RequestSpec
    from remediator.model.rule import Rule
    from remediator.store import Notification

SOURCE = "replay"
MOMENT = 0.001
"""Seconds that what has arrived is given to be taken in, before what comes next."""
ILL = timedelta(hours=1)
"""How long a service stays ill after an act, if that is assumed."""
AFTERWARDS = timedelta(hours=1)
"""How long after the last entry of the record its runs are followed."""


@dataclass(kw_only=True)
class Replay:
    """One replay of a store."""

    setup: Setup
    """The candidate."""
    commands: Mapping[str, CommandSpec]
    requests: Mapping[str, RequestSpec] = field(default_factory=dict)
    assumed: Assumptions
    store: str
    """Path of the database whose past it is; it is only read."""
    since: datetime | None = None
    """Runs from before are lived through, too, and not told of."""
    progress: Callable[[datetime], None] = lambda _: None
    record: Record = field(init=False, default_factory=Record)
    trails: Trails = field(init=False, default_factory=Trails)

    def go(self) -> list[Compared]:
        """Live through all of it. StoreError if the store cannot be read."""
        stays = {
            (matched.rule.name, number): step.verify.stays
            for matched in self.setup.rules
            for number, step in enumerate(matched.rule.steps)
        }
        with Journal(self.store) as journal, tempfile.TemporaryDirectory(prefix="remediator-") as folder:
            self.record = read_record(journal, stays)
            begin, end = self.record.begin, self.record.end
            if begin is not None and end is not None:
                run(lambda: self._live(journal, Path(folder), begin, end))
        found = compare(self.record.trails, self.trails)
        return [line for line in found if self.since is None or line.some.begun >= self.since]

    async def _live(self, journal: Journal, folder: Path, begin: datetime, end: datetime) -> None:
        clock = VirtualClock(begin)
        stage = _Stage(self, clock, folder)
        await stage.begin()
        try:
            for at, what in _in_order(journal.notifications(), self.record.moments):
                await stage.until(at)
                await stage.live(what)
                self.progress(at)
            await stage.until(end + AFTERWARDS)
        finally:
            await stage.end()


def _in_order(
    notifications: Iterator[Notification], moments: Sequence[Moment]
) -> Iterator[tuple[datetime, Notification | Episode | Said]]:
    """What arrived and what was found out or done, by time; what arrived first."""
    arrived = ((n.received_at, n) for n in notifications)
    yield from heapq.merge(arrived, ((m.at, m.what) for m in moments), key=itemgetter(0))


class _Stage:
    """The engine with the candidate rules, in the world of the record."""

    def __init__(self, replay: Replay, clock: VirtualClock, folder: Path) -> None:
        self._record, self._assumed = replay.record, replay.assumed
        self._clock = clock
        self._trails = replay.trails
        self._pending: dict[int, Approval] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        services = with_known(replay.setup.services, self._record)
        policy = replace(replay.setup.policy, channels=())
        setup = replace(
            replay.setup,
            policy=policy,
            services=services,
            actions={
                name: RecordedAction(action, self._record, self._assumed, self._missing)
                for name, action in replay.setup.actions.items()
            },
            channels={},
            receiver=None,
            pause_file=folder / "pause",
            reconcile_interval=RARELY,
        )
        self._setup = setup
        self._pause_file = folder / "pause"
        rules = [matched.rule for matched in setup.rules]
        kept = max((policy.horizon(rule.guards) for rule in rules), default=MARGIN) + MARGIN
        self._alertmanager = RecordedAlertmanager(clock, self._record)
        engines: dict[str, RecordedEngine] = {}
        for service in services.values():
            name = service.target.engine
            if name not in engines:
                some = [other for other in services.values() if other.target.engine == name]
                engines[name] = RecordedEngine(clock, self._assumed, kept, self._record, some)
            engines[name].add(service)
        self._store = QuickStore.open(str(folder / "store.db"), clock, threads=False)
        self._engine = Engine(
            store=self._store,
            world=World(
                engines=engines,
                alerts=self._alertmanager if self._record.api else None,
                prometheus=RecordedPrometheus(clock, rules, self._assumed, self._record),
                commands=PastCommands(replay.commands, self._assumed),
                requests=PastRequests(replay.requests, self._assumed),
                clock=clock,
                own_container_id=None,
            ),
            clock=clock,
            metrics=Metrics("replay"),
            setup=setup,
            load=lambda: setup,
        )

    async def begin(self) -> None:
        self._store.on_commit(self._trails.observe)
        self._store.on_commit(self._note)
        await self._engine.start()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.stop(0)
        await self._store.close()

    async def until(self, moment: datetime) -> None:
        """Let time pass."""
        await self._clock.sleep(max(0.0, (moment - self._clock.now()).total_seconds()))

    async def live(self, what: Notification | Episode | Said) -> None:
        """Let one entry of the record happen again."""
        if isinstance(what, Said):
            try:
                await self._say(what)
            except (DeskError, RefusalError):
                return  # with these rules there is nothing to say it to
            return
        if isinstance(what, Episode):
            await self._know(what)
        else:
            for alert in read_notification(what.body).alerts:
                change = Change(
                    what.received_at, alert.firing, alert.fingerprint, alert.labels, alert.starts_at
                )
                self._alertmanager.follow(change)
            await self._engine.desk.receive(what.body, SOURCE)
        await self._clock.sleep(MOMENT)

    async def _know(self, episode: Episode) -> None:
        """An episode began or ended; if no notification told, Alertmanager's API did."""
        # An end before the beginning, as clocks that differ may tell, would not be taken for one.
        at = max(self._clock.now(), episode.starts_at)
        change = Change(at, episode.firing, episode.fingerprint, episode.labels, episode.starts_at)
        self._alertmanager.follow(change)
        if (episode.fingerprint in self._engine.core.alarms.firing()) != episode.firing:
            await self._engine.desk.receive(body_of([change]), SOURCE)

    async def _say(self, said: Said) -> None:
        desk, actor, why = self._engine.desk, said.actor, said.why
        match said.what:
            case "on":
                self._pause_file.touch()
            case "off":
                self._pause_file.unlink(missing_ok=True)
            case "pause":
                await desk.pause(actor, why)
            case "resume":
                await desk.resume(actor, why)
            case "start" if said.run is not None:
                await desk.start_run(said.run.rule, said.run.service, actor, why)
            case "granted" | "denied" if said.run is not None:
                for approval in self._asked_about(said.run):
                    if said.what == "granted":
                        await desk.approve(approval.id, actor, why)
                    else:
                        await desk.deny(approval.id, actor, why)
            case "cancel" | "settle" if said.run is not None:
                for trail in self._like(said.run):
                    if said.what == "cancel":
                        await desk.cancel(trail.id, actor, why)
                    else:
                        await desk.settle(trail.id, said.applied, actor, why)

    def _like(self, then: Run) -> list[Trail]:
        """The unfinished run that stands where the one of the record did."""
        there = self._trails.unfinished.get(then.service, [])
        like = [trail for trail in there if trail.is_like(self._record.trails.runs[then.id])]
        return sorted(like, key=lambda trail: trail.rule != then.rule)[:1]

    def _asked_about(self, then: Run) -> list[Approval]:
        numbers = {trail.id for trail in self._like(then)}
        return [approval for approval in self._pending.values() if approval.run_id in numbers]

    def _missing(self, service: str, fact: str) -> None:
        if not self._assumed.cover(fact):
            for trail in self._trails.unfinished.get(service, []):
                trail.missing.add(fact)

    def _note(self, events: Sequence[Event]) -> None:
        """What the record must tell of, and does not."""
        for event in events:
            for entity in event.puts:
                if isinstance(entity, Approval):
                    if entity.status is ApprovalStatus.PENDING:
                        self._pending[entity.id] = entity
                        self._asked(entity)
                    else:
                        self._pending.pop(entity.id, None)
            asked = next((entity for entity in event.puts if isinstance(entity, Run)), None)
            if asked is None:
                continue
            rule = self._setup.rules.find(asked.rule)
            if "facts" in event.data and rule is not None:
                self._decided(asked, rule, event.at)
            if event.kind == "run.verifying":
                self._verifying(asked, event.at)

    def _decided(self, asked: Run, rule: Rule, now: datetime) -> None:
        hands_off = self._setup.policy.hands_off(rule.guards) > timedelta(0)
        if hands_off and not self._record.has_facts(asked.service, now):
            self._missing(asked.service, CHANGES)
        if rule.when.promql is not None and self._record.held(rule.when.promql, now) is None:
            self._missing(asked.service, f"{PROMQL}:{rule.name}")

    def _verifying(self, asked: Run, now: datetime) -> None:
        """Whether the same act was verified then; else nobody knows what it would have brought about."""
        trail = self._trails.runs[asked.id]
        action = trail.acts[-1][1] if trail.acts else ""
        begun = self._record.verified.get((asked.service, action), ())
        if any(abs(at - now) <= NEAR for at in begun):
            return
        for fact in (RESOLVED_AFTER, HEALTH):
            self._missing(asked.service, fact)
        if self._assumed.health is False:
            self._record.ill[asked.service].append(Window(now, now + ILL, "ill"))
        if self._assumed.resolved_after is not None:
            marks = list(self._engine.core.alarms.of(asked))
            self._begin(self._end_after(self._assumed.resolved_after, marks))

    def _asked(self, asked: Approval) -> None:
        """If nobody was asked this then, people say what is assumed; without that, nobody knows."""
        trail = self._trails.runs[asked.run_id]
        if self._record.answered(asked, trail) or self._was_asked(trail):
            return
        if APPROVALS not in self._assumed.made:
            trail.missing.add(APPROVALS)
        elif self._assumed.approvals != "none":
            self._begin(answer(self._engine.desk, asked, self._assumed.approvals))

    def _was_asked(self, trail: Trail) -> bool:
        """Whether the run that stands where this one does asked people then."""
        return any(
            then.asked and then.is_like(trail) and abs(then.begun - trail.begun) <= NEAR
            for then in self._record.trails.runs.values()
        )

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_after(self, length: timedelta, marks: Sequence[str]) -> None:
        episodes = {mark: self._alertmanager.firing.get(mark) for mark in marks}
        await self._clock.sleep(length.total_seconds())
        now = self._clock.now()
        for mark, known in episodes.items():
            fires = self._alertmanager.firing.get(mark)
            if known is not None and fires is not None and fires.starts_at == known.starts_at:
                change = Change(max(now, known.starts_at), False, mark, known.labels, known.starts_at)
                self._alertmanager.follow(change)
                await self._engine.desk.receive(body_of([change]), SOURCE)
