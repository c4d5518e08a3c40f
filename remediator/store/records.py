"""What the store gives out beside the model's entities."""

from dataclasses import dataclass, field
from datetime import datetime

from remediator.model.words import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A webhook body as it came."""

    id: int
    received_at: datetime
    source: str
    """Who posted it."""
    body: bytes
    sha256: str
    """Of the body, in hex; for the event that tells of the notification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """An alert that could not be read."""

    id: int
    notification_id: int
    position: int
    """Place in the notification's list of alerts, from 0."""
    raw: str
    error: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much of everything there is at one moment."""

    incidents_open: dict[Severity, int] = field(default_factory=dict)
    """Only severities that have some."""
    approvals_pending: int = 0
    notifications_pending: int = 0
    """Committed, but not yet processed."""
    oldest_message: datetime | None = None
    """When the oldest message that still waits was made; None when none waits."""
