"""The daemon's own metrics: a projection of committed events, beside levels read at each scrape.

Counting committed events means that the counters and the record cannot tell different stories. No
label takes its value from an alert: labels come from closed vocabularies, and from the names that
operators gave to rules, actions and channels.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from remediator.model.run import Approval
from remediator.model.words import ApprovalStatus, Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from remediator.model.event import Event

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of the text that `Metrics.text` returns."""

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_ACTS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_WAITS = (1, 5, 15, 30, 60, 120, 300, 600, 1800)
_MITIGATIONS = (15, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What is so at this moment, read at each scrape."""

    ready: bool
    paused: bool
    incidents_open: Mapping[Severity, int] = field(default_factory=dict)
    approvals_pending: int = 0
    notifications_pending: int = 0
    """Committed but not yet decided about."""
    outbox_oldest_seconds: float = 0.0
    """Age of the oldest message that waits; 0 when none does."""


class Metrics:
    """All of the daemon's metrics, in a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._define_flow()
        self._define_deciding()
        self._define_levels()
        build = self._gauge("build_info", "Always 1; the labels tell what runs.", "version", "python")
        build.labels(version, platform.python_version()).set(1)
        self._projections: dict[str, Callable[[Event], None]] = {
            "notification.taken_in": self._taken_in,
            "episode.opened": self._opened,
            "run.decided": self._decided,
            "run.held": self._decided,
            "run.finished": self._finished,
            "attempt.applied": self._acted,
            "attempt.failed": self._acted,
            "message.delivered": self._sent,
            "message.retry": self._sent,
            "message.failed": self._sent,
            "rules.loaded": self._loaded,
            "rules.refused": self._loaded,
        }

    def observe(self, event: Event) -> None:
        """Count an event that has just been committed. Data that it lacks is not counted."""
        projection = self._projections.get(event.kind)
        if projection is not None:
            projection(event)
        for entity in event.puts:
            if isinstance(entity, Approval):
                asked = entity.status is ApprovalStatus.PENDING
                self.approvals.labels("requested" if asked else entity.status.value).inc()

    def set_levels(self, levels: Levels) -> None:
        """Show these levels from now on."""
        self.ready.set(levels.ready)
        self.paused.set(levels.paused)
        for severity in Severity:
            self.incidents_open.labels(severity.value).set(levels.incidents_open.get(severity, 0))
        self.approvals_pending.set(levels.approvals_pending)
        self.notifications_pending.set(levels.notifications_pending)
        self.outbox_oldest.set(levels.outbox_oldest_seconds)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _define_flow(self) -> None:
        self.notifications = self._counter(
            "notifications_received", "Notifications from Alertmanager that were taken in."
        )
        self.alerts = self._counter("alerts_received", "Alerts in them, repeats included.", "status")
        self.quarantined = self._counter("alerts_quarantined", "Alerts that could not be read.")
        self.unclassified = self._counter(
            "alerts_unclassified",
            "Alerts that began to fire and are P3 because no rule, no table and no label says what they are.",
        )
        self.receive_seconds = self._histogram(
            "receive_seconds", "From a notification's headers to its commit on disk.", _QUICK
        )
        self.reconciles = self._counter(
            "reconcile", "Comparisons of the state with Alertmanager's API.", "result"
        )
        self.messages = self._counter(
            "outbox_messages", "Tries to send a message, by what came of them.", "channel", "status"
        )
        self._counted = (
            ("alerts_firing", self.alerts.labels("firing")),
            ("alerts_resolved", self.alerts.labels("resolved")),
            ("quarantined", self.quarantined),
        )
        for result in ("ok", "failed"):
            self.reconciles.labels(result)

    def _define_deciding(self) -> None:
        self.remediations = self._counter(
            "remediations", "Finished runs, by how they ended.", "rule", "action", "outcome"
        )
        self.verdicts = self._counter(
            "guardrail_verdicts", "What each guardrail said.", "guardrail", "verdict", "reason"
        )
        self.approvals = self._counter(
            "approvals", "Questions to people: requested, and how they ended.", "status"
        )
        for status in ("requested", *(s.value for s in ApprovalStatus if s is not ApprovalStatus.PENDING)):
            self.approvals.labels(status)
        self.decide_seconds = self._histogram(
            "decide_seconds", "Duration of one decision in its write transaction.", _QUICK
        )
        self.act_seconds = self._histogram(
            "act_seconds", "Duration of one act whose outcome is known.", _ACTS, "action"
        )
        self.verify_seconds = self._histogram(
            "verify_seconds", "From the end of the act to the end of its run.", _WAITS, "action"
        )
        self.mitigate_seconds = self._histogram(
            "time_to_mitigate_seconds", "From an incident's opening to a run that succeeded.", _MITIGATIONS
        )
        self.reload_ok = self._gauge(
            "config_last_reload_successful", "1 if the last load of the rule files succeeded, else 0."
        )
        self.reload_at = self._gauge(
            "config_last_reload_success_timestamp_seconds", "When rule files were last loaded with success."
        )

        self.rules_loaded = self._gauge("rules_loaded", "Rules in force.")

    def _define_levels(self) -> None:
        self.incidents_open = self._gauge("incidents_open", "Incidents not resolved.", "severity")
        self.approvals_pending = self._gauge("approvals_pending", "Questions that wait for people.")
        self.notifications_pending = self._gauge(
            "notifications_pending", "Notifications on disk that were not decided about yet."
        )
        self.outbox_oldest = self._gauge(
            "outbox_oldest_seconds", "Age of the oldest message not delivered; 0 when none waits."
        )
        self.paused = self._gauge("paused", "1 while the kill switch is on.")
        self.ready = self._gauge("ready", "1 while the daemon can do its work.")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"remediator_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"remediator_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"remediator_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _taken_in(self, event: Event) -> None:
        # There is one of these for each notification, so each sample is looked up once, and 0 is not added.
        self.notifications.inc()
        for key, counter in self._counted:
            if number := event.data.get(key):
                counter.inc(number)

    def _opened(self, event: Event) -> None:
        if event.data.get("classified_by") == "nothing":
            self.unclassified.inc()

    def _decided(self, event: Event) -> None:
        for verdict in event.data.get("verdicts", ()):
            self.verdicts.labels(verdict["guardrail"], verdict["verdict"], verdict["reason"]).inc()

    def _finished(self, event: Event) -> None:
        data = event.data
        action = _action(data)
        self.remediations.labels(data.get("rule", "none"), action, data.get("outcome", "none")).inc()
        verifying = data.get("seconds_verifying")
        if verifying is not None:
            self.verify_seconds.labels(action).observe(verifying)
        since = data.get("seconds_since_incident")
        if since is not None and data.get("outcome") == Outcome.SUCCEEDED:
            self.mitigate_seconds.observe(since)

    def _acted(self, event: Event) -> None:
        seconds = event.data.get("seconds")
        if seconds is not None:
            self.act_seconds.labels(_action(event.data)).observe(seconds)

    def _sent(self, event: Event) -> None:
        self.messages.labels(event.data.get("channel", "none"), event.kind.removeprefix("message.")).inc()

    def _loaded(self, event: Event) -> None:
        loaded = event.kind == "rules.loaded"
        self.reload_ok.set(loaded)
        if loaded:
            self.reload_at.set(event.at.timestamp())
            self.rules_loaded.set(event.data.get("rules", 0))


def _action(data: Mapping[str, Any]) -> str:
    """The action as a label; a run that never got a plan has none."""
    return data.get("action") or "none"
