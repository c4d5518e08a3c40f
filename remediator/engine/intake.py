"""From a committed notification to episodes, incidents and runs.

A notification is acknowledged once its raw body is on disk; what it says is decided afterwards, in
pieces, so that a body of ten thousand alerts never keeps another one from being acknowledged. A
piece that is decided about twice changes nothing the second time, so a crash in between is harmless.
What only repeats what is known, as most alerts do, is heard, counted, and not decided about at all.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from remediator.decide.intake import correlation_key, take_in
from remediator.engine.face import Busy, Draining, StoreFailed
from remediator.engine.notification import SHOWN, Read, Unreadable, read_notification
from remediator.store import Notification, StoreBusy, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from remediator.decide.draft import Draft
    from remediator.engine.alarms import Alarms
    from remediator.engine.core import Core
    from remediator.model.alert import Alert
    from remediator.model.rule import Rule
    from remediator.store import Transaction

ACTOR = "alertmanager"
PIECE = 25
"""Alerts decided about in one transaction."""
PRESSED_PIECE = 5
"""The same while notifications come in, whose commits wait for the transaction."""
LARGE = 100_000
"""Bytes of body from which on it is read on another thread, so that the event loop goes on."""
GROUP = 32_000
"""Bytes of bodies that are decided about together, so that a storm of small ones costs less."""
BEHIND = 16
"""Notifications that are read back from the store at once."""
YIELD = 12.0
"""While notifications come in, so much longer than a piece took is waited before the next."""
LONGEST_YIELD = 0.25
"""Seconds."""
LAG = timedelta(seconds=5)
"""A notification that has waited for this long waits for nobody any more."""
KEPT = 16_000_000
"""Bytes of bodies that wait in memory; what comes beyond that is read back from the store."""

log = structlog.get_logger(__name__)


class Intake:
    """Takes notifications in, and decides what they mean."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._queue: deque[Notification] = deque()
        self._kept = 0
        self._left_behind = 1
        """Notifications that are only in the store; at the start there may be some from before."""
        self._arrived = 0
        """Notifications since the start."""
        self._begun = 0
        """The highest number of a notification that was begun with."""
        self._pressed = False
        """Whether notifications came in while the last piece was decided about."""
        self._wake = asyncio.Event()
        self._wake.set()
        self.deciding = asyncio.Lock()
        """Held from when a notification is heard until it is decided about."""
        self.caught_up = asyncio.Event()
        """Set once all that was received before the start is decided about."""

    async def receive(self, body: bytes, source: str) -> int:
        """Commit a raw notification; see `Desk.receive`."""
        core = self._core
        if core.draining:
            raise Draining("the daemon is stopping; send it again")
        at = core.clock.now()
        self._arrived += 1
        try:
            number = await core.store.add_notification(body, source)
        except StoreBusy as error:
            raise Busy(f"{error}; send it again") from None
        except StoreError as error:
            raise StoreFailed(f"the notification could not be stored: {error}; send it again") from None
        # One that was begun with may have been read back before we heard that it is there: the store knows.
        if number <= self._begun or self._left_behind or self._kept + len(body) > KEPT:
            self._left_behind += 1
        else:
            self._kept += len(body)
            digest = hashlib.sha256(body).hexdigest()
            self._queue.append(
                Notification(id=number, received_at=at, source=source, body=body, sha256=digest)
            )
        self._wake.set()
        return number

    async def run(self) -> None:
        """Decide about what was received, for ever."""
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while group := await self._next_group():
                if group[0].received_at >= self._core.started_at:
                    self.caught_up.set()
                async with self.deciding:
                    await self._decide(group)
            self.caught_up.set()

    async def _next_group(self) -> list[Notification]:
        """The oldest notifications that wait, few or small enough to be decided about together."""
        group: list[Notification] = []
        room = GROUP
        while self._queue and (not group or len(self._queue[0].body) <= room):
            notification = self._queue.popleft()
            self._kept -= len(notification.body)
            room -= len(notification.body)
            group.append(notification)
        while not group and (behind := self._left_behind):
            group = await self._core.store.read(lambda reader: reader.pending_notifications(BEHIND))
            if not group and self._left_behind == behind:
                self._left_behind = 0
        if group:
            self._begun = max(self._begun, group[-1].id)
        return group

    async def _decide(self, group: list[Notification]) -> None:
        bodies = [notification.body for notification in group]
        large = sum(map(len, bodies)) > LARGE
        # Not insist(): what was decided in pieces must not be begun anew because of the last of them.
        try:
            reads = await asyncio.to_thread(_read_all, bodies) if large else _read_all(bodies)
            await self._decide_about([_Closing(*pair) for pair in zip(group, reads, strict=True)])
        except Exception as error:
            log.exception("a notification cannot be decided about", notifications=[n.id for n in group])
            if len(group) > 1:
                for notification in group:
                    await self._decide([notification])
            else:
                await self._set_aside(group[0], error)

    async def _decide_about(self, closings: list[_Closing]) -> None:
        core = self._core
        oldest = closings[0].notification.received_at
        for closing in closings:
            closing.hear(core.alarms)
        told = [alert for closing in closings for alert in closing.read.alerts]
        alerts = [alert for alert in told if not core.alarms.repeats(alert)]
        start, last = 0, False
        while not last:
            end = start + (PRESSED_PIECE if self._pressed else PIECE)
            last = end >= len(alerts)
            arrived, begun = self._arrived, core.clock.monotonic()
            await self._piece(alerts[start:end], closings if last else [])
            start = end
            self._pressed = self._arrived != arrived
            if self._pressed and core.clock.now() - oldest < LAG:
                # In a storm, what is not on disk yet comes first; what is can be decided about later.
                spent = core.clock.monotonic() - begun
                await core.clock.sleep(min(spent * YIELD, LONGEST_YIELD))

    async def _set_aside(self, notification: Notification, error: Exception) -> None:
        """A fault of ours about one notification must not keep the others waiting; people are told."""
        told = f"{type(error).__name__}: {error}"[:500]
        raw = notification.body[:SHOWN].decode(errors="replace")
        read = Read(unreadable=[Unreadable(0, raw, f"a fault of the daemon: {told}")])
        await self._piece([], [_Closing(notification, read)])

    async def take_in(self, alerts: Sequence[Alert], seen_at: datetime) -> int:
        """Take in alerts that the API told of when it was asked; returns how many were not known."""
        opened = 0
        for piece in _pieces(alerts):
            opened += (await self._piece(piece, [], seen_at)).count("opened")
        return opened

    async def _piece(
        self, alerts: Sequence[Alert], closings: list[_Closing], seen_at: datetime | None = None
    ) -> list[str]:
        core = self._core
        rules, policy = core.setup.rules, core.setup.policy
        matched: list[tuple[Alert, Rule | None]] = []
        for alert in alerts:
            found = rules.match(alert.labels)
            matched.append((alert, found.rule if found else None))

        def decision(draft: Draft, transaction: Transaction) -> list[str]:
            outcomes = [take_in(draft, alert, rule, policy, seen_at=seen_at) for alert, rule in matched]
            for closing in closings:
                closing.write(draft, transaction, policy.channels)
            return outcomes

        fingerprints = {alert.fingerprint for alert in alerts}
        keys = {correlation_key(alert, rule) for alert, rule in matched}
        outcomes = await core.insist(
            lambda: core.decide(decision, actor=ACTOR, fingerprints=fingerprints, keys=keys)
        )
        core.alarms.forget_over(fingerprints)
        return outcomes


@dataclass(frozen=True, slots=True)
class _Closing:
    """What is written with the last piece of a notification."""

    notification: Notification
    read: Read

    def hear(self, alarms: Alarms) -> None:
        """Remember when its alerts were said to fire."""
        for alert in self.read.alerts:
            if alert.firing:
                alarms.heard(alert.fingerprint, self.notification.received_at)

    def write(self, draft: Draft, transaction: Transaction, channels: tuple[str, ...]) -> None:
        unreadable, alerts = self.read.unreadable, self.read.alerts
        number = self.notification.id
        firing = sum(alert.firing for alert in alerts)
        messages = (
            draft.messages(
                channels,
                "quarantined",
                incident=None,
                notification=number,
                alerts=len(unreadable),
                error=unreadable[0].error,
            )
            if unreadable
            else ()
        )
        draft.record(
            "notification.taken_in",
            incident=None,
            puts=messages,
            notification=number,
            sha256=self.notification.sha256,
            alerts_firing=firing,
            alerts_resolved=len(alerts) - firing,
            quarantined=len(unreadable),
            truncated=self.read.truncated,
            source=self.notification.source,
        )
        transaction.mark_processed(number)
        for alert in unreadable:
            transaction.add_quarantine(number, alert.position, alert.raw, alert.error)


def _read_all(bodies: list[bytes]) -> list[Read]:
    return [read_notification(body) for body in bodies]


def _pieces(alerts: Sequence[Alert]) -> Iterator[Sequence[Alert]]:
    for begin in range(0, len(alerts), PIECE):
        yield alerts[begin : begin + PIECE]
