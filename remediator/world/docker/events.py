"""What an engine's history holds, kept for longer than the engine itself remembers.

An engine keeps a few hundred events, and health checks use them up within a minute or so. So we
subscribe, and join what was received with what the engine still knows, saying since when nothing
is missing. This file is the joining; no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from remediator.world.base import EngineEvent, History
from remediator.world.docker.answers import at_nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_EVENTS = 5000
"""Kept at most. A create or a kill with many labels takes a kilobyte or two."""

Stamped = tuple[int, EngineEvent]
"""An event with its time in nanoseconds, by which one is told from another."""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the engine still knew when it was asked."""

    reach: datetime
    """Nothing is missing from here ..."""
    upto: datetime
    """... to here."""
    events: tuple[Stamped, ...]


class EventLog:
    """A stretch of history without gaps, and its events."""

    def __init__(self, limit: int = MAX_EVENTS) -> None:
        self._limit = limit
        self._events: dict[tuple[int, str, str], EngineEvent] = {}
        self.complete_from = _NEVER
        self.complete_to = datetime.min.replace(tzinfo=UTC)

    def add(self, events: Iterable[Stamped]) -> None:
        """Take in events; those that are known already are not doubled."""
        for nanoseconds, event in events:
            self._events[nanoseconds, event.object_id, event.action] = event
        if len(self._events) > self._limit:
            # A tenth at a time, so that a flood does not sort all of them for each.
            for key in sorted(self._events)[: len(self._events) - self._limit * 9 // 10]:
                del self._events[key]
                self.complete_from = max(self.complete_from, at_nanoseconds(key[0] + 1000))

    def join(self, backlog: Backlog) -> None:
        """Go on with a backlog. If it does not reach back to where we are, what is between is missing."""
        if backlog.reach > self.complete_to:
            self.complete_from = backlog.reach
        else:
            self.complete_from = min(self.complete_from, backlog.reach)
        self.complete_to = max(self.complete_to, backlog.upto)
        self.add(backlog.events)

    def since(self, since: datetime) -> History:
        """The events from `since` on, in order."""
        keys = sorted(key for key, event in self._events.items() if event.at >= since)
        return History(complete_from=self.complete_from, events=tuple(self._events[key] for key in keys))
