"""From a committed notification to episodes, incidents and runs.

A notification is acknowledged once its raw body is on disk; what it says is decided afterwards, in
pieces, so that a body of ten thousand alerts never keeps another one from being acknowledged. A
piece that is decided about twice changes nothing the second time, so a crash in between is harmless.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pydantic_core
import structlog
from pydantic import ValidationError

from remediator.decide.intake import RECONCILE, WEBHOOK, correlation_key, take_in
from remediator.engine.core import RETRY_SECONDS
from remediator.engine.face import Busy, Draining, StoreFailed
from remediator.model.alert import Alert
from remediator.model.plan import canonical
from remediator.store import Notification, StoreBusy, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from remediator.decide.draft import Draft
    from remediator.engine.core import Core
    from remediator.model.rule import Rule
    from remediator.store import Transaction

ACTOR = "alertmanager"
PIECE = 25
"""Alerts decided about in one transaction."""
LARGE = 100_000
"""Bytes of body from which on it is read on another thread, so that the event loop goes on."""
KEPT = 16_000_000
"""Bytes of bodies that wait in memory; what comes beyond that is read back from the store."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An alert of a readable body that cannot be read itself."""

    position: int
    raw: str
    error: str


@dataclass(slots=True)
class Read:
    """A body, read."""

    alerts: list[Alert] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    truncated: int = 0
    group: str = ""


def read_notification(body: bytes) -> Read:
    """The alerts of a webhook body; those that cannot be read apart. Never raises for what is in it."""
    read = Read()
    try:
        root = pydantic_core.from_json(body)
        alerts = root["alerts"]
        read.truncated = int(root.get("truncatedAlerts") or 0)
        read.group = str(root.get("groupKey", ""))
        if not isinstance(alerts, list):
            raise TypeError("alerts is not a list")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # The receiver refuses such bodies, so this is only for what an older version let through.
        read.unreadable.append(Unreadable(0, body[:4096].decode(errors="replace"), str(error)[:500]))
        return read
    for position, raw in enumerate(alerts):
        try:
            read.alerts.append(Alert.model_validate(raw))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
            read.unreadable.append(Unreadable(position, _shown(raw), told))
    return read


def _shown(raw: Any) -> str:
    return canonical(raw)[:65_536]


class Intake:
    """Takes notifications in, and decides what they mean."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._queue: deque[Notification] = deque()
        self._kept = 0
        self._left_behind = 1
        """Notifications that are only in the store; at the start there may be some from before."""
        self._wake = asyncio.Event()
        self._wake.set()

    async def receive(self, body: bytes, source: str) -> int:
        """Commit a raw notification; see `Desk.receive`."""
        core = self._core
        if core.draining:
            raise Draining("the daemon is stopping; send it again")
        at = core.clock.now()
        try:
            number = await core.store.add_notification(body, source)
        except StoreBusy as error:
            raise Busy(f"{error}; send it again") from None
        except StoreError as error:
            raise StoreFailed(f"the notification could not be stored: {error}; send it again") from None
        if self._left_behind or self._kept + len(body) > KEPT:
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
        while True:
            await self._wake.wait()
            self._wake.clear()
            while await self._next():
                pass

    async def _next(self) -> bool:
        """Decide about the next notification; False when none waits."""
        if self._queue:
            notification = self._queue.popleft()
            self._kept -= len(notification.body)
            await self._decide(notification)
            return True
        behind = self._left_behind
        if not behind:
            return False
        waiting = await self._core.store.read(lambda reader: reader.pending_notifications(16))
        for notification in waiting:
            await self._decide(notification)
        if not waiting and self._left_behind == behind:
            self._left_behind = 0
        return True

    async def _decide(self, notification: Notification) -> None:
        body = notification.body
        read = (
            await asyncio.to_thread(read_notification, body) if len(body) > LARGE else read_notification(body)
        )
        # Not insist(): the notification is on disk, and a failure must not lose its place in the order.
        while True:
            try:
                await self._decide_about(notification, read)
                return
            except StoreError as error:
                log.error("notifications wait for the store", error=str(error))
                await self._core.clock.sleep(RETRY_SECONDS)

    async def _decide_about(self, notification: Notification, read: Read) -> None:
        core = self._core
        if core.world.alerts is not None:
            for alert in read.alerts:
                if alert.firing:
                    core.alarms.heard(alert.fingerprint, notification.received_at)
        pieces = list(_pieces(read.alerts)) or [[]]
        for number, piece in enumerate(pieces, 1):
            last = number == len(pieces)
            await self._piece(piece, WEBHOOK, _Closing(notification, read) if last else None)

    async def take_in(self, alerts: Sequence[Alert]) -> int:
        """Take in alerts that the API tells of; returns how many were not known."""
        opened = 0
        for piece in _pieces(alerts):
            opened += (await self._piece(piece, RECONCILE, None)).count("opened")
        return opened

    async def _piece(self, alerts: Sequence[Alert], source: str, closing: _Closing | None) -> list[str]:
        core = self._core
        rules, policy = core.setup.rules, core.setup.policy
        matched: list[tuple[Alert, Rule | None]] = []
        for alert in alerts:
            found = rules.match(alert.labels)
            matched.append((alert, found.rule if found else None))

        def decision(draft: Draft, transaction: Transaction) -> list[str]:
            outcomes = [take_in(draft, alert, rule, policy, source=source) for alert, rule in matched]
            if closing is not None:
                closing.write(draft, transaction, policy.channels)
            return outcomes

        return await core.decide(
            decision,
            actor=ACTOR,
            fingerprints=[alert.fingerprint for alert in alerts],
            keys={correlation_key(alert, rule) for alert, rule in matched},
        )


@dataclass(frozen=True, slots=True)
class _Closing:
    """What is written with the last piece of a notification."""

    notification: Notification
    read: Read

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


def _pieces(alerts: Sequence[Alert]) -> Iterator[Sequence[Alert]]:
    for begin in range(0, len(alerts), PIECE):
        yield alerts[begin : begin + PIECE]
