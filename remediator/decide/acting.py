"""A run from plan to verdict: what each report of the world leads to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from remediator.decide.asking import ask
from remediator.decide.draft import Draft
from remediator.decide.ending import BEFORE_ACTING, about, drop_approvals, finish, verify
from remediator.decide.facts import Request, StoredFacts, WorldFacts
from remediator.decide.guardrails import Judgement, judge
from remediator.decide.policy import Policy
from remediator.decide.verify import Assessment
from remediator.model.alert import Episode
from remediator.model.plan import Operation, Plan, PlanSpec
from remediator.model.rule import Rule
from remediator.model.run import (
    Approval,
    ApprovalDecision,
    Attempt,
    Control,
    Incident,
    Lock,
    Run,
)
from remediator.model.verdict import Allow, Deny, Hold, NeedsApproval
from remediator.model.words import AttemptStatus, Json, Outcome, Reason, RunStatus
from remediator.model.world import (
    ActFailed,
    Applied,
    ApplyResult,
    NotApplied,
    ProbeResult,
    TargetError,
)

MARGIN = timedelta(seconds=5)
"""How long after its timeout an operation is given before its outcome is probed."""

MAX_TRIES = 3
"""Tries at one operation that prove not to have happened, before the step counts as failed."""

UNREADABLE_RECHECK = timedelta(seconds=15)

HOLDS_TOLD = frozenset(
    {Reason.CHANGED_BY_OTHERS, Reason.UNCONFIRMED, Reason.FACT_UNREADABLE, Reason.WORLD_UNREADABLE}
)
"""Holds that people should know of; the others end by themselves or were made by people."""


def triaged(draft: Draft, run: Run, evidence: tuple[Json, ...]) -> Run:
    """Keep what triage found with the run."""
    looked = replace(run, triaged=True, evidence=evidence)
    draft.record("run.triaged", incident=run.incident_id, puts=(looked,), run=run.id, evidence=evidence)
    return looked


def plan_failed(draft: Draft, run: Run, policy: Policy, error: TargetError) -> None:
    """The target cannot be resolved to what the action needs: the run is denied."""
    if run.status in BEFORE_ACTING:
        finish(draft, run, policy, outcome=Outcome.DENIED, reason=error.reason, detail=error.detail)


def plan_unreadable(draft: Draft, run: Run, policy: Policy, detail: str) -> Hold:
    """The world cannot be read: hold, say so, look again."""
    hold = Hold(reason=Reason.WORLD_UNREADABLE, until=draft.now + UNREADABLE_RECHECK, detail=detail)
    _hold(draft, run, policy, hold)
    return hold


def decide(
    draft: Draft,
    run: Run,
    rule: Rule,
    policy: Policy,
    world: WorldFacts,
    history: list[Attempt],
    planned: PlanSpec | None,
) -> Judgement | None:
    """Judge the run's next operation and commit to it, hold it, ask people, or deny it.

    `planned` is the fresh plan of the present step; None goes on with the plan whose first operations
    are already done. Returns None when the run no longer waits for a decision.
    """
    if run.status not in BEFORE_ACTING:
        return None
    if not run.by_hand and _alert_is_over(draft, run, world):
        if run.operation > 0:
            verify(draft, run, why="the alert ended")
        else:
            finish(
                draft,
                run,
                policy,
                outcome=Outcome.CANCELLED,
                reason=Reason.RESOLVED,
                detail="the alert ended first",
            )
        return None
    plan, operations, fresh = _plan(draft, run, rule, planned)
    request = Request(
        run=run,
        rule=rule,
        incident=draft.snapshot.get(Incident, run.incident_id),
        plan=plan,
        operations=operations,
        policy=policy,
        world=world,
        stored=_stored_facts(draft, run, plan, history),
    )
    judgement = judge(request, draft.now)
    match judgement.overall:
        case Deny() as deny:
            outcome = Outcome.SHADOW if deny.reason is Reason.SHADOW else Outcome.DENIED
            run = replace(run, plan_id=plan.id)
            _record(draft, run, plan, judgement, world, (run, *fresh))
            finish(draft, run, policy, outcome=outcome, reason=deny.reason, detail=deny.detail)
        case Hold() as hold:
            _hold(draft, replace(run, plan_id=plan.id), policy, hold, judgement, world, fresh)
        case NeedsApproval() as needs:
            _record(draft, run, plan, judgement, world, fresh)
            ask(draft, run, plan, operations, needs, policy)
        case Allow():
            _begin(draft, run, plan, operations[run.operation], judgement, world, fresh)
    return judgement


def act_ended(
    draft: Draft, run: Run, attempt: Attempt, rule: Rule, policy: Policy, result: ApplyResult, seconds: float
) -> None:
    """An operation was applied, failed, or nobody knows: record it and go where that leads."""
    if attempt.status is not AttemptStatus.INTENT:
        return
    if isinstance(result, Applied):
        _applied(draft, run, attempt, result.result, seconds)
    elif isinstance(result, ActFailed):
        ended = _ended(draft, attempt, AttemptStatus.FAILED, result.result)
        draft.record(
            "attempt.failed",
            incident=run.incident_id,
            puts=(ended,),
            run=run.id,
            attempt=attempt.id,
            action=_action(draft, run),
            seconds=seconds,
            result=result.result,
        )
        detail = str(result.result.get("error", "the act failed"))
        step_failed(draft, run, rule, policy, reason=Reason.ACT_FAILED, detail=detail)
    else:
        draft.record(
            "run.probing",
            incident=run.incident_id,
            puts=(replace(run, status=RunStatus.PROBING), replace(attempt, result=result.result)),
            run=run.id,
            attempt=attempt.id,
            why="the outcome of the act is not known",
            result=result.result,
        )


def interrupted(draft: Draft, run: Run) -> None:
    """The daemon stopped or died while this run acted: ask the world what became of it."""
    draft.record(
        "run.probing",
        incident=run.incident_id,
        puts=(replace(run, status=RunStatus.PROBING),),
        run=run.id,
        why="the daemon ended during the act",
    )


def probed(draft: Draft, run: Run, attempt: Attempt, rule: Rule, policy: Policy, result: ProbeResult) -> None:
    """The world told what became of an act: go on, try again through the guardrails, or ask people."""
    if attempt.status is not AttemptStatus.INTENT or run.status is not RunStatus.PROBING:
        return
    if isinstance(result, Applied):
        _applied(draft, run, attempt, {**attempt.result, **result.result, "probed": True}, None)
    elif isinstance(result, NotApplied):
        not_applied(draft, run, attempt, rule, policy, result.result)
    else:
        ended = _ended(draft, attempt, AttemptStatus.UNKNOWN, {**attempt.result, **result.result})
        draft.record(
            "run.unknown",
            incident=run.incident_id,
            puts=(
                replace(run, status=RunStatus.UNKNOWN),
                ended,
                *draft.messages(
                    policy.channels,
                    "unknown",
                    incident=run.incident_id,
                    result=ended.result,
                    **about(draft, run),
                ),
            ),
            run=run.id,
            attempt=attempt.id,
            result=ended.result,
        )


def applied(draft: Draft, run: Run, attempt: Attempt, result: dict[str, Json]) -> None:
    """A person says that the act of unknown outcome did happen."""
    _applied(draft, run, attempt, result, None)


def not_applied(
    draft: Draft, run: Run, attempt: Attempt, rule: Rule, policy: Policy, result: dict[str, Json]
) -> None:
    """The act did not happen: once more as a new attempt through the guardrails, within bounds."""
    ended = _ended(draft, attempt, AttemptStatus.NOT_APPLIED, {**attempt.result, **result})
    again = replace(run, status=RunStatus.PLANNING)
    draft.record(
        "attempt.not_applied",
        incident=run.incident_id,
        puts=(ended, again),
        run=run.id,
        attempt=attempt.id,
        action=_action(draft, run),
        result=ended.result,
    )
    tries = sum(
        1
        for a in draft.snapshot.all(Attempt)
        if a.run_id == run.id and a.step == run.step and a.status is AttemptStatus.NOT_APPLIED
    )
    if tries >= MAX_TRIES:
        detail = f"{tries} tries did not take effect"
        step_failed(draft, again, rule, policy, reason=Reason.ACT_FAILED, detail=detail)


def verified(draft: Draft, run: Run, rule: Rule, policy: Policy, assessment: Assessment) -> None:
    """The verification has a verdict: done, the next step, or a person."""
    if run.status is not RunStatus.VERIFYING or assessment.outcome is None:
        return
    if assessment.outcome is Outcome.FAILED:
        step_failed(draft, run, rule, policy, reason=assessment.reason, detail=assessment.detail)
    else:
        finish(
            draft,
            run,
            policy,
            outcome=assessment.outcome,
            reason=assessment.reason,
            detail=assessment.detail,
        )


def step_failed(draft: Draft, run: Run, rule: Rule, policy: Policy, *, reason: Reason, detail: str) -> None:
    """Climb to the next rung of the ladder, or end as failed when there is none."""
    if run.step + 1 < len(rule.steps) and run.cancel_requested is None:
        withdrawn, timers = drop_approvals(draft, run)
        climbed = replace(
            run, status=RunStatus.PLANNING, step=run.step + 1, operation=0, plan_id=None, verify_from=None
        )
        draft.record(
            "run.next_step",
            incident=run.incident_id,
            puts=(climbed, *withdrawn),
            deletes=timers,
            run=run.id,
            step=climbed.step,
            reason=reason.value,
            detail=detail,
        )
    else:
        finish(draft, run, policy, outcome=Outcome.FAILED, reason=reason, detail=detail)


def _alert_is_over(draft: Draft, run: Run, world: WorldFacts) -> bool:
    fires = any(
        e.firing and e.incident_id == run.incident_id and e.rule == run.rule
        for e in draft.snapshot.all(Episode)
    )
    proven_gone = bool(world.sightings) and all(s.state == "absent" for s in world.sightings)
    return not fires or proven_gone


def _plan(
    draft: Draft, run: Run, rule: Rule, planned: PlanSpec | None
) -> tuple[Plan, tuple[Operation, ...], tuple[Plan | Operation, ...]]:
    """The plan to judge with its operations, and those of its rows that are not stored yet."""
    if planned is None:
        plan = draft.snapshot.get(Plan, run.plan_id)
        operations = [o for o in draft.snapshot.all(Operation) if o.plan_id == plan.id]
        return plan, tuple(sorted(operations, key=lambda o: o.number)), ()
    plan = Plan(
        id=draft.snapshot.next_id(Plan),
        run_id=run.id,
        step=run.step,
        digest=planned.digest(rule.version),
        action=planned.action,
        params=planned.params,
        summary=planned.summary,
        created_at=draft.now,
    )
    fresh = tuple(
        Operation(
            id=draft.snapshot.next_id(Operation),
            plan_id=plan.id,
            number=number,
            kind=spec.kind,
            object_id=spec.object_id,
            object_name=spec.object_name,
            change=spec.change,
            before=spec.before,
            timeout=spec.timeout.total_seconds(),
        )
        for number, spec in enumerate(planned.operations)
    )
    return plan, fresh, (plan, *fresh)


def _stored_facts(draft: Draft, run: Run, plan: Plan, history: list[Attempt]) -> StoredFacts:
    approvals = [a for a in draft.snapshot.all(Approval) if a.run_id == run.id and a.digest == plan.digest]
    approval = max(approvals, key=lambda a: a.id, default=None)
    return StoredFacts(
        lock=draft.snapshot.find(Lock, run.service),
        pauses=tuple(draft.snapshot.all(Control)),
        history=tuple(history),
        approval=approval,
        decisions=tuple(
            d
            for d in draft.snapshot.all(ApprovalDecision)
            if approval is not None and d.approval_id == approval.id
        ),
    )


def _record(
    draft: Draft, run: Run, plan: Plan, judgement: Judgement, world: WorldFacts, puts: tuple[Any, ...]
) -> None:
    draft.record(
        "run.decided",
        incident=run.incident_id,
        puts=puts,
        run=run.id,
        rule=run.rule,
        rule_version=run.rule_version,
        action=plan.action,
        plan=plan.id,
        digest=plan.digest,
        operation=run.operation,
        overall=type(judgement.overall).__name__.lower(),
        decisive=judgement.decisive,
        verdicts=judgement.told(),
        facts=world.told(),
    )


def _hold(
    draft: Draft,
    run: Run,
    policy: Policy,
    hold: Hold,
    judgement: Judgement | None = None,
    world: WorldFacts | None = None,
    fresh: tuple[Plan | Operation, ...] = (),
) -> None:
    # Looked at again and still held for the same reason: nothing new to record.
    if run.status is RunStatus.HELD and run.hold_reason is hold.reason:
        return
    held = replace(run, status=RunStatus.HELD, hold_reason=hold.reason, hold_detail=hold.detail)
    messages = (
        draft.messages(
            policy.channels,
            "held",
            incident=run.incident_id,
            reason=hold.reason.value,
            detail=hold.detail,
            until=hold.until.isoformat() if hold.until else None,
            **about(draft, run),
        )
        if hold.reason in HOLDS_TOLD
        else ()
    )
    draft.record(
        "run.held",
        incident=run.incident_id,
        puts=(held, *fresh, *messages),
        run=run.id,
        rule=run.rule,
        reason=hold.reason.value,
        detail=hold.detail,
        until=hold.until.isoformat() if hold.until else None,
        verdicts=judgement.told() if judgement else [],
        facts=world.told() if world else {},
    )


def _begin(
    draft: Draft,
    run: Run,
    plan: Plan,
    operation: Operation,
    judgement: Judgement,
    world: WorldFacts,
    fresh: tuple[Plan | Operation, ...],
) -> None:
    """Commit to the act: from here on, a crash is followed by a probe, never by a blind repeat."""
    attempt = Attempt(
        id=draft.snapshot.next_id(Attempt),
        run_id=run.id,
        operation_id=operation.id,
        step=run.step,
        service=run.service,
        rule=run.rule,
        object_id=operation.object_id,
        status=AttemptStatus.INTENT,
        intent_at=draft.now,
        deadline=draft.now + timedelta(seconds=operation.timeout) + MARGIN,
    )
    acting = replace(run, status=RunStatus.ACTING, plan_id=plan.id, hold_reason=None, hold_detail=None)
    lock = draft.snapshot.find(Lock, run.service) or Lock(service=run.service, run_id=run.id, since=draft.now)
    _record(draft, acting, plan, judgement, world, (acting, *fresh, attempt, lock))


def _applied(
    draft: Draft, run: Run, attempt: Attempt, result: dict[str, Json], seconds: float | None
) -> None:
    ended = _ended(draft, attempt, AttemptStatus.APPLIED, result)
    last = not any(
        o.plan_id == run.plan_id and o.number > run.operation for o in draft.snapshot.all(Operation)
    )
    advanced = replace(run, status=RunStatus.PLANNING, operation=run.operation + 1)
    draft.record(
        "attempt.applied",
        incident=run.incident_id,
        puts=(ended, advanced),
        run=run.id,
        attempt=attempt.id,
        action=_action(draft, run),
        seconds=seconds,
        result=result,
    )
    if last or run.cancel_requested is not None:
        stopped = "" if last else f", stopped by {run.cancel_requested}"
        verify(draft, advanced, why=f"{advanced.operation} operations done{stopped}")


def _ended(draft: Draft, attempt: Attempt, status: AttemptStatus, result: dict[str, Json]) -> Attempt:
    return replace(attempt, status=status, ended_at=draft.now, result=result)


def _action(draft: Draft, run: Run) -> str | None:
    plan = draft.snapshot.find(Plan, run.plan_id)
    return plan.action if plan else None
