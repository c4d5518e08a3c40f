"""What fires now, in memory: a projection of the committed events that spares reads of the store.

Also when each alert was last heard to fire. That is not kept on disk, because it changes with every
repeat; after a start it is learned anew, and until then nothing counts as confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from remediator.model.alert import Episode
from remediator.model.run import Incident

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from remediator.model.alert import Alert
    from remediator.model.event import Event
    from remediator.model.run import Run


class Open(NamedTuple):
    """An open episode, as little of it as is needed: there may be a hundred thousand."""

    episode: int
    incident: int
    opened_at: datetime
    starts_at: datetime


class Alarms:
    """Open episodes by the fingerprint of their alert."""

    def __init__(self) -> None:
        self._open: dict[str, Open] = {}
        self._of_rule: dict[tuple[int, str], set[str]] = {}
        self._heard: dict[str, datetime] = {}
        self._latest: dict[int, dict[str, int]] = {}
        """Of each open incident, by rule: the highest number of an episode, open or over."""

    def load(self, episodes: Iterable[Episode]) -> None:
        """Take over what the store holds at the start."""
        for episode in episodes:
            self._put(episode)

    def observe(self, event: Event) -> None:
        """Follow a committed event."""
        for entity in event.puts:
            if isinstance(entity, Episode):
                self._put(entity)
            elif isinstance(entity, Incident) and not entity.open:
                self._latest.pop(entity.id, None)

    def heard(self, fingerprint: str, at: datetime) -> None:
        """An alert was said to fire, by webhook or by the API."""
        self._heard[fingerprint] = max(at, self._heard.get(fingerprint, at))

    def forget_over(self, fingerprints: Iterable[str]) -> None:
        """Of those that are not open after all, forget that they were heard."""
        for fingerprint in fingerprints:
            if fingerprint not in self._open:
                self._heard.pop(fingerprint, None)

    def firing(self) -> dict[str, Open]:
        """All open episodes."""
        return dict(self._open)

    def last_heard(self, fingerprint: str) -> datetime | None:
        """When this alert was last said to fire, since the daemon started."""
        return self._heard.get(fingerprint)

    def repeats(self, alert: Alert) -> bool:
        """Whether a decision could only find that this is told again, whatever is decided meanwhile.

        For if its episode is open, it belongs to that; and if that ends just now, it began before.
        """
        known = self._open.get(alert.fingerprint)
        return alert.firing and known is not None and alert.starts_at <= known.starts_at

    def of(self, run: Run) -> dict[str, int]:
        """What fires for a run: the number of its episode by the fingerprint of the alert."""
        return {
            fingerprint: self._open[fingerprint].episode
            for fingerprint in self._of_rule.get((run.incident_id, run.rule), ())
        }

    def _is_open(self, episode: Episode) -> bool:
        known = self._open.get(episode.fingerprint)
        return known is not None and known.episode == episode.id

    def latest(self, run: Run) -> int:
        """Number of the last episode that a run is there for, though it may be over; 0: before the start."""
        return self._latest.get(run.incident_id, {}).get(run.rule, 0)

    def _put(self, episode: Episode) -> None:
        fingerprint = episode.fingerprint
        incident = episode.incident_id
        if incident is None:
            return
        if episode.firing:
            self._open[fingerprint] = Open(episode.id, incident, episode.opened_at, episode.starts_at)
            if episode.rule is not None:
                self._of_rule.setdefault((incident, episode.rule), set()).add(fingerprint)
                self._latest.setdefault(incident, {})[episode.rule] = episode.id
            return
        if self._is_open(episode):
            del self._open[fingerprint]
            self._heard.pop(fingerprint, None)
        if episode.rule is not None:
            key = (incident, episode.rule)
            of_rule = self._of_rule.get(key, set())
            of_rule.discard(fingerprint)
            if not of_rule:
                self._of_rule.pop(key, None)
