"""What every part of the engine shares, and the one way to make a decision.

A decision is a pure function of `remediator.decide`. It runs inside one short write transaction: the
state is read there, decided upon, and saved with the events that tell why, or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import structlog

from remediator.decide.draft import DAEMON, Draft
from remediator.engine.alarms import Alarms
from remediator.engine.setup import RuleBook, Setup
from remediator.store import StoreError, StoreRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime

    from remediator.clock import Clock
    from remediator.metrics import Metrics
    from remediator.store import Store, Transaction
    from remediator.world.base import World

T = TypeVar("T")
log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
"""Between two tries when the store cannot write, as on a full disk."""


class Core:
    """The engine's common ground."""

    def __init__(self, *, store: Store, world: World, clock: Clock, metrics: Metrics, setup: Setup) -> None:
        self.store = store
        self.world = world
        self.clock = clock
        self.metrics = metrics
        self.setup = setup
        self.book = RuleBook(setup.rules)
        self.alarms = Alarms()
        self.started_at = clock.now()
        self.reconciled = world.alerts is None
        """Whether the state was held against Alertmanager since the start."""
        self.draining = False

    async def decide(
        self,
        decision: Callable[[Draft, Transaction], T],
        *,
        actor: str = DAEMON,
        fingerprints: Iterable[str] = (),
        keys: Iterable[str] = (),
        incidents: Iterable[int] = (),
        runs: Iterable[int] = (),
    ) -> T:
        """Run a decision over what the named things need, and commit what it drafted.

        Raises what the decision raises, and StoreError; then nothing was changed.
        """

        def job(transaction: Transaction) -> T:
            begun = self.clock.monotonic()
            snapshot = transaction.snapshot(
                fingerprints=fingerprints, keys=keys, incidents=incidents, runs=runs
            )
            rules = self.setup.rules
            draft = Draft(
                snapshot, self.clock.now(), actor=actor, find_rule=rules.find, classify=rules.classify
            )
            result = decision(draft, transaction)
            if draft.events:
                transaction.save(draft.events)
            self.metrics.decide_seconds.observe(self.clock.monotonic() - begun)
            return result

        return await self.store.write(job)

    async def insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Do this until the store lets it happen: what the world has done must get on the record.

        A full disk passes, a decision that cannot be written as it is does not: raises StoreRefused.
        """
        while True:
            try:
                return await attempt()
            except StoreRefused:
                raise
            except StoreError as error:
                log.error("the store cannot write; trying again", error=str(error))
                await self.clock.sleep(RETRY_SECONDS)

    async def forever(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Keep a part of the engine going, whatever happens in it."""
        while True:
            try:
                await work()
            except Exception as error:
                if isinstance(error, StoreError) and not isinstance(error, StoreRefused):
                    log.error("the store failed", part=name, error=str(error))
                else:
                    log.exception("a part of the engine failed and is started again", part=name)
            await self.clock.sleep(RETRY_SECONDS)

    def later(self, seconds: float) -> datetime:
        """The time of day in so many seconds."""
        return self.clock.now() + timedelta(seconds=seconds)

    def seconds_until(self, moment: datetime) -> float:
        """How long until a time of day; 0 if it is over."""
        return max(0.0, (moment - self.clock.now()).total_seconds())


async def wait_for(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait until the event is set, or for this long; True if it was set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
