"""Alertmanagers in memory: alerts fire, resolve and are muted, and the webhook's body is made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from remediator.model.alert import Sighting, fingerprint
from remediator.world.base import AlertsSeen, SeenAlert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.clock import Clock

ADDRESS = "http://alertmanager.simulated:9093"
KEPT = timedelta(minutes=5)
"""How far ahead the end of a firing alert is guessed, as Alertmanager's resolve_timeout does."""


class SimulatedAlertmanagers:
    """All Alertmanagers as one, in memory."""

    def __init__(self, clock: Clock, *, receiver: str = "remediator") -> None:
        self.clock = clock
        self.receiver = receiver
        self.unreachable: str | None = None
        """Why no Alertmanager answers; None while they do."""
        self._alerts: dict[str, SeenAlert] = {}
        self._resolved: set[str] = set()

    def fire(self, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> str:
        """An alert fires, or fires on. Returns its fingerprint."""
        mark, now = fingerprint(labels), self.clock.now()
        known = self._alerts.get(mark)
        goes_on = known is not None and mark not in self._resolved
        self._resolved.discard(mark)
        self._alerts[mark] = SeenAlert(
            fingerprint=mark,
            labels=dict(labels),
            annotations=dict(annotations or {}),
            starts_at=known.starts_at if known is not None and goes_on else now,
            updated_at=now,
            ends_at=now + KEPT,
            state=known.state if known is not None else "active",
            silenced_by=known.silenced_by if known is not None else (),
            receivers=(self.receiver,),
        )
        return mark

    def resolve(self, mark: str) -> None:
        """An alert has ended."""
        now = self.clock.now()
        self._alerts[mark] = replace(self._alerts[mark], ends_at=now, updated_at=now)
        self._resolved.add(mark)

    def fires(self, mark: str) -> bool:
        """Whether an alert fires, muted or not."""
        return mark in self._alerts and mark not in self._resolved

    def mute(self, mark: str) -> None:
        """Somebody silences an alert."""
        self._alerts[mark] = replace(self._alerts[mark], state="suppressed", silenced_by=("a silence",))

    def unmute(self, mark: str) -> None:
        """The silence ends."""
        self._alerts[mark] = replace(self._alerts[mark], state="active", silenced_by=())

    def notification(self, *marks: str) -> bytes:
        """The body that Alertmanager would post of these alerts (of all, if none is named)."""
        alerts = [self._alerts[mark] for mark in marks or self._alerts]
        told = [self._told(alert) for alert in alerts]
        firing = any(alert["status"] == "firing" for alert in told)
        body = {
            "version": "4",
            "groupKey": "{}:{}",
            "truncatedAlerts": 0,
            "status": "firing" if firing else "resolved",
            "receiver": self.receiver,
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": ADDRESS,
            "alerts": told,
        }
        return json.dumps(body).encode()

    async def look(self, max_age: timedelta) -> AlertsSeen:
        """Every alert that fires or is muted."""
        now = self.clock.now()
        if self.unreachable is not None:
            errors = {ADDRESS: self.unreachable}
            return AlertsSeen(at=now, alerts={}, complete=False, errors=errors, answered=False)
        # Whoever lets an alert fire need not repeat it: it goes on until it is resolved.
        alive = {mark: alert for mark, alert in self._alerts.items() if mark not in self._resolved}
        return AlertsSeen(at=now, alerts=alive, complete=True)

    async def sighting(self, fingerprint: str, max_age: timedelta) -> Sighting:
        """What is known of one alert."""
        seen = await self.look(max_age)
        alert = seen.alerts.get(fingerprint)
        if not seen.complete:
            return Sighting(fingerprint=fingerprint, state="unknown", at=seen.at, detail=dict(seen.errors))
        if alert is None:
            return Sighting(fingerprint=fingerprint, state="absent", at=seen.at)
        return Sighting(fingerprint=fingerprint, state="firing" if alert.firing else "muted", at=seen.at)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _told(self, alert: SeenAlert) -> dict[str, object]:
        over = alert.fingerprint in self._resolved
        ends_at = alert.ends_at if over else datetime(1, 1, 1, tzinfo=UTC)
        return {
            "status": "resolved" if over else "firing",
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": alert.starts_at.isoformat(),
            "endsAt": ends_at.isoformat(),
            "generatorURL": alert.generator_url,
            "fingerprint": alert.fingerprint,
        }
