"""How runs and incidents end, and what their end sets free."""

from dataclasses import replace
from typing import Any

from remediator.decide.draft import Draft
from remediator.decide.policy import Policy
from remediator.model.alert import Episode
from remediator.model.plan import Plan
from remediator.model.run import Approval, Incident, Lock, Run, Timer
from remediator.model.words import ApprovalStatus, IncidentStatus, Outcome, Reason, RunStatus

BEFORE_ACTING = frozenset({RunStatus.PLANNING, RunStatus.HELD, RunStatus.AWAITING_APPROVAL})
"""A run in one of these states has nothing under way, and can be dropped."""

TOLD = frozenset({Outcome.FAILED, Outcome.INCONCLUSIVE})
"""Outcomes that people are always told of."""

NOT_NEWS = frozenset({Reason.DENIED_BY_PERSON, Reason.SHADOW})
"""Denials that somebody decided on knowingly; of all others people are told."""


def approval_timer(approval: Approval) -> str:
    """Key of the timer that expires an approval."""
    return f"approval:{approval.id}"


def about(draft: Draft, run: Run) -> dict[str, Any]:
    """What every message about a run says."""
    incident = draft.snapshot.get(Incident, run.incident_id)
    plan = draft.snapshot.find(Plan, run.plan_id)
    rule = draft.find_rule(run.rule)
    return {
        "run": run.id,
        "rule": run.rule,
        "owner": rule.owner if rule else None,
        "runbook_url": rule.runbook_url if rule else None,
        "service": run.service,
        "severity": incident.severity.value,
        "title": incident.title,
        "action": plan.action if plan else None,
        "plan": plan.summary if plan else None,
    }


def still_fires(draft: Draft, run: Run) -> bool:
    """Whether any episode that a run is there for is open."""
    return (run.incident_id, run.rule) in draft.snapshot.fires_beyond or bool(fires(draft, run))


def fires(draft: Draft, run: Run) -> list[Episode]:
    """The open episodes that a run is there for, as far as the decision is about them."""
    return [
        e
        for e in draft.snapshot.all(Episode)
        if e.firing and e.incident_id == run.incident_id and e.rule == run.rule
    ]


def cancel_waiting(
    draft: Draft,
    run: Run,
    policy: Policy,
    *,
    reason: Reason,
    detail: str,
    outcome: Outcome = Outcome.CANCELLED,
) -> None:
    """End a run that has nothing under way; one that acts or verifies is left alone.

    A plan of which some operations are already done is not dropped: what was done gets verified. If
    that fails, the run climbs further only where it was the alert that had ended.
    """
    if run.status not in BEFORE_ACTING:
        return
    if run.operation == 0:
        finish(draft, run, policy, outcome=outcome, reason=reason, detail=detail)
    elif reason is Reason.RESOLVED:
        verify(draft, run, reason=reason, why=detail)
    else:
        verify(draft, replace(run, cancel_requested=draft.actor), reason=reason, why=detail)


def verify(draft: Draft, run: Run, *, why: str, reason: Reason = Reason.OK) -> None:
    """Go on to see whether the act helped; `reason` is OK where the whole plan was carried out."""
    withdrawn, timers = drop_approvals(draft, run)
    verifying = replace(
        run, status=RunStatus.VERIFYING, verify_from=draft.now, hold_reason=None, hold_detail=None
    )
    draft.record(
        "run.verifying",
        incident=run.incident_id,
        puts=(verifying, *withdrawn),
        deletes=timers,
        run=run.id,
        reason=reason.value,
        why=why,
    )


def finish(
    draft: Draft, run: Run, policy: Policy, *, outcome: Outcome, reason: Reason, detail: str = ""
) -> None:
    """End a run: free its service, wake the next in line, withdraw its questions, tell people."""
    plan = draft.snapshot.find(Plan, run.plan_id)
    incident = draft.snapshot.get(Incident, run.incident_id)
    ended = replace(
        run,
        status=RunStatus.FINISHED,
        outcome=outcome,
        reason=reason,
        detail=detail,
        finished_at=draft.now,
        hold_reason=None,
        hold_detail=None,
    )
    withdrawn, timers = drop_approvals(draft, run)
    lock = draft.snapshot.find(Lock, run.service)
    freed = (lock,) if lock is not None and lock.run_id == run.id else ()
    denied = outcome is Outcome.DENIED and reason not in NOT_NEWS
    tell = outcome in TOLD or denied or reason is Reason.TOO_LATE
    messages = (
        draft.messages(
            policy.channels,
            outcome.value,
            incident=run.incident_id,
            reason=reason.value,
            detail=detail,
            **about(draft, run),
        )
        if tell
        else ()
    )
    draft.record(
        "run.finished",
        incident=run.incident_id,
        puts=(ended, *withdrawn, *messages),
        deletes=(*freed, *timers),
        run=run.id,
        rule=run.rule,
        action=plan.action if plan else None,
        outcome=outcome.value,
        reason=reason.value,
        detail=detail,
        seconds_verifying=(draft.now - run.verify_from).total_seconds() if run.verify_from else None,
        seconds_since_incident=(draft.now - incident.opened_at).total_seconds(),
    )
    pass_turn(draft, run.service)
    resolve_if_over(draft, run.incident_id)


def wake(draft: Draft, run: Run, *, why: str) -> None:
    """Have a run looked at anew: planned, and put to the guardrails again."""
    draft.record(
        "run.woken",
        incident=run.incident_id,
        puts=(replace(run, status=RunStatus.PLANNING, hold_reason=None, hold_detail=None),),
        run=run.id,
        why=why,
    )


def pass_turn(draft: Draft, service: str) -> None:
    """Wake the next run in line for a service, unless a run has the service or is about to decide.

    To be called whenever a run stops being decided upon without having taken the service: then the
    turn is the next one's, or nobody would ever wake those that wait.
    """
    if draft.snapshot.find(Lock, service) is not None:
        return
    runs = [r for r in draft.snapshot.all(Run) if r.service == service]
    if any(r.status is RunStatus.PLANNING for r in runs):
        return
    waiting = [r for r in runs if r.status is RunStatus.HELD and r.hold_reason is Reason.LOCKED]
    if waiting:
        wake(draft, min(waiting, key=lambda r: r.id), why=f"{service} is free again")


def drop_approvals(
    draft: Draft, run: Run, status: ApprovalStatus = ApprovalStatus.CANCELLED
) -> tuple[tuple[Approval, ...], tuple[Timer, ...]]:
    """The run's open questions, ended, and the timers that would have expired them."""
    pending = [
        a for a in draft.snapshot.all(Approval) if a.run_id == run.id and a.status is ApprovalStatus.PENDING
    ]
    ended = tuple(replace(a, status=status, ended_at=draft.now) for a in pending)
    return ended, tuple(Timer(key=approval_timer(a), due_at=a.expires_at) for a in pending)


def resolve_if_over(draft: Draft, incident_id: int) -> None:
    """Resolve an incident when no alert of it fires and no run of it goes on."""
    incident = draft.snapshot.get(Incident, incident_id)
    burns = any(number == incident_id for number, _ in draft.snapshot.fires_beyond) or any(
        e.firing and e.incident_id == incident_id for e in draft.snapshot.all(Episode)
    )
    runs = any(not r.finished and r.incident_id == incident_id for r in draft.snapshot.all(Run))
    if incident.open and not burns and not runs:
        over = replace(incident, status=IncidentStatus.RESOLVED, resolved_at=draft.now)
        draft.record(
            "incident.resolved",
            incident=incident_id,
            puts=(over,),
            seconds=(draft.now - incident.opened_at).total_seconds(),
        )
