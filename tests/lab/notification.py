"""Notifications as Alertmanager writes them, for tests that post by themselves."""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any

ZERO_TIME = "0001-01-01T00:00:00Z"
Alert = dict[str, Any]


def alert(
    alertname: str,
    *,
    resolved: bool = False,
    starts_at: datetime.datetime | None = None,
    ends_at: datetime.datetime | None = None,
    annotations: dict[str, str] | None = None,
    **labels: str,
) -> Alert:
    """One alert with these labels. Its fingerprint follows from the labels, so that a repeat has the same."""
    now = datetime.datetime.now(datetime.UTC)
    having = {"alertname": alertname, **labels}
    return {
        "status": "resolved" if resolved else "firing",
        "labels": having,
        "annotations": annotations or {},
        "startsAt": (starts_at or now).isoformat(),
        "endsAt": (ends_at or now).isoformat() if resolved else ZERO_TIME,
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": hashlib.sha256(json.dumps(having, sort_keys=True).encode()).hexdigest()[:16],
    }


def notification(*alerts: Alert, truncated: int = 0, **fields: Any) -> dict[str, Any]:
    """A webhook body of version 4 around these alerts; *fields* replace or add to its own."""
    firing = any(one.get("status") == "firing" for one in alerts)
    return {
        "version": "4",
        "groupKey": '{}:{alertname="lab"}',
        "truncatedAlerts": truncated,
        "status": "firing" if firing else "resolved",
        "receiver": "remediator",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": list(alerts),
        **fields,
    }
