"""Holds the state against Alertmanager's API, at the start and from time to time.

Webhooks get lost while the daemon is down, and a muted alert's end is never posted. What is firing
there and unknown here is taken in; what is open here and proven to be absent there is closed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from remediator.decide.intake import LOST, RECONCILE, close_episodes
from remediator.model.alert import Alert, Episode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from datetime import datetime

    from remediator.decide.draft import Draft
    from remediator.engine.core import Core
    from remediator.engine.intake import Intake
    from remediator.store import Transaction
    from remediator.world.base import AlertsSeen, SeenAlert

RETRY = timedelta(seconds=3)
"""Until Alertmanager has answered once since the start, for nothing is done before."""

LOOK_FOR_LOST = timedelta(minutes=5)
"""Between two looks for alerts that nobody tells of any more."""

PIECE = 100
"""Episodes closed in one transaction."""

log = structlog.get_logger(__name__)


class Reconciler:
    """The task that asks and compares."""

    def __init__(self, core: Core, intake: Intake, ready: asyncio.Event) -> None:
        self._core = core
        self._intake = intake
        self._ready = ready
        """Set once the state has been held against Alertmanager since the start."""
        self._failing: dict[str, str] = {}

    async def run(self) -> None:
        """Compare for ever; without an Alertmanager to ask, what was posted is all that can be caught up."""
        core = self._core
        if core.world.alerts is None:
            await self._intake.caught_up.wait()
            self._ready.set()
            while True:
                await core.clock.sleep(LOOK_FOR_LOST.total_seconds())
                await self._close_lost()
        while True:
            await self.once()
            pause = core.setup.reconcile_interval if core.reconciled else RETRY
            await core.clock.sleep(pause.total_seconds())

    async def once(self) -> None:
        """Ask now and compare."""
        core = self._core
        if core.world.alerts is None:
            return
        seen = await core.world.alerts.look(timedelta(0))
        self._tell_errors(seen)
        opened = await self._take_in(seen)
        closed = await self._close_absent(seen) if seen.complete else 0
        core.metrics.reconciles.labels("ok" if seen.complete else "failed").inc()
        first = seen.answered and not core.reconciled
        if first or opened or closed:
            await self._record(first, opened, closed, seen)
        if first:
            core.reconciled = True
            self._ready.set()

    async def _take_in(self, seen: AlertsSeen) -> int:
        core = self._core
        known = core.alarms.firing()
        unknown: list[Alert] = []
        for alert in seen.alerts.values():
            if not alert.firing or not self._is_ours(alert):
                continue
            core.alarms.heard(alert.fingerprint, seen.at)
            if alert.fingerprint not in known:
                unknown.append(_as_posted(alert))
        return await self._intake.take_in(unknown, seen.at) if unknown else 0

    async def _close_absent(self, seen: AlertsSeen) -> int:
        gone = [fp for fp in self._unheard_since(seen.at) if fp not in seen.alerts]
        return await self._close(gone, seen.at, by=RECONCILE)

    async def _close_lost(self) -> None:
        """Without an API: end what nobody has told of for so long that nobody can know whether it fires.

        A repeat that was not heard because the daemon was down does not count against an alert.
        """
        core = self._core
        before = core.clock.now() - core.setup.lost_after
        if core.started_at >= before:
            return
        async with self._intake.deciding:  # so that no repeat of one of them is under way
            lost = await self._close(self._unheard_since(before), before, by=LOST)
        if lost:
            log.warning("alerts were not heard of any more, and count as lost", alerts=lost)

    def _unheard_since(self, moment: datetime) -> list[str]:
        """What is open and was last heard of before that moment, by fingerprint."""
        alarms = self._core.alarms
        return [fp for fp, entry in alarms.firing().items() if self._last_heard(fp, entry.opened_at) < moment]

    def _last_heard(self, fingerprint: str, opened_at: datetime) -> datetime:
        return max(opened_at, self._core.alarms.last_heard(fingerprint) or opened_at)

    async def _close(self, fingerprints: Sequence[str], before: datetime, *, by: str) -> int:
        """Close those that still were not heard of at that moment; returns how many."""
        core, closed = self._core, 0
        policy = core.setup.policy

        def decision(draft: Draft, _: Transaction) -> int:
            gone = [
                (episode, before if by == RECONCILE else heard)
                for episode in draft.snapshot.all(Episode)
                if episode.firing
                and episode.fingerprint in piece
                and (heard := self._last_heard(episode.fingerprint, episode.opened_at)) < before
            ]
            close_episodes(draft, gone, policy, by=by)
            return len(gone)

        for begin in range(0, len(fingerprints), PIECE):
            piece = frozenset(fingerprints[begin : begin + PIECE])
            closed += await core.decide(decision, fingerprints=piece)
        return closed

    async def _record(self, first: bool, opened: int, closed: int, seen: AlertsSeen) -> None:
        def decision(draft: Draft, _: Transaction) -> None:
            draft.record(
                "alerts.reconciled",
                incident=None,
                first=first,
                opened=opened,
                closed=closed,
                seen=len(seen.alerts),
                complete=seen.complete,
                errors=dict(seen.errors),
            )

        await self._core.decide(decision)

    def _is_ours(self, alert: SeenAlert) -> bool:
        receiver = self._core.setup.receiver
        return receiver is None or receiver in alert.receivers

    def _tell_errors(self, seen: AlertsSeen) -> None:
        """Log what changed, not the same failure every half minute."""
        errors = dict(seen.errors)
        for address, error in errors.items():
            if self._failing.get(address) != error:
                log.warning("Alertmanager's answer is missing or incomplete", address=address, error=error)
        for address in self._failing.keys() - errors.keys():
            log.info("Alertmanager answers again", address=address)
        self._failing = errors


def _as_posted(alert: SeenAlert) -> Alert:
    """An alert of the API in the form that a webhook would have given it."""
    return Alert.model_construct(
        status="firing",
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
        generator_url=alert.generator_url,
        fingerprint=alert.fingerprint,
    )
