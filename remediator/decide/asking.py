"""The approve gate: asking people, and what their answers and their silence lead to."""

from dataclasses import replace

from remediator.decide.draft import Draft
from remediator.decide.ending import (
    BEFORE_ACTING,
    about,
    approval_timer,
    cancel_waiting,
    drop_approvals,
    pass_turn,
)
from remediator.decide.policy import Policy
from remediator.model.plan import Operation, Plan
from remediator.model.run import Approval, ApprovalDecision, Attempt, Run, Timer
from remediator.model.verdict import NeedsApproval
from remediator.model.words import ApprovalStatus, Outcome, Reason, RunStatus, Severity


class RefusalError(Exception):
    """What a person asked for cannot be done; the message says why and what to do instead."""


def ask(
    draft: Draft,
    run: Run,
    plan: Plan,
    operations: tuple[Operation, ...],
    needs: NeedsApproval,
    policy: Policy,
    severity: Severity,
) -> None:
    """Ask people for this exact plan; what they were asked or said before is superseded."""
    of_run = [a for a in draft.snapshot.all(Approval) if a.run_id == run.id]
    live = [a for a in of_run if a.status in (ApprovalStatus.PENDING, ApprovalStatus.GRANTED)]
    approval = Approval(
        id=draft.snapshot.next_id(Approval),
        run_id=run.id,
        digest=plan.digest,
        reason=needs.reason,
        status=ApprovalStatus.PENDING,
        needed=needs.people,
        ask=len(of_run) + 1,
        requested_at=draft.now,
        expires_at=draft.now + policy.severities[severity].approval_expires,
    )
    for old in live:
        draft.record(
            "approval.superseded",
            incident=run.incident_id,
            puts=(replace(old, status=ApprovalStatus.SUPERSEDED, ended_at=draft.now),),
            deletes=(Timer(key=approval_timer(old), due_at=old.expires_at),),
            approval=old.id,
            by=approval.id,
            why=_why_again(draft, old, approval),
        )
    waiting = replace(
        run,
        status=RunStatus.AWAITING_APPROVAL,
        plan_id=plan.id,
        hold_reason=None,
        hold_detail=None,
    )
    draft.record(
        "approval.requested",
        incident=run.incident_id,
        puts=(
            waiting,
            approval,
            Timer(key=approval_timer(approval), due_at=approval.expires_at),
            *draft.messages(
                policy.channels,
                "approval_wanted",
                incident=run.incident_id,
                approval=approval.id,
                ask=approval.ask,
                digest=plan.digest,
                needed=approval.needed,
                reason=approval.reason.value,
                expires_at=approval.expires_at.isoformat(),
                objects=[o.object_name for o in operations],
                evidence=list(run.evidence),
                **(about(draft, waiting)),
            ),
        ),
        run=run.id,
        approval=approval.id,
        ask=approval.ask,
        digest=plan.digest,
        reason=needs.reason.value,
        needed=approval.needed,
    )
    pass_turn(draft, run.service)


def _why_again(draft: Draft, old: Approval, new: Approval) -> str:
    if old.digest != new.digest:
        return "the plan has changed"
    return "the approval is too old" if draft.now >= old.expires_at else "more people are needed"


def grant(draft: Draft, approval: Approval, *, reason: str, digest: str | None) -> None:
    """One person says yes. When enough have, the run is planned and judged anew; RefusalError if too late."""
    _may_be_granted(draft, approval, digest)
    _record_decision(draft, approval, granted=True, reason=reason)
    yes = [d for d in draft.snapshot.all(ApprovalDecision) if d.approval_id == approval.id and d.granted]
    if len(yes) < approval.needed:
        return
    run = draft.snapshot.get(Run, approval.run_id)
    draft.record(
        "approval.granted",
        incident=run.incident_id,
        puts=(
            replace(approval, status=ApprovalStatus.GRANTED, ended_at=draft.now),
            replace(run, status=RunStatus.PLANNING),
        ),
        deletes=(Timer(key=approval_timer(approval), due_at=approval.expires_at),),
        run=run.id,
        approval=approval.id,
        by=[d.actor for d in yes],
    )


def deny(draft: Draft, approval: Approval, policy: Policy, *, reason: str) -> None:
    """One person says no, which is enough: the run ends. RefusalError only if there is nothing to stop.

    It counts also after others, or the same person, have said yes, as long as the act has not begun.
    Where operations of the plan are done already, they are verified first.
    """
    _may_be_denied(draft, approval)
    revoked = approval.status is ApprovalStatus.GRANTED
    _record_decision(draft, approval, granted=False, reason=reason)
    run = draft.snapshot.get(Run, approval.run_id)
    timer = Timer(key=approval_timer(approval), due_at=approval.expires_at)
    draft.record(
        "approval.revoked" if revoked else "approval.denied",
        incident=run.incident_id,
        puts=(replace(approval, status=ApprovalStatus.DENIED, ended_at=draft.now),),
        deletes=() if revoked else (timer,),
        run=run.id,
        approval=approval.id,
        why=reason,
    )
    cancel_waiting(
        draft,
        run,
        policy,
        outcome=Outcome.DENIED,
        reason=Reason.DENIED_BY_PERSON,
        detail=f"denied by {draft.actor}: {reason}",
    )


def expire(draft: Draft, approval: Approval, policy: Policy) -> None:
    """Nobody answered in time: nothing is done, people are told, and the run is looked at anew.

    As long as the alert fires that means asking again. A run that was started by hand has no alert
    to burn on, and ends.
    """
    timer = Timer(key=approval_timer(approval), due_at=approval.expires_at)
    if approval.status is not ApprovalStatus.PENDING:
        draft.record("timer.dropped", incident=None, deletes=(timer,), timer=timer.key)
        return
    run = draft.snapshot.get(Run, approval.run_id)
    again = run.status is RunStatus.AWAITING_APPROVAL and not run.by_hand
    draft.record(
        "approval.expired",
        incident=run.incident_id,
        puts=(
            replace(approval, status=ApprovalStatus.EXPIRED, ended_at=draft.now),
            *((replace(run, status=RunStatus.PLANNING),) if again else ()),
            *draft.messages(
                policy.channels,
                "approval_expired",
                incident=run.incident_id,
                approval=approval.id,
                ask=approval.ask,
                **about(draft, run),
            ),
        ),
        deletes=(timer,),
        run=run.id,
        approval=approval.id,
        ask=approval.ask,
    )
    if not again:
        cancel_waiting(
            draft,
            run,
            policy,
            outcome=Outcome.EXPIRED,
            reason=Reason.APPROVAL_EXPIRED,
            detail=f"nobody answered approval {approval.id} in time",
        )


def withdraw(draft: Draft, run: Run, *, why: str) -> None:
    """Take back what people were asked, because it is not what would be done now; the run is planned anew."""
    if run.status is not RunStatus.AWAITING_APPROVAL:
        return
    withdrawn, timers = drop_approvals(draft, run, ApprovalStatus.SUPERSEDED)
    draft.record(
        "approval.withdrawn",
        incident=run.incident_id,
        puts=(*withdrawn, replace(run, status=RunStatus.PLANNING)),
        deletes=timers,
        run=run.id,
        approvals=[approval.id for approval in withdrawn],
        why=why,
    )


def _may_be_granted(draft: Draft, approval: Approval, digest: str | None) -> None:
    if approval.status is not ApprovalStatus.PENDING:
        raise RefusalError(_no_longer_open(draft, approval))
    if draft.now >= approval.expires_at:
        raise RefusalError(
            f"approval {approval.id} expired at {approval.expires_at.isoformat()}; "
            "a new one is asked for while the alert fires"
        )
    if digest is not None and digest != approval.digest:
        raise RefusalError(
            f"approval {approval.id} is for another plan than the one you read; look at it again"
        )
    # A no ends the question, so what is there of this person is a yes.
    if draft.snapshot.find(ApprovalDecision, approval.id, draft.actor) is not None:
        raise RefusalError(
            f"{draft.actor} has already decided on approval {approval.id}; it takes another person"
        )


def _may_be_denied(draft: Draft, approval: Approval) -> None:
    """A no is refused only where it could stop nothing."""
    if approval.status not in (ApprovalStatus.PENDING, ApprovalStatus.GRANTED):
        raise RefusalError(_no_longer_open(draft, approval))
    if approval.status is ApprovalStatus.PENDING:
        return
    run = draft.snapshot.get(Run, approval.run_id)
    if run.status not in BEFORE_ACTING:
        instead = "" if run.finished else f". To stop it at its next safe point: remediator cancel {run.id}"
        raise RefusalError(
            f"approval {approval.id} was granted, and run {run.id} has gone on: "
            f"it is {run.outcome or run.status}{instead}"
        )
    if _was_carried_out(draft, run, approval):
        raise RefusalError(
            f"the plan of approval {approval.id} was carried out, and run {run.id} is at its next step. "
            f"To stop it: remediator cancel {run.id}"
        )


def _was_carried_out(draft: Draft, run: Run, approval: Approval) -> bool:
    """Whether what was granted has led to an act on a rung of the ladder that the run has left."""
    granted_at = approval.ended_at
    return granted_at is not None and any(
        a.run_id == run.id and a.step < run.step and a.intent_at >= granted_at
        for a in draft.snapshot.all(Attempt)
    )


def _no_longer_open(draft: Draft, approval: Approval) -> str:
    now_open = next(
        (
            a
            for a in draft.snapshot.all(Approval)
            if a.run_id == approval.run_id and a.status is ApprovalStatus.PENDING
        ),
        None,
    )
    instead = f"; approval {now_open.id} is open now" if now_open else ""
    return f"approval {approval.id} is no longer open: it was {approval.status}{instead}"


def _record_decision(draft: Draft, approval: Approval, *, granted: bool, reason: str) -> None:
    run = draft.snapshot.get(Run, approval.run_id)
    decision = ApprovalDecision(
        approval_id=approval.id, actor=draft.actor, granted=granted, reason=reason, at=draft.now
    )
    draft.record(
        "approval.decided",
        incident=run.incident_id,
        puts=(decision,),
        run=run.id,
        approval=approval.id,
        granted=granted,
        why=reason,
    )
