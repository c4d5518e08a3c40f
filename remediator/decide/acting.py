"""A run up to its act: what triage, planning and the guardrails lead to. What follows is in `outcomes`."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from remediator.decide.asking import ask
from remediator.decide.classify import NOTHING, classify
from remediator.decide.draft import Draft
from remediator.decide.ending import about, cancel_waiting, fires, pass_turn, still_fires, verify
from remediator.decide.facts import Records, Request, StoredFacts, WorldFacts
from remediator.decide.guardrails import Judgement, judge
from remediator.decide.intake import ASKED, close_episodes
from remediator.decide.policy import Policy
from remediator.model.duration import format_duration
from remediator.model.plan import Operation, OperationSpec, Plan, PlanSpec
from remediator.model.rule import Rule
from remediator.model.run import PAUSE, Approval, ApprovalDecision, Attempt, Control, Incident, Lock, Run
from remediator.model.verdict import Allow, Deny, Hold, NeedsApproval, word
from remediator.model.words import ApprovalStatus, AttemptStatus, Json, Outcome, Reason, RunStatus
from remediator.model.world import MAY_PASS, TargetError

MARGIN = timedelta(seconds=5)
"""How long after its timeout an operation is given before its outcome is probed."""

ALERTS = 20
"""Most of a run's alerts that are looked at to judge it: they are of one rule and one service."""

UNREADABLE_RECHECK = timedelta(seconds=15)

BY_HAND_WITHIN = timedelta(hours=1)
"""What a person started is carried out in this time, or not at all."""

TARGET_PATIENCE = timedelta(minutes=1)
"""People are told of a target that is missing, or more than one, for longer."""

TARGET_RECHECK = timedelta(seconds=15)
TARGET_RECHECK_LONGEST = timedelta(minutes=5)
"""What has been missing for long is looked for less often."""

UNDECIDED = frozenset({RunStatus.PLANNING, RunStatus.HELD})
"""A run in one of these states waits for a decision; one that people were asked about waits for them."""

UNREADABLE = frozenset({Reason.FACT_UNREADABLE, Reason.WORLD_UNREADABLE})
"""Holds whose detail is an error's text, which may differ at every look and mean the same."""

HOLDS_TOLD = (
    UNREADABLE
    | MAY_PASS
    | {Reason.CHANGED_BY_OTHERS, Reason.UNCONFIRMED, Reason.BUDGET, Reason.TEMPLATE_UNRESOLVED}
)
"""Holds that people should know of; the others end by themselves or were made by people."""


def triaged(draft: Draft, run: Run, evidence: tuple[Json, ...]) -> Run:
    """Keep what triage found with the run; if it has ended meanwhile, nothing is kept."""
    if run.status not in UNDECIDED:
        return run
    looked = replace(run, triaged=True, evidence=evidence)
    draft.record("run.triaged", incident=run.incident_id, puts=(looked,), run=run.id, evidence=list(evidence))
    return looked


def plan_failed(draft: Draft, run: Run, policy: Policy, error: TargetError, since: datetime) -> Hold | None:
    """The target has not been what the action needs since then: wait, or deny what no waiting changes.

    It may be missing only for a moment, as when it is made anew; what lasts is told. In the middle of a
    plan that has become stale: what was done is verified.
    """
    if run.status not in UNDECIDED or _is_over(draft, run, policy):
        return None
    if error.lasting:
        cancel_waiting(draft, run, policy, outcome=Outcome.DENIED, reason=error.reason, detail=error.detail)
        return None
    if run.operation > 0:
        why = f"stale after {run.operation} operations: {error.detail}"
        verify(draft, run, reason=Reason.STALE_PLAN, why=why)
        return None
    lasted = draft.now - since
    # What was told in an earlier life of the daemon is not told once more.
    known = lasted >= TARGET_PATIENCE or run.hold_reason is error.reason
    hold = Hold(
        reason=error.reason if known else Reason.TARGET_UNCLEAR,
        until=draft.now + min(max(lasted / 4, TARGET_RECHECK), TARGET_RECHECK_LONGEST),
        detail=error.detail,
    )
    _hold(draft, run, policy, hold, ())
    return hold


def plan_unreadable(
    draft: Draft, run: Run, policy: Policy, detail: str, reason: Reason = Reason.WORLD_UNREADABLE
) -> Hold:
    """The world, or the labels of the run's alerts, do not give what it takes: hold, say so, look again."""
    hold = Hold(reason=reason, until=draft.now + UNREADABLE_RECHECK, detail=detail)
    if run.status in UNDECIDED and not _is_over(draft, run, policy):
        _hold(draft, run, policy, hold, ())
    return hold


def rule_gone(draft: Draft, run: Run, policy: Policy, detail: str = "") -> None:
    """A reload took away the rule, or the step that a waiting run stands on: it does not act any more."""
    detail = detail or f"the rule {run.rule} is no longer there"
    cancel_waiting(draft, run, policy, reason=Reason.RULE_GONE, detail=detail)


def alerts_wanted(rule: Rule) -> int:
    """How many of a run's alerts have to be read from the store to judge by this rule."""
    return ALERTS if rule.severity is None or rule.firing_for is not None else 0


def decide(
    draft: Draft,
    run: Run,
    rule: Rule,
    policy: Policy,
    world: WorldFacts,
    records: Records,
    planned: PlanSpec | None,
    *,
    may_begin: bool = True,
) -> Judgement | None:
    """Judge the run's next operation and commit to it, hold it, ask people, or deny it.

    `planned` is the fresh plan of the present step. In the middle of a plan it tells whether the rest
    still stands: where it differs, nothing more is done, and what was done is verified. None goes on
    with the stored plan unseen. `records` has as many of the run's alerts as `alerts_wanted` says, and the
    snapshot the open incidents of the services in `unless_open`. Without `may_begin`, what is allowed is
    left for later.

    Returns None when there was nothing to judge: the run waits for no decision, its alert is over, or
    its plan is stale.
    """
    if run.status not in UNDECIDED:
        return None
    close_what_is_gone(draft, run, policy, world)
    if _is_over(draft, run, policy):
        return None
    if planned is not None and not planned.operations:
        empty = TargetError(Reason.NO_TARGET, "the plan has no operation", lasting=True)
        plan_failed(draft, run, policy, empty, draft.now)
        return None
    if planned is not None and run.operation > 0 and _differs(draft, run, planned):
        why = f"stale after {run.operation} operations; now the plan would be: {planned.summary}"
        verify(draft, run, reason=Reason.STALE_PLAN, why=why)
        return None
    # A rule may have been reloaded since the run began; the record tells which version decides.
    run = replace(run, rule_version=rule.version)
    plan, operations, fresh = _plan(draft, run, rule, planned)
    request = Request(
        run=run,
        rule=rule,
        incident=draft.snapshot.get(Incident, run.incident_id),
        plan=plan,
        operations=operations,
        policy=policy,
        world=world,
        stored=_stored_facts(draft, run, rule, plan, records),
        unclassified=not run.by_hand
        and bool(records.alerts)
        and all(classify(draft, alert.labels, rule).by == NOTHING for alert in records.alerts),
    )
    judgement = judge(request, draft.now)
    match judgement.overall:
        case Deny() as deny:
            outcome = Outcome.SHADOW if deny.reason is Reason.SHADOW else Outcome.DENIED
            run = replace(run, plan_id=plan.id)
            _record(draft, request, judgement, (*fresh, run))
            cancel_waiting(draft, run, policy, outcome=outcome, reason=deny.reason, detail=deny.detail)
        case Hold() as hold:
            _hold(draft, replace(run, plan_id=plan.id), policy, hold, fresh, _told(request, judgement))
        case NeedsApproval() as needs:
            _record(draft, request, judgement, fresh)
            ask(draft, run, plan, operations, needs, policy, request.severity)
        case Allow() if may_begin:
            _begin(draft, request, judgement, fresh)
    return judgement


def close_what_is_gone(draft: Draft, run: Run, policy: Policy, world: WorldFacts) -> None:
    """End the run's episodes that Alertmanager has just been seen without, as far as this is about them.

    And what waits for their sake.
    """
    absent = {s.fingerprint: s.at for s in world.sightings if s.state == "absent"}
    gone = [
        (episode, looked_at)
        for episode in fires(draft, run)
        if (looked_at := absent.get(episode.fingerprint)) is not None
        and episode.opened_at <= looked_at
        # If it was heard of after it was looked for, it fires again, or still.
        and (world.confirmed_at is None or world.confirmed_at <= looked_at)
    ]
    close_episodes(draft, gone, policy, by=ASKED)


def _is_over(draft: Draft, run: Run, policy: Policy) -> bool:
    """Whether what the run is there for has passed; then it is not waiting any longer."""
    if run.by_hand:
        return _is_too_late(draft, run, policy)
    if still_fires(draft, run):
        return False
    run = draft.snapshot.get(Run, run.id)
    cancel_waiting(draft, run, policy, reason=Reason.RESOLVED, detail="the alert ended first")
    return True


def _is_too_late(draft: Draft, run: Run, policy: Policy) -> bool:
    """Whether a person's wish is too old to be carried out; there is no alert to tell that it still counts.

    It counts from the last thing that was said or done, until the first step is over.
    """
    approvals = [a for a in draft.snapshot.all(Approval) if a.run_id == run.id]
    said = [a.ended_at for a in approvals if a.status is ApprovalStatus.GRANTED]
    done = [a.ended_at for a in draft.snapshot.all(Attempt) if a.run_id == run.id]
    since = max(at for at in (run.created_at, *said, *done) if at is not None)
    if run.step > 0 or draft.now - since < BY_HAND_WITHIN:
        return False
    held = f": held for {run.hold_reason}" if run.hold_reason else ""
    detail = f"started by {run.requested_by}, and not done within {format_duration(BY_HAND_WITHIN)}{held}"
    cancel_waiting(draft, run, policy, outcome=Outcome.EXPIRED, reason=Reason.TOO_LATE, detail=detail)
    return True


def _differs(draft: Draft, run: Run, planned: PlanSpec) -> bool:
    """Whether a fresh plan means other acts, or acts on other objects, than the one under way."""
    plan, operations = _stored_plan(draft, run)
    return (plan.action, plan.params, _meant(operations)) != (
        planned.action,
        planned.params,
        _meant(planned.operations),
    )


def _meant(operations: tuple[Operation | OperationSpec, ...]) -> list[tuple[str, str, dict[str, Json]]]:
    return [(o.kind, o.object_id, o.change) for o in operations]


def _stored_plan(draft: Draft, run: Run) -> tuple[Plan, tuple[Operation, ...]]:
    plan = draft.snapshot.get(Plan, run.plan_id)
    operations = [o for o in draft.snapshot.all(Operation) if o.plan_id == plan.id]
    return plan, tuple(sorted(operations, key=lambda o: o.number))


def _plan(
    draft: Draft, run: Run, rule: Rule, planned: PlanSpec | None
) -> tuple[Plan, tuple[Operation, ...], tuple[Plan | Operation, ...]]:
    """The plan to judge with its operations, and those of its rows that are not stored yet."""
    if planned is None:
        return *_stored_plan(draft, run), ()
    plan = Plan(
        id=draft.snapshot.next_id(Plan),
        run_id=run.id,
        step=run.step,
        digest=planned.digest(rule.version, run.step),
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


def _stored_facts(draft: Draft, run: Run, rule: Rule, plan: Plan, records: Records) -> StoredFacts:
    approvals = [a for a in draft.snapshot.all(Approval) if a.run_id == run.id and a.digest == plan.digest]
    approval = max(approvals, key=lambda a: a.id, default=None)
    return StoredFacts(
        lock=draft.snapshot.find(Lock, run.service),
        pause=draft.snapshot.find(Control, PAUSE),
        history=records.history,
        elsewhere=records.elsewhere,
        alerts=records.alerts,
        alerts_of_incident=records.alerts_of_incident,
        others_open=tuple(
            i for i in draft.snapshot.all(Incident) if i.open and i.service in (rule.unless_open or ())
        ),
        approval=approval,
        decisions=tuple(
            d
            for d in draft.snapshot.all(ApprovalDecision)
            if approval is not None and d.approval_id == approval.id
        ),
    )


def _told(request: Request, judgement: Judgement) -> dict[str, Json]:
    """What the record says of a decision: what was to be done, every verdict, and the facts."""
    run, plan = request.run, request.plan
    return {
        "rule": run.rule,
        "rule_version": run.rule_version,
        "severity": request.severity.value,
        "action": plan.action,
        "plan": plan.id,
        "digest": plan.digest,
        "step": run.step,
        "operation": run.operation,
        "overall": word(judgement.overall),
        "decisive": judgement.decisive,
        "verdicts": judgement.told(),
        "facts": request.world.told(),
        "stored": request.stored.told(),
    }


def _record(draft: Draft, request: Request, judgement: Judgement, puts: tuple[Any, ...]) -> None:
    run = request.run
    told = _told(request, judgement)
    draft.record("run.decided", incident=run.incident_id, puts=puts, run=run.id, **told)


def _hold(
    draft: Draft,
    run: Run,
    policy: Policy,
    hold: Hold,
    fresh: tuple[Plan | Operation, ...],
    told: dict[str, Json] | None = None,
) -> None:
    """Hold a run. Looked at again and held for the same reason, with nothing new to say, adds nothing."""
    again = run.status is RunStatus.HELD and run.hold_reason is hold.reason
    if again and (hold.reason in UNREADABLE or run.hold_detail == hold.detail):
        return
    held = replace(run, status=RunStatus.HELD, hold_reason=hold.reason, hold_detail=hold.detail)
    until = hold.until.isoformat() if hold.until else None
    unreadable = run.hold_reason in UNREADABLE and hold.reason in UNREADABLE
    messages = (
        draft.messages(
            policy.channels,
            "held",
            incident=run.incident_id,
            reason=hold.reason.value,
            detail=hold.detail,
            until=until,
            **about(draft, run),
        )
        if hold.reason in HOLDS_TOLD and not again and not unreadable
        else ()
    )
    draft.record(
        "run.held",
        incident=run.incident_id,
        puts=(*fresh, held, *messages),
        run=run.id,
        reason=hold.reason.value,
        detail=hold.detail,
        until=until,
        **(told or {"rule": run.rule, "rule_version": run.rule_version}),
    )
    pass_turn(draft, run.service)


def _begin(draft: Draft, request: Request, judgement: Judgement, fresh: tuple[Plan | Operation, ...]) -> None:
    """Commit to the act: from here on, a crash is followed by a probe, never by a blind repeat."""
    run, operation = request.run, request.operations[request.run.operation]
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
    acting = replace(
        run, status=RunStatus.ACTING, plan_id=request.plan.id, hold_reason=None, hold_detail=None
    )
    lock = () if request.stored.lock else (Lock(service=run.service, run_id=run.id, since=draft.now),)
    _record(draft, request, judgement, (*fresh, acting, attempt, *lock))
