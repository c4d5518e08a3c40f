"""Fires what is due at a time of day.

Timers live in the store, so a restart neither loses nor repeats one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from remediator.decide import asking
from remediator.engine.core import wait_for
from remediator.model.run import Approval, Timer

if TYPE_CHECKING:
    from remediator.decide.draft import Draft
    from remediator.engine.core import Core
    from remediator.model.event import Event
    from remediator.store import Transaction

LONGEST_SLEEP = 60.0
"""Seconds. The machine's clock may be set meanwhile."""

log = structlog.get_logger(__name__)


class Timers:
    """The task that waits for the next timer."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._wake = asyncio.Event()

    def observe(self, event: Event) -> None:
        """Follow a committed event: a new timer may be due before all others."""
        if any(isinstance(entity, Timer) for entity in event.puts):
            self._wake.set()

    async def run(self) -> None:
        """Fire timers for ever."""
        core = self._core
        while True:
            self._wake.clear()
            for timer in await core.store.read(lambda reader: reader.due_timers(core.clock.now())):
                await self._fire(timer)
            coming = await core.store.read(lambda reader: reader.next_timer())
            seconds = LONGEST_SLEEP if coming is None else min(core.seconds_until(coming), LONGEST_SLEEP)
            await wait_for(self._wake, seconds)

    async def _fire(self, timer: Timer) -> None:
        kind, _, number = timer.key.partition(":")
        approval = (
            await self._core.store.read(lambda reader: reader.get(Approval, int(number)))
            if kind == "approval"
            else None
        )
        if approval is None:
            log.error("a timer for nothing is dropped", timer=timer.key)
            await self._core.decide(lambda draft, _: _drop(draft, timer))
            return
        policy = self._core.setup.policy
        wanted = approval.id

        def decision(draft: Draft, _: Transaction) -> None:
            asking.expire(draft, draft.snapshot.get(Approval, wanted), policy)

        await self._core.decide(decision, runs=[approval.run_id])


def _drop(draft: Draft, timer: Timer) -> None:
    draft.record("timer.dropped", incident=None, deletes=(timer,), timer=timer.key)
