"""What people ask to have explained: alerts as given, those of Alertmanager, or an incident of the record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from remediator.engine.explain import explain
from remediator.engine.face import Invalid, NotFound, Unavailable
from remediator.model.event import incident_chain
from remediator.model.explain import AskedAlert, Explained
from remediator.model.run import Incident
from remediator.rules.matchers import MatcherError, parse_matchers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remediator.engine.core import Core
    from remediator.model.alert import Episode
    from remediator.model.event import StoredEvent
    from remediator.model.words import Json
    from remediator.store import Reader
    from remediator.world.base import SeenAlert

MOST = 10
"""Alerts that are explained at once."""

EVENTS = 1000
"""Most events of an incident that are looked through for decisions."""
DECISIONS = frozenset(
    {"episode.opened", "run.proposed", "run.decided", "run.held", "run.finished", "approval.requested"}
)
"""Kinds of events that tell what was decided, and why."""


async def explain_alerts(core: Core, alerts: Sequence[AskedAlert], most: int | None) -> Explained:
    """The first few of these alerts."""
    explained = [await explain(core, alert, most=most) for alert in alerts[:MOST]]
    return Explained(explanations=tuple(explained), found=len(alerts))


async def explain_live(core: Core, which: str, most: int | None) -> Explained:
    """Alerts that Alertmanager has now, by the fingerprint of one or by matchers.

    Raises Invalid, NotFound and Unavailable.
    """
    if core.world.alerts is None:
        raise Invalid("no Alertmanager is configured; give the alert's labels instead")
    seen = await core.world.alerts.look(timedelta(0))
    if not seen.answered:
        why = "; ".join(f"{address}: {error}" for address, error in seen.errors.items())
        raise Unavailable(f"Alertmanager cannot be asked: {why}", retry_after=5)
    found = [seen.alerts[which]] if which in seen.alerts else []
    if not found:
        try:
            matchers = parse_matchers(which)
        except MatcherError as error:
            raise Invalid(
                f"{which[:100]!r} is no fingerprint that Alertmanager knows, and no matchers: {error}"
            ) from None
        found = [a for a in seen.alerts.values() if all(m.matches(a.labels) for m in matchers)]
    if not found:
        raise NotFound(f"Alertmanager has no alert {which[:100]}; it has {len(seen.alerts)} others")
    alerts = [_asked(one) for one in found]
    return await explain_alerts(core, alerts, most)


async def explain_incident(core: Core, number: int, most: int | None) -> Explained:
    """What was decided about an incident, and what would be decided now; one alert of each rule. NotFound."""

    def job(reader: Reader) -> tuple[list[AskedAlert], tuple[Json, ...]]:
        if reader.get(Incident, number) is None:
            raise NotFound(f"there is no incident {number}; `remediator incidents` lists them")
        episodes = {episode.rule: episode for episode in reversed(reader.list_episodes(number))}
        alerts = [_asked(episode) for episode in episodes.values()]
        events = reader.list_events(chain=incident_chain(number), limit=EVENTS)
        return alerts, tuple(_decision(event) for event in events if event.kind in DECISIONS)

    alerts, recorded = await core.store.read(job)
    explained = [await explain(core, alert, most=most) for alert in alerts[:MOST]]
    return Explained(explanations=tuple(explained), found=len(alerts), recorded=recorded)


def _asked(known: SeenAlert | Episode) -> AskedAlert:
    """Under the fingerprint that it came with, for that is what the record knows it by."""
    return AskedAlert(labels=dict(known.labels), starts_at=known.starts_at, fingerprint=known.fingerprint)


def _decision(event: StoredEvent) -> Json:
    return {"seq": event.seq, "at": event.at, "kind": event.kind, "data": event.data}
