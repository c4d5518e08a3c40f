"""The clock of everything in a house."""

from __future__ import annotations

from datetime import UTC, datetime

from remediator.rehearse.time import VirtualClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class LoopClock(VirtualClock):
    """The event loop's own time; it is noon when that is 0."""

    def __init__(self) -> None:
        super().__init__(NOON)
