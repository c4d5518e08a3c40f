"""All Alertmanagers as one: which alerts fire, are muted, or are proven to be gone.

An alert that one of them does not list is only gone if all of them could have listed it. One that
did not answer proves nothing, and neither does one that has just started: it keeps no alerts over
a restart, and learns of them when Prometheus sends them again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from remediator.model.alert import Instant  # noqa: TC001 - pydantic looks it up when it runs
from remediator.model.world import WorldError
from remediator.world.asking import Asker
from remediator.world.base import AlertsSeen, SeenAlert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remediator.clock import Clock
    from remediator.model.words import Json
    from remediator.world.asking import Endpoint

SETTLE = timedelta(minutes=3)
"""How long after its start an Alertmanager proves no absence, by default.

Prometheus sends a firing alert again when its rule is evaluated and the last time was a resend
delay ago: within two minutes with the default settings, and some time on the way.
"""
TIMEOUT = 10.0
_FAILED_MAX_AGE = 2.0
"""Seconds. A look that failed in part is not taken for longer, whatever its caller would accept."""
_LARGE = 200
"""Alerts from which on an answer is read beside the event loop."""
_NO_END = datetime(1, 1, 2, tzinfo=UTC)


class _Told(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class _Receiver(_Told):
    name: str


class _Status(_Told):
    state: Literal["active", "suppressed", "unprocessed"]
    silenced_by: tuple[str, ...] | None = None
    inhibited_by: tuple[str, ...] | None = None


class _Alert(_Told):
    fingerprint: str = Field(pattern=r"^[0-9a-f]{1,64}$")
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: Instant
    updated_at: Instant
    ends_at: Instant
    status: _Status
    receivers: tuple[_Receiver, ...] | None = None
    generator_url: str = Field(alias="generatorURL", default="")


class _Started(_Told):
    uptime: Instant
    """In spite of its name, when it was started."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one Alertmanager said."""

    alerts: tuple[SeenAlert, ...] = ()
    problem: str | None = None
    """Why it proves no absence."""
    answered: bool = False
    """Whether it told of alerts at all."""


class AlertmanagerClients:
    """The configured Alertmanagers. Its face is `Alertmanagers`."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        clock: Clock,
        *,
        settle: timedelta = SETTLE,
        timeout: float = TIMEOUT,
    ) -> None:
        """`settle`: how long after its start one proves no absence. `timeout`: seconds for one answer.

        ValueError if there is none, or an address is of no use.
        """
        if not endpoints:
            raise ValueError("there is no Alertmanager to ask")
        self._askers = [Asker(endpoint, clock, timeout=timeout) for endpoint in endpoints]
        self._clock = clock
        self._settle = settle
        self._last: tuple[float, AlertsSeen] | None = None
        """With the monotonic time at which they were asked."""
        self._under_way: asyncio.Task[None] | None = None

    async def look(self, max_age: timedelta) -> AlertsSeen:
        """See `Alertmanagers.look`. All who ask at once share one answer."""
        called = self._clock.monotonic()
        while True:
            if self._last is not None:
                asked, seen = self._last
                age = (
                    max_age.total_seconds()
                    if seen.complete
                    else min(max_age.total_seconds(), _FAILED_MAX_AGE)
                )
                if asked >= called - age:
                    return seen
            if self._under_way is None or self._under_way.done():
                self._under_way = asyncio.create_task(self._ask_all())
            # Whoever stops waiting must not take the answer away from the others.
            await asyncio.shield(self._under_way)

    async def close(self) -> None:
        """Let go of connections."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait([self._under_way])
        for asker in self._askers:
            await asker.close()

    async def _ask_all(self) -> None:
        at, asked = self._clock.now(), self._clock.monotonic()
        heard = await asyncio.gather(*(self._ask(asker) for asker in self._askers))
        errors = {
            asker.address: one.problem
            for asker, one in zip(self._askers, heard, strict=True)
            if one.problem is not None
        }
        seen = AlertsSeen(
            at=at,
            alerts=_merged(heard),
            complete=not errors,
            errors=errors,
            answered=any(one.answered for one in heard),
        )
        self._last = asked, seen

    async def _ask(self, asker: Asker) -> _Heard:
        try:
            alerts = await asker.get("/api/v2/alerts")
        except WorldError as error:
            return _Heard(problem=_without(asker.address, error))
        now = _date(alerts.headers) or self._clock.now()
        if not isinstance(alerts.told, list):
            return _Heard(problem="its list of alerts is no list")
        if len(alerts.told) >= _LARGE:
            found, unreadable = await asyncio.to_thread(_read_alerts, alerts.told, now)
        else:
            found, unreadable = _read_alerts(alerts.told, now)
        return _Heard(found, unreadable or await self._unsettled(asker), answered=True)

    async def _unsettled(self, asker: Asker) -> str | None:
        """Why it may not have heard of every alert yet. To be asked last, or a restart could slip in."""
        try:
            answer = await asker.get("/api/v2/status")
            started = _Started.model_validate(answer.told).uptime
        except WorldError as error:
            return _without(asker.address, error)
        except ValidationError:
            return "it does not tell when it was started"
        # Its Date has no fraction, so right after the start it may lie before that.
        age = max((_date(answer.headers) or self._clock.now()) - started, timedelta(0))
        if age < self._settle:
            return (
                f"it was started {age.total_seconds():.0f} s ago, and may not have heard of every "
                f"alert before {self._settle.total_seconds():.0f} s"
            )
        return None


def _read_alerts(told: Sequence[Json], now: datetime) -> tuple[tuple[SeenAlert, ...], str | None]:
    """The alerts that can be read and are not over, and what is wrong with the first that cannot."""
    found, problem = [], None
    for position, entry in enumerate(told):
        try:
            alert = _Alert.model_validate(entry)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            problem = problem or f"alert {position} cannot be read: {place}: {first['msg']}"
            continue
        if not _NO_END < alert.ends_at <= now:
            found.append(_seen(alert))
    return tuple(found), problem


def _seen(alert: _Alert) -> SeenAlert:
    return SeenAlert(
        fingerprint=alert.fingerprint,
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        updated_at=alert.updated_at,
        ends_at=alert.ends_at,
        state=alert.status.state,
        silenced_by=alert.status.silenced_by or (),
        inhibited_by=alert.status.inhibited_by or (),
        receivers=tuple(receiver.name for receiver in alert.receivers or ()),
        generator_url=alert.generator_url,
    )


def _merged(heard: Sequence[_Heard]) -> dict[str, SeenAlert]:
    """By fingerprint. Firing wins over muted, then the one heard of last."""
    alerts: dict[str, SeenAlert] = {}
    for one in heard:
        for alert in one.alerts:
            known = alerts.get(alert.fingerprint)
            if known is None or (alert.firing, alert.updated_at) > (known.firing, known.updated_at):
                alerts[alert.fingerprint] = alert
    return alerts


def _without(address: str, error: WorldError) -> str:
    """The error's words; the address stands before them anyway."""
    return str(error).removeprefix(f"{address}: ")


def _date(headers: Mapping[str, str]) -> datetime | None:
    """The server's own clock, to a second."""
    try:
        return parsedate_to_datetime(headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None
