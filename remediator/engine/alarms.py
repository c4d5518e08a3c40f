"""What fires now, in memory: a projection of the committed events that spares reads of the store.

Also when each alert was last heard to fire. That is not kept on disk, because it changes with every
repeat; after a start it is learned anew, and until then nothing counts as confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from remediator.model.alert import Episode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from remediator.model.event import Event
    from remediator.model.run import Run


class Open(NamedTuple):
    """An open episode, as little of it as is needed: there may be a hundred thousand."""

    episode: int
    incident: int
    opened_at: datetime


class Alarms:
    """Open episodes by the fingerprint of their alert."""

    def __init__(self) -> None:
        self._open: dict[str, Open] = {}
        self._of_rule: dict[tuple[int, str], set[str]] = {}
        self._heard: dict[str, datetime] = {}

    def load(self, episodes: Iterable[Episode]) -> None:
        """Take over what the store holds at the start."""
        for episode in episodes:
            self._put(episode)

    def observe(self, event: Event) -> None:
        """Follow a committed event."""
        for entity in event.puts:
            if isinstance(entity, Episode):
                self._put(entity)

    def heard(self, fingerprint: str, at: datetime) -> None:
        """An alert was said to fire, by webhook or by the API."""
        self._heard[fingerprint] = max(at, self._heard.get(fingerprint, at))

    def firing(self) -> dict[str, Open]:
        """All open episodes."""
        return dict(self._open)

    def last_heard(self, fingerprint: str) -> datetime | None:
        """When this alert was last said to fire, since the daemon started."""
        return self._heard.get(fingerprint)

    def of(self, run: Run) -> dict[str, int]:
        """What fires for a run: the number of its episode by the fingerprint of the alert."""
        return {
            fingerprint: self._open[fingerprint].episode
            for fingerprint in self._of_rule.get((run.incident_id, run.rule), ())
        }

    def _put(self, episode: Episode) -> None:
        fingerprint = episode.fingerprint
        if episode.firing:
            self._open[fingerprint] = Open(episode.id, episode.incident_id, episode.opened_at)
            if episode.rule is not None:
                self._of_rule.setdefault((episode.incident_id, episode.rule), set()).add(fingerprint)
            return
        known = self._open.get(fingerprint)
        if known is not None and known.episode == episode.id:
            del self._open[fingerprint]
            self._heard.pop(fingerprint, None)
        if episode.rule is not None:
            key = (episode.incident_id, episode.rule)
            of_rule = self._of_rule.get(key, set())
            of_rule.discard(fingerprint)
            if not of_rule:
                self._of_rule.pop(key, None)
