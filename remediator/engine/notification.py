"""Reads the body of a notification; an alert that cannot be read costs only itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pydantic_core
from pydantic import ValidationError

from remediator.model.alert import Alert
from remediator.model.plan import canonical

SHOWN = 65_536
"""Characters of an unreadable alert that are kept beside the raw body."""


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


def read_notification(body: bytes) -> Read:
    """The alerts of a webhook body; those that cannot be read apart. Never raises for what is in it."""
    read = Read()
    try:
        root = pydantic_core.from_json(body)
        alerts = root["alerts"]
        read.truncated = _count(root.get("truncatedAlerts"))
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


def _count(value: Any) -> int:
    """How many alerts the sender left out. It is only told on, so nonsense here costs no alert."""
    return value if isinstance(value, int) and 0 <= value < 2**63 else 0


def _shown(raw: Any) -> str:
    return canonical(raw)[:SHOWN]
