"""The engine as a whole: its parts put together, started in the right order, and stopped in the other.

After a start nothing is acted on before the state has been held against Alertmanager; acts that a
crash cut off are probed first. At a stop nothing new begins, and what acts is finished or left to
the probe of the next start.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from remediator.engine.core import Core
from remediator.engine.desk import EngineDesk
from remediator.engine.dispatcher import Dispatcher
from remediator.engine.facts import paused_by_file
from remediator.engine.housekeeping import keep_house
from remediator.engine.intake import Intake
from remediator.engine.outbox import Outbox
from remediator.engine.readiness import ReadinessCheck
from remediator.engine.reconciler import Reconciler
from remediator.engine.reloading import Reloading, tell_rules
from remediator.engine.timers import Timers
from remediator.metrics import Levels
from remediator.model.run import PAUSE, Control
from remediator.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from remediator.clock import Clock
    from remediator.decide.draft import Draft
    from remediator.engine.setup import Setup
    from remediator.metrics import Metrics
    from remediator.model.event import Event
    from remediator.store import Store, Transaction
    from remediator.world.base import World

log = structlog.get_logger(__name__)


class Engine:
    """Everything that happens by itself, and the desk through which people reach it."""

    def __init__(
        self,
        *,
        store: Store,
        world: World,
        clock: Clock,
        metrics: Metrics,
        setup: Setup,
        load: Callable[[], Setup],
        in_force: Callable[[], None] = lambda: None,
    ) -> None:
        """`load` reads rules and configuration anew for a reload; it may take long, and raise InputError.

        `in_force` is called when what it read is, in the same moment.
        """
        self.core = core = Core(store=store, world=world, clock=clock, metrics=metrics, setup=setup)
        self._in_force = in_force
        self._caught_up = asyncio.Event()
        self._intake = Intake(core)
        self._dispatcher = Dispatcher(core, self._caught_up)
        self._timers = Timers(core)
        self._outbox = Outbox(core)
        self._reconciler = Reconciler(core, self._intake, self._caught_up)
        self._readiness = ReadinessCheck(core)
        self.reloading = Reloading(core, self._readiness, load, self._use)
        self._tasks: list[asyncio.Task[None]] = []
        self._followers: dict[str, Callable[[Event], None]] = {
            "alarms": core.alarms.observe,
            "dispatcher": self._dispatcher.observe,
            "timers": self._timers.observe,
            "outbox": self._outbox.observe,
            "metrics": core.metrics.observe,
        }
        """What follows from each committed event, what acts before what counts."""
        self.desk = EngineDesk(core, self._intake, self._readiness, self.reloading)

    async def start(self) -> None:
        """Take up the state where it was left, and begin. Raises StoreError."""
        await self.load()
        await self.begin()

    async def load(self) -> None:
        """Take up the state where it was left; what is asked of the desk from now on is done. StoreError."""
        core = self.core
        core.store.on_commit(self._committed)
        episodes = await core.store.read(lambda reader: reader.firing_episodes())
        core.alarms.load(episodes)
        self._dispatcher.load(await core.store.read(lambda reader: reader.unfinished_runs()))

    async def begin(self) -> None:
        """Do by itself what there is to do, once nothing can keep the daemon from running. StoreError."""
        core = self.core
        await core.decide(self._tell_start)
        parts = {
            "intake": self._intake.run,
            "timers": self._timers.run,
            "outbox": self._outbox.run,
            "reconciler": self._reconciler.run,
            "housekeeping": lambda: keep_house(core),
            **{f"engine {name}": engine.watch for name, engine in core.world.engines.items()},
        }
        for name, work in parts.items():
            task = asyncio.create_task(core.forever(name, work), name=name)
            self._tasks.append(task)

    async def stop(self, grace: float) -> None:
        """Take nothing new, let acts finish within `grace` seconds, and end."""
        self.core.draining = True
        self._readiness.forget()
        await self._dispatcher.stop(grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self.core.decide(lambda draft, _: draft.record("daemon.stopped", incident=None))
        except StoreError as error:
            log.error("the record does not tell of the stop", error=str(error))

    async def levels(self) -> Levels:
        """What the metrics show of this moment."""
        counts, pause = await self.core.store.read(
            lambda reader: (reader.counts(), reader.get(Control, PAUSE))
        )
        oldest = counts.oldest_message
        return Levels(
            ready=(await self._readiness.ask()).ready,
            paused=pause is not None or paused_by_file(self.core) is not None,
            incidents_open=counts.incidents_open,
            approvals_pending=counts.approvals_pending,
            notifications_pending=counts.notifications_pending,
            outbox_oldest_seconds=(self.core.clock.now() - oldest).total_seconds() if oldest else 0.0,
        )

    def _use(self, setup: Setup) -> None:
        """Put new rules and configuration in force, between two decisions."""
        core, before = self.core, self.core.setup
        core.book.replace(setup.rules, self._dispatcher.unfinished())
        core.setup = setup
        self._in_force()
        self._outbox.retire(before.channels.values(), setup.channels.values())
        # Last: what waits is planned and judged by what is in force now.
        self._dispatcher.look_again()

    def _committed(self, events: Sequence[Event]) -> None:
        """Everything that follows from a commit, before whoever wrote it goes on.

        A fault in one part keeps nothing from the others.
        """
        for event in events:
            for name, follow in self._followers.items():
                try:
                    follow(event)
                except Exception:
                    log.exception("a part of the engine cannot follow an event", part=name, kind=event.kind)

    def _tell_start(self, draft: Draft, _: Transaction) -> None:
        draft.record("daemon.started", incident=None, identity=self.core.store.identity)
        tell_rules(draft, self.core.setup.rules)
