"""From alerts to episodes, incidents and runs."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from remediator.decide.classify import Classified, classify
from remediator.decide.draft import Draft
from remediator.decide.ending import cancel_waiting, resolve_if_over, still_fires
from remediator.decide.policy import Policy
from remediator.model.alert import Alert, Episode
from remediator.model.rule import Rule
from remediator.model.run import ALERT, Incident, Run
from remediator.model.words import (
    EpisodeStatus,
    IncidentStatus,
    IncidentType,
    Outcome,
    Reason,
    RunStatus,
    Severity,
)

WEBHOOK = "webhook"
RECONCILE = "reconcile"
ASKED = "asked"
"""A decision or a verification asked Alertmanager's API, and found the alert gone."""
LOST = "lost"
"""Nobody told of the alert for so long that nobody can know whether it still fires."""


def service_of(alert: Alert, rule: Rule | None) -> str | None:
    """Name of the service an alert is about: the rule says, or the alert's `service` label."""
    if rule is not None and rule.no_service is not None:
        return None
    return (rule.service if rule else None) or alert.labels.get("service") or None


def service_key(service: str) -> str:
    """The correlation key of a service's incidents."""
    return f"service:{service}"


def correlation_key(alert: Alert, rule: Rule | None) -> str:
    """What alerts of one incident share: the service, or failing that the alert itself."""
    service = service_of(alert, rule)
    return service_key(service) if service else f"alert:{alert.fingerprint}"


def take_in(
    draft: Draft, alert: Alert, rule: Rule | None, policy: Policy, *, seen_at: datetime | None = None
) -> str:
    """Fold one alert into the episodes; returns what it was.

    `seen_at` is when Alertmanager's API was asked, if it is that which tells of the alert, and not a
    webhook. Answers `opened`, `repeated`, `closed`, `stale` (older than what is known) or `unheard` (its
    end is all that was ever heard of it).
    """
    episode = _latest_episode(draft, alert.fingerprint)
    if not alert.firing:
        return _take_in_the_end(draft, alert, episode, policy)
    if episode is not None and episode.firing:
        return "repeated"
    if episode is not None and _is_old(alert, episode, seen_at):
        return "stale"
    _open_episode(draft, alert, rule, policy)
    return "opened"


def _is_old(alert: Alert, last: Episode, seen_at: datetime | None) -> bool:
    """Whether it is from before the end of the last episode that an alert is said to fire."""
    if seen_at is not None:
        # The API tells of the moment it was asked, whenever the alert began.
        return last.closed_at is not None and last.closed_at > seen_at
    # A cluster's duplicate, or a retry that took long; unless nobody has ever told of that end.
    return last.closed_by != LOST and _is_part_of(alert, last)


def _is_part_of(alert: Alert, over: Episode) -> bool:
    """Whether what is told of an alert is about an episode that is over: a new one begins after its end.

    The reconciler's ends are by our clock, and Prometheus's may go before it: so the start counts, too.
    """
    return alert.starts_at <= max(over.starts_at, over.ends_at or over.starts_at)


def _take_in_the_end(draft: Draft, alert: Alert, episode: Episode | None, policy: Policy) -> str:
    # Alertmanager always tells when an alert ended; others may leave the zero time.
    ends_at = alert.ends_at if alert.ends_at.year > 1 else draft.now
    if episode is not None and episode.firing:
        if ends_at < episode.starts_at:
            return "stale"
        close_episodes(draft, [(episode, ends_at)], policy, by=WEBHOOK)
        return "closed"
    if episode is not None and _is_part_of(alert, episode):
        return "repeated"
    # Remembered, or a repeat of its firing that was on its way for longer would open it for good.
    over = replace(
        _episode(draft, alert),
        status=EpisodeStatus.RESOLVED,
        ends_at=ends_at,
        closed_at=draft.now,
        closed_by=WEBHOOK,
    )
    draft.record(
        "episode.unheard", incident=None, puts=(over,), fingerprint=alert.fingerprint, alert=over.name
    )
    return "unheard"


def close_episodes(
    draft: Draft, ended: Iterable[tuple[Episode, datetime]], policy: Policy, *, by: str
) -> None:
    """End episodes at these moments, cancel what waited for their sake, resolve incidents that are over."""
    closed = [
        replace(episode, status=EpisodeStatus.RESOLVED, ends_at=ends_at, closed_at=draft.now, closed_by=by)
        for episode, ends_at in ended
    ]
    for episode in closed:
        draft.record(
            "episode.closed",
            incident=episode.incident_id,
            puts=(episode,),
            fingerprint=episode.fingerprint,
            by=by,
        )
    causes = {(episode.incident_id, episode.rule) for episode in closed}
    detail = "nobody told of the alert any more" if by == LOST else "the alert ended first"
    for run in list(draft.snapshot.all(Run)):
        cause = (run.incident_id, run.rule)
        if cause in causes and not run.finished and not run.by_hand and not still_fires(draft, run):
            cancel_waiting(draft, run, policy, reason=Reason.RESOLVED, detail=detail)
    for incident_id in sorted({episode.incident_id for episode in closed if episode.incident_id is not None}):
        resolve_if_over(draft, incident_id)


def _latest_episode(draft: Draft, fingerprint: str) -> Episode | None:
    episodes = [e for e in draft.snapshot.all(Episode) if e.fingerprint == fingerprint]
    return max(episodes, key=lambda e: e.id, default=None)


def _open_episode(draft: Draft, alert: Alert, rule: Rule | None, policy: Policy) -> None:
    classified = classify(draft, alert.labels, rule)
    incident = _incident_for(draft, alert, rule, classified)
    episode = replace(_episode(draft, alert), incident_id=incident.id, rule=rule.name if rule else None)
    draft.record(
        "episode.opened",
        incident=incident.id,
        puts=(episode,),
        fingerprint=alert.fingerprint,
        alert=episode.name,
        rule=episode.rule,
        rule_version=rule.version if rule else None,
        severity=classified.severity.value,
        classified_by=classified.by,
    )
    if rule is not None:
        _propose(draft, incident, rule, policy)


def _episode(draft: Draft, alert: Alert) -> Episode:
    return Episode(
        id=draft.snapshot.next_id(Episode),
        fingerprint=alert.fingerprint,
        incident_id=None,
        rule=None,
        status=EpisodeStatus.FIRING,
        labels=dict(alert.labels),
        annotations=dict(alert.annotations),
        generator_url=alert.generator_url,
        starts_at=alert.starts_at,
        opened_at=draft.now,
    )


def _incident_for(draft: Draft, alert: Alert, rule: Rule | None, classified: Classified) -> Incident:
    key = correlation_key(alert, rule)
    for incident in draft.snapshot.all(Incident):
        if incident.correlation_key == key and incident.open:
            return worsened(draft, incident, classified.severity, classified.type)
    name = alert.labels.get("alertname", alert.fingerprint)
    service = service_of(alert, rule)
    opened = Incident(
        id=draft.snapshot.next_id(Incident),
        correlation_key=key,
        service=service,
        severity=classified.severity,
        type=classified.type,
        status=IncidentStatus.OPEN,
        title=f"{name} on {service}" if service else name,
        opened_at=draft.now,
    )
    draft.record(
        "incident.opened",
        incident=opened.id,
        puts=(opened,),
        severity=opened.severity.value,
        type=opened.type.value if opened.type else None,
        service=service,
    )
    return opened


def worsened(draft: Draft, incident: Incident, severity: Severity, kind: IncidentType | None) -> Incident:
    """An open incident after one more cause: the worst severity counts, and the first type that is known."""
    kind = incident.type or kind
    if severity >= incident.severity and kind is incident.type:
        return incident
    changed = replace(incident, severity=min(severity, incident.severity), type=kind)
    draft.record(
        "incident.changed",
        incident=incident.id,
        puts=(changed,),
        before=incident.severity.value,
        severity=changed.severity.value,
        type=kind.value if kind else None,
    )
    return changed


def _propose(draft: Draft, incident: Incident, rule: Rule, policy: Policy) -> None:
    if any(
        r.incident_id == incident.id and r.rule == rule.name and not r.finished and r.undoes is None
        for r in draft.snapshot.all(Run)
    ):
        return
    run = propose(draft, incident, rule, requested_by=ALERT)
    if incident.service is None:
        cancel_waiting(
            draft,
            run,
            policy,
            reason=Reason.NO_SERVICE,
            outcome=Outcome.DENIED,
            detail=rule.no_service or "neither the rule nor a `service` label of the alert names a service",
        )


def propose(draft: Draft, incident: Incident, rule: Rule, *, requested_by: str, why: str = "") -> Run:
    """Begin a run of a rule for an incident. It still has to be planned, and to pass the guardrails."""
    run = Run(
        id=draft.snapshot.next_id(Run),
        incident_id=incident.id,
        rule=rule.name,
        rule_version=rule.version,
        service=incident.service or "",
        status=RunStatus.PLANNING,
        requested_by=requested_by,
        created_at=draft.now,
    )
    draft.record(
        "run.proposed",
        incident=incident.id,
        puts=(run,),
        run=run.id,
        rule=rule.name,
        rule_version=rule.version,
        service=run.service,
        requested_by=requested_by,
        why=why,
    )
    return run
