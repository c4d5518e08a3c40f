"""The JSON form of everything that the API tells, in one place, because clients rely on it.

A form names its fields one by one: what a later version stores beside them does not leak out.
Times are ISO 8601 in UTC, to the millisecond.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from remediator.engine.face import Readiness, RulesInForce
    from remediator.metrics import Levels
    from remediator.model.alert import Episode
    from remediator.model.event import StoredEvent
    from remediator.model.plan import Operation, Plan
    from remediator.model.rule import Rule
    from remediator.model.run import Approval, ApprovalDecision, Attempt, Control, Incident, Run
    from remediator.store import Quarantined

Form = dict[str, Any]

MAX_PROBLEMS = 100
"""Mistakes of a refused reload that are told; `remediator check` tells all."""


def time(at: datetime | None) -> str | None:
    """A moment as text, `2026-03-01T12:00:00.000Z`."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def page(name: str, entries: list[Form], *, limit: int, key: str = "id") -> Form:
    """One page of a list. `next` is what leads to the following page; null when this was the last."""
    full = len(entries) >= limit
    return {name: entries, "next": entries[-1][key] if full else None}


def rules(state: RulesInForce) -> Form:
    """The rules in force, where they came from, and the reload that was refused since, if any."""
    refused = state.refused
    return {
        "version": state.version,
        "rules": state.rules,
        "loaded_at": time(state.loaded_at),
        "loaded_by": state.loaded_by,
        "files": [{"file": f.file, "sha256": f.sha256, "rules": f.rules} for f in state.files],
        "refused": refused
        and {
            "at": time(refused.at),
            "by": refused.by,
            "problems": [
                {"file": p.file, "line": p.line, "column": p.column, "message": p.message}
                for p in refused.problems[:MAX_PROBLEMS]
            ],
            "problems_total": len(refused.problems),
        },
    }


def incident(incident: Incident) -> Form:
    """An incident by itself."""
    return {
        "id": incident.id,
        "title": incident.title,
        "service": incident.service,
        "severity": incident.severity,
        "type": incident.type,
        "status": incident.status,
        "opened_at": time(incident.opened_at),
        "resolved_at": time(incident.resolved_at),
    }


def episode(episode: Episode) -> Form:
    """An alert, from firing to resolved."""
    return {
        "id": episode.id,
        "name": episode.name,
        "fingerprint": episode.fingerprint,
        "incident": episode.incident_id,
        "rule": episode.rule,
        "status": episode.status,
        "labels": episode.labels,
        "annotations": episode.annotations,
        "generator_url": episode.generator_url,
        "starts_at": time(episode.starts_at),
        "opened_at": time(episode.opened_at),
        "ends_at": time(episode.ends_at),
        "closed_by": episode.closed_by,
    }


def run(run: Run) -> Form:
    """A run by itself."""
    return {
        "id": run.id,
        "incident": run.incident_id,
        "rule": run.rule,
        "rule_version": run.rule_version,
        "service": run.service,
        "status": run.status,
        "step": run.step,
        "requested_by": run.requested_by,
        "created_at": time(run.created_at),
        "hold_reason": run.hold_reason,
        "hold_detail": run.hold_detail,
        "cancel_requested": run.cancel_requested,
        "verify_from": time(run.verify_from),
        "outcome": run.outcome,
        "reason": run.reason,
        "detail": run.detail,
        "finished_at": time(run.finished_at),
        "undoes": run.undoes,
    }


def keepers(rule: Rule | None) -> Form:
    """Who keeps a rule, and what people read about it; both null when the rule is gone."""
    return {
        "owner": rule.owner if rule else None,
        "runbook_url": rule.runbook_url if rule else None,
    }


def plan(plan: Plan, operations: Iterable[Operation]) -> Form:
    """A planned step of a run, with the exact objects that it is about."""
    return {
        "id": plan.id,
        "step": plan.step,
        "action": plan.action,
        "params": plan.params,
        "summary": plan.summary,
        "digest": plan.digest,
        "created_at": time(plan.created_at),
        "operations": [_operation(operation) for operation in operations],
    }


def _operation(operation: Operation) -> Form:
    return {
        "id": operation.id,
        "number": operation.number,
        "kind": operation.kind,
        "object_id": operation.object_id,
        "object_name": operation.object_name,
        "change": operation.change,
        "before": operation.before,
        "timeout_seconds": operation.timeout,
    }


def attempt(attempt: Attempt, operation: Operation | None) -> Form:
    """One try at one operation."""
    return {
        "id": attempt.id,
        "operation": attempt.operation_id,
        "kind": operation.kind if operation else None,
        "object_id": attempt.object_id,
        "object_name": operation.object_name if operation else None,
        "step": attempt.step,
        "status": attempt.status,
        "intent_at": time(attempt.intent_at),
        "deadline": time(attempt.deadline),
        "ended_at": time(attempt.ended_at),
        "result": attempt.result,
    }


def approval(approval: Approval) -> Form:
    """A question to people by itself."""
    return {
        "id": approval.id,
        "run": approval.run_id,
        "digest": approval.digest,
        "reason": approval.reason,
        "status": approval.status,
        "needed": approval.needed,
        "ask": approval.ask,
        "requested_at": time(approval.requested_at),
        "expires_at": time(approval.expires_at),
        "ended_at": time(approval.ended_at),
    }


def decision(decision: ApprovalDecision) -> Form:
    """What one person said to a question."""
    return {
        "actor": decision.actor,
        "granted": decision.granted,
        "reason": decision.reason,
        "at": time(decision.at),
    }


def event(event: StoredEvent) -> Form:
    """An entry of the record."""
    return {
        "seq": event.seq,
        "chain": event.chain,
        "number": event.number,
        "kind": event.kind,
        "at": time(event.at),
        "actor": event.actor,
        "data": event.data,
        "hash": event.hash,
    }


def quarantined(alert: Quarantined) -> Form:
    """An alert that could not be read."""
    return {
        "id": alert.id,
        "notification": alert.notification_id,
        "position": alert.position,
        "error": alert.error,
        "raw": alert.raw,
        "at": time(alert.at),
    }


def control(control: Control) -> Form:
    """A switch that somebody threw."""
    return {"by": control.by, "reason": control.reason, "at": time(control.at)}


def readiness(readiness: Readiness, *, details: bool = True) -> Form:
    """Whether the daemon can do its work, and each thing that this depends on; with why only if so asked."""
    return {
        "ready": readiness.ready,
        "checks": {
            name: {"ok": check.ok, **({"detail": check.detail} if details else {})}
            for name, check in readiness.checks.items()
        },
    }


def levels(levels: Levels) -> Form:
    """How much there is of what."""
    return {
        "incidents_open": {severity.value: count for severity, count in levels.incidents_open.items()},
        "approvals_pending": levels.approvals_pending,
        "notifications_pending": levels.notifications_pending,
        "outbox_oldest_seconds": levels.outbox_oldest_seconds,
    }
