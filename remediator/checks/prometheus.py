"""The checks `query` and `active_alerts`: what Prometheus knows of a service, and how that went lately."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from remediator.checks.base import Look
from remediator.checks.sparkline import sparkline
from remediator.checks.texts import table
from remediator.model.duration import Duration, format_duration
from remediator.model.params import Params
from remediator.model.text import counted, harmless
from remediator.model.world import Finding, WorldError
from remediator.world.output import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from remediator.model.service import Service
    from remediator.model.words import Json
    from remediator.world.base import PromAlert, Prometheus, Sample, Series, World

MAX_SERIES = 20
"""Shown and kept; more are only counted."""
MAX_ALERTS = 50
"""Shown; of so many as of series the labels go into the record."""
WIDTH = 60
"""Marks of a sparkline, and so the points that are asked for."""
CELL = 300

_NO_PROMETHEUS = "no `prometheus` is configured"


class QueryParams(Params):
    """Parameters of the check `query`."""

    expr: str = Field(min_length=1, max_length=10_000, description="A PromQL expression.")
    range: Duration = Field(
        default=timedelta(hours=1),
        ge=timedelta(0),
        le=timedelta(days=31),
        description="How far back its values are drawn; `0` draws none.",
    )


class QueryLook(Look[QueryParams]):
    """Ask Prometheus."""

    name = "query"
    params = QueryParams
    needs_containers = False

    async def see(self, service: Service, params: QueryParams, world: World) -> Finding:
        """Well is: there is an answer; whether it is a good one is for people to say."""
        if world.prometheus is None:
            return self.cannot_tell(_NO_PROMETHEUS)
        samples = await world.prometheus.query(params.expr)
        shown, expr = samples[:MAX_SERIES], harmless(" ".join(params.expr.split()), limit=CELL)
        drawn = await _drawn(world.prometheus, params, world.clock.now())
        text = [expr, *drawn.head, *_lines(shown, drawn)]
        if len(samples) > len(shown):
            text.append(f"[... {len(samples) - len(shown)} more series ...]")
        values = ", ".join(_number(sample.value) for sample in shown[:3])
        more = f", and {len(samples) - 3} more series" if len(samples) > 3 else ""
        return Finding(
            check=self.name,
            ok=True,
            summary=f"{harmless(expr, limit=100)}: {values or 'no series'}{more}",
            text="\n".join(text),
            facts={
                "expr": expr,
                "count": len(samples),
                "series": [
                    {"labels": _shown(sample.labels), "value": _json(sample.value)} for sample in shown
                ],
            },
        )


class _Drawn:
    """The values of an expression over time; or none, and why."""

    def __init__(self, head: Sequence[str], begin: float = 0, end: float = 0) -> None:
        self.head = [*head]
        self.begin, self.end = begin, end
        self.series: dict[frozenset[tuple[str, str]], Series] = {}


async def _drawn(prometheus: Prometheus, params: QueryParams, now: datetime) -> _Drawn:
    if not params.range:
        return _Drawn([])
    end, seconds = now.timestamp(), params.range.total_seconds()
    step = max(seconds / WIDTH, 1.0)
    try:
        found = await prometheus.query_range(params.expr, end - seconds, end, step)
    except WorldError as error:
        # What was is less than what is: the value now is told all the same.
        return _Drawn([f"How it was cannot be told: {harmless(str(error), limit=CELL)}"])
    since = (now - params.range).isoformat(timespec="seconds")
    drawn = _Drawn([f"The last {format_duration(params.range)}, since {since}"], end - seconds, end)
    drawn.series = {frozenset(series.labels.items()): series for series in found}
    return drawn


def _lines(samples: Sequence[Sample], drawn: _Drawn) -> Iterator[str]:
    left = dict(drawn.series)
    for sample in samples:
        yield ""
        yield f"{_labelled(sample.labels)}  now {_number(sample.value)}"
        series = left.pop(frozenset(sample.labels.items()), None)
        if series is not None:
            yield from _line(series, drawn)
    # What is gone by now may be what is wrong.
    for series in list(left.values())[: MAX_SERIES - len(samples)]:
        yield ""
        yield f"{_labelled(series.labels)}  gone now"
        yield from _line(series, drawn)


def _line(series: Series, drawn: _Drawn) -> Iterator[str]:
    there = [value for _, value in series.samples if math.isfinite(value)]
    if there:
        yield f"{sparkline(series.samples, drawn.begin, drawn.end, WIDTH)}|"
        yield f"min {_number(min(there))}, max {_number(max(there))}"


def _labelled(labels: Mapping[str, str]) -> str:
    pairs = ", ".join(f'{name}="{value}"' for name, value in _shown(labels).items() if name != "__name__")
    return f"{_shown(labels).get('__name__', '')}{{{pairs}}}"


def _shown(labels: Mapping[str, str]) -> dict[str, str]:
    return {harmless(name): harmless(redact(value), limit=CELL) for name, value in sorted(labels.items())}


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "NaN" if math.isnan(value) else f"{value:+}".title()


def _json(value: float) -> Json:
    """JSON has no word for what is not finite."""
    return value if math.isfinite(value) else _number(value)


NAMING = ("service", "job", "container", "name", "container_label_com_docker_compose_service")
"""Labels that say which service an alert is about, where the rule names none."""


class ActiveAlertsParams(Params):
    """Parameters of the check `active_alerts`."""

    labels: dict[str, str] = Field(
        default={}, max_length=20, description="Labels that an alert must have, with these values."
    )


class ActiveAlertsLook(Look[ActiveAlertsParams]):
    """Look at the alerts that Prometheus itself has now, before Alertmanager."""

    name = "active_alerts"
    params = ActiveAlertsParams
    needs_containers = False

    async def see(self, service: Service, params: ActiveAlertsParams, world: World) -> Finding:
        """Well is: none fires."""
        if world.prometheus is None:
            return self.cannot_tell(_NO_PROMETHEUS)
        alerts = [
            alert for alert in await world.prometheus.alerts() if _concerns(alert, service, params.labels)
        ]
        alerts.sort(key=lambda alert: (alert.state != "firing", alert.active_at))
        shown = alerts[:MAX_ALERTS]
        left = f"\n[... {counted(len(alerts) - len(shown), 'more alert')} ...]"
        return Finding(
            check=self.name,
            ok=not any(alert.state == "firing" for alert in alerts),
            summary=_summary(alerts),
            text=table(("STATE", "SINCE", "ALERT", "VALUE", "LABELS"), map(_row, shown))
            + (left if len(alerts) > len(shown) else "")
            if shown
            else "",
            facts={"alerts": [_facts(alert) for alert in shown[:MAX_SERIES]], "count": len(alerts)},
        )


def _concerns(alert: PromAlert, service: Service, labels: Mapping[str, str]) -> bool:
    if labels:
        return labels.items() <= alert.labels.items()
    names = {service.name, service.target.name} - {""}
    return any(alert.labels.get(label) in names for label in NAMING)


def _summary(alerts: Sequence[PromAlert]) -> str:
    if not alerts:
        return "no alert is active"
    states = Counter(alert.state for alert in alerts)
    names = list(dict.fromkeys(_shown(alert.labels).get("alertname", "?") for alert in alerts))
    more = ", ..." if len(names) > 5 else ""
    return f"{', '.join(f'{n} {state}' for state, n in states.items())}: {', '.join(names[:5])}{more}"


def _row(alert: PromAlert) -> tuple[str, ...]:
    labels = {name: value for name, value in alert.labels.items() if name != "alertname"}
    return (
        alert.state,
        alert.active_at.astimezone(UTC).isoformat(timespec="seconds"),
        _shown(alert.labels).get("alertname", "?"),
        harmless(alert.value, limit=40),
        _labelled(labels),
    )


def _facts(alert: PromAlert) -> dict[str, Json]:
    return {
        "state": alert.state,
        "since": alert.active_at.isoformat(),
        "labels": {**_shown(alert.labels)},
        "value": harmless(alert.value, limit=40),
    }
