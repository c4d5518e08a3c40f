"""A daemon alone, for tests that post the notifications themselves: rules in short, and what is posted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from tests.lab.notification import alert, notification

if TYPE_CHECKING:
    from tests.lab.daemon import Daemon

APP: dict[str, Any] = {"app": {"target": "none"}}
"""A catalogue with one service that has no containers: named commands mend it."""
LONG = {"resolved_within": "60s"}
"""A verification that lasts until the test says that the alert is over."""


def rule(name: str, *steps: dict[str, Any], alertname: str = "Broken", **keys: Any) -> dict[str, Any]:
    """A rule for alerts of one name; without a `service` the alert's label names it."""
    return {"name": name, "match": [f'alertname="{alertname}"'], "severity": "P1", "steps": [*steps], **keys}


def command(name: str, **verify: Any) -> dict[str, Any]:
    """A step that runs a named command."""
    return {"command": name, "verify": dict(verify or LONG)}


def rules(*entries: dict[str, Any]) -> str:
    """A rule file."""
    return yaml.safe_dump({"groups": [{"name": "lab", "rules": [*entries]}]}, sort_keys=False)


def fire(daemon: Daemon, alertname: str = "Broken", **labels: str) -> None:
    """Tell the daemon that an alert fires, about the service `app` if no other is named."""
    _post(daemon, alert(alertname, **{"service": "app", **labels}))


def resolve(daemon: Daemon, alertname: str = "Broken", **labels: str) -> None:
    """Tell the daemon that the alert is over."""
    _post(daemon, alert(alertname, resolved=True, **{"service": "app", **labels}))


def _post(daemon: Daemon, *alerts: dict[str, Any]) -> None:
    answer = daemon.notify(notification(*alerts))
    assert answer.ok, answer
