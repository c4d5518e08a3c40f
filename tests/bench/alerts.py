"""Notifications as Alertmanager writes them, many at a time: realistic in size, and numbered."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

ZERO_TIME = "0001-01-01T00:00:00Z"


class Kind(StrEnum):
    """What the daemon will make of an alert."""

    UNMATCHED = "unmatched"
    """No rule matches: an incident is opened, nobody acts."""
    COMMAND = "command"
    """A rule matches and runs a named command for the alert's service."""


STARTS_AT = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
"""When all alerts of a bench began: told again, an alert has the start that it had before."""


def notifications(
    kind: Kind,
    count: int,
    size: int,
    *,
    first: int = 0,
    distinct: int | None = None,
    starts_at: str = STARTS_AT,
) -> Iterator[bytes]:
    """`count` bodies of `size` alerts, numbered from `first`; over again after `distinct` alerts."""
    for index in range(count):
        numbers = range(first + index * size, first + (index + 1) * size)
        if distinct is not None:
            numbers = range(first + index * size % distinct, first + index * size % distinct + size)
        yield notification([alert(kind, number, starts_at) for number in numbers])


def service_name(number: int) -> str:
    """The catalogue's name for the service of the alert with this number."""
    return f"svc-{number:06}"


def alert(kind: Kind, number: int, starts_at: str) -> dict[str, Any]:
    """One firing alert of a service of its own."""
    labels = {
        "alertname": f"Bench{kind.value.capitalize()}",
        "cluster": "bench",
        "instance": f"10.0.{number // 250 % 250}.{number % 250}:8000",
        "job": "bench",
        "service": service_name(number),
        "severity": "warning",
    }
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {
            "summary": f"{labels['instance']} answers too many requests with an error",
            "description": "More than 5% of the requests of the last five minutes failed: 7.31% now.",
            "runbook_url": "https://runbooks.example.com/high-error-rate",
        },
        "startsAt": starts_at,
        "endsAt": ZERO_TIME,
        "generatorURL": "http://prometheus.example.com:9090/graph?g0.expr=job%3Aerrors%3Arate5m+%3E+0.05&g0.tab=1",
        "fingerprint": hashlib.sha256(f"{kind}{number}".encode()).hexdigest()[:16],
    }


def notification(alerts: list[dict[str, Any]]) -> bytes:
    """A webhook body of version 4 around these alerts."""
    body = {
        "receiver": "remediator",
        "status": "firing",
        "alerts": alerts,
        "groupLabels": {"job": "bench"},
        "commonLabels": {"cluster": "bench", "job": "bench", "severity": "warning"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com:9093",
        "version": "4",
        "groupKey": '{}:{job="bench"}',
        "truncatedAlerts": 0,
    }
    return json.dumps(body, separators=(",", ":")).encode()
