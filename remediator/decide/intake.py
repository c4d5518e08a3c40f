"""From alerts to episodes, incidents and runs."""

from dataclasses import replace
from datetime import datetime

from remediator.decide.draft import Draft
from remediator.decide.ending import cancel_waiting, fires, resolve_if_over
from remediator.decide.policy import LABEL_SEVERITIES, UNCLASSIFIED, Policy
from remediator.model.alert import Alert, Episode
from remediator.model.rule import Rule
from remediator.model.run import ALERT, Incident, Run
from remediator.model.words import (
    EpisodeStatus,
    IncidentStatus,
    Outcome,
    Reason,
    RunStatus,
    Severity,
)

WEBHOOK = "webhook"
RECONCILE = "reconcile"
ASKED = "asked"
"""A decision or a verification asked Alertmanager's API, and found the alert gone."""


def service_of(alert: Alert, rule: Rule | None) -> str | None:
    """Name of the service an alert is about: the rule says, or the alert's `service` label."""
    return (rule.service if rule else None) or alert.labels.get("service") or None


def correlation_key(alert: Alert, rule: Rule | None) -> str:
    """What alerts of one incident share: the service, or failing that the alert itself."""
    service = service_of(alert, rule)
    return f"service:{service}" if service else f"alert:{alert.fingerprint}"


def severity_of(alert: Alert, rule: Rule | None) -> Severity:
    """The rule's severity, else what the alert's own `severity` label means."""
    if rule is not None and rule.severity is not None:
        return rule.severity
    return LABEL_SEVERITIES.get(alert.labels.get("severity", ""), UNCLASSIFIED)


def take_in(draft: Draft, alert: Alert, rule: Rule | None, policy: Policy, *, source: str) -> str:
    """Fold one alert into the episodes; returns what it was, for the notification's event.

    Answers `opened`, `repeated`, `closed`, `stale` (older than what is known) or `unheard`
    (resolved, but never seen firing).
    """
    episode = _latest_episode(draft, alert.fingerprint)
    if not alert.firing:
        if episode is None or not episode.firing:
            return "unheard" if episode is None else "repeated"
        # Alertmanager always tells when an alert ended; others may leave the zero time.
        ends_at = alert.ends_at if alert.ends_at.year > 1 else draft.now
        if ends_at < episode.starts_at:
            return "stale"
        close_episode(draft, episode, policy, ends_at=ends_at, by=source)
        return "closed"
    if episode is not None:
        if episode.firing:
            return "repeated"
        # A cluster's duplicate, or a retry that took long. The API's word is about now, so it counts.
        if source == WEBHOOK and episode.ends_at is not None and alert.starts_at <= episode.ends_at:
            return "stale"
    _open_episode(draft, alert, rule, policy)
    return "opened"


def close_episode(draft: Draft, episode: Episode, policy: Policy, *, ends_at: datetime, by: str) -> None:
    """End an episode, cancel what was still waiting for its sake, and resolve the incident if over."""
    closed = replace(episode, status=EpisodeStatus.RESOLVED, ends_at=ends_at, closed_by=by)
    draft.record(
        "episode.closed", incident=episode.incident_id, puts=(closed,), fingerprint=episode.fingerprint, by=by
    )
    for run in list(draft.snapshot.all(Run)):
        if (
            run.incident_id == episode.incident_id
            and run.rule == episode.rule
            and not run.finished
            and not run.by_hand
            and not fires(draft, run)
        ):
            cancel_waiting(draft, run, policy, reason=Reason.RESOLVED, detail="the alert ended first")
    resolve_if_over(draft, episode.incident_id)


def _latest_episode(draft: Draft, fingerprint: str) -> Episode | None:
    episodes = [e for e in draft.snapshot.all(Episode) if e.fingerprint == fingerprint]
    return max(episodes, key=lambda e: e.id, default=None)


def _open_episode(draft: Draft, alert: Alert, rule: Rule | None, policy: Policy) -> None:
    incident = _incident_for(draft, alert, rule)
    episode = Episode(
        id=draft.snapshot.next_id(Episode),
        fingerprint=alert.fingerprint,
        incident_id=incident.id,
        rule=rule.name if rule else None,
        status=EpisodeStatus.FIRING,
        labels=dict(alert.labels),
        annotations=dict(alert.annotations),
        generator_url=alert.generator_url,
        starts_at=alert.starts_at,
        opened_at=draft.now,
    )
    draft.record(
        "episode.opened",
        incident=incident.id,
        puts=(episode,),
        fingerprint=alert.fingerprint,
        alert=episode.name,
        rule=episode.rule,
    )
    if rule is not None:
        _propose(draft, incident, rule, policy)


def _incident_for(draft: Draft, alert: Alert, rule: Rule | None) -> Incident:
    key = correlation_key(alert, rule)
    severity = severity_of(alert, rule)
    for incident in draft.snapshot.all(Incident):
        if incident.correlation_key == key and incident.open:
            return worsened(draft, incident, severity, rule)
    name = alert.labels.get("alertname", alert.fingerprint)
    service = service_of(alert, rule)
    opened = Incident(
        id=draft.snapshot.next_id(Incident),
        correlation_key=key,
        service=service,
        severity=severity,
        type=rule.type if rule else None,
        status=IncidentStatus.OPEN,
        title=f"{name} on {service}" if service else name,
        opened_at=draft.now,
    )
    draft.record(
        "incident.opened",
        incident=opened.id,
        puts=(opened,),
        severity=severity.value,
        type=opened.type.value if opened.type else None,
        service=service,
    )
    return opened


def worsened(draft: Draft, incident: Incident, severity: Severity, rule: Rule | None) -> Incident:
    """An open incident after one more cause: the worst severity counts, and the first type that is known."""
    kind = incident.type or (rule.type if rule else None)
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
        r.incident_id == incident.id and r.rule == rule.name and not r.finished
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
            detail="neither the rule nor a `service` label of the alert names a service",
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
