"""What became of an act: its report, the probe of it, a person's word, and the verification."""

from dataclasses import replace

from remediator.decide.draft import Draft
from remediator.decide.ending import (
    about,
    cancel_waiting,
    drop_approvals,
    finish,
    fires,
    still_fires,
    verify,
)
from remediator.decide.intake import ASKED, close_episodes, propose
from remediator.decide.policy import Policy
from remediator.decide.verify import Assessment
from remediator.model.plan import Operation, Plan
from remediator.model.rule import Rule
from remediator.model.run import ALERT, Attempt, Incident, Run
from remediator.model.words import AttemptStatus, Json, Outcome, Reason, RunStatus
from remediator.model.world import ActFailed, Applied, ApplyResult, NotApplied, ProbeResult

MAX_TRIES = 3
"""Tries at one operation that prove not to have happened, before the step counts as failed."""


def act_ended(
    draft: Draft, run: Run, attempt: Attempt, rule: Rule, policy: Policy, result: ApplyResult, seconds: float
) -> None:
    """An operation was applied, failed, or nobody knows: record it and go where that leads."""
    if attempt.status is not AttemptStatus.INTENT:
        return
    if isinstance(result, Applied):
        _applied(draft, run, attempt, result.result, seconds)
    elif isinstance(result, ActFailed):
        _failed(draft, run, attempt, rule, policy, result.result, seconds)
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
    if run.status is not RunStatus.ACTING:
        return
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
    elif isinstance(result, ActFailed):
        told = {**attempt.result, **result.result, "probed": True}
        _failed(draft, run, attempt, rule, policy, told, None)
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
    """The act did not happen: once more as a new attempt through the guardrails, within bounds.

    Where somebody wanted the run stopped meanwhile, this is the safe point.
    """
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
    if run.cancel_requested is not None:
        cancel_waiting(
            draft,
            again,
            policy,
            reason=Reason.CANCELLED_BY_PERSON,
            detail=f"stopped by {run.cancel_requested}; the act did not take place",
        )
        return
    tries = sum(
        1
        for a in draft.snapshot.all(Attempt)
        if a.run_id == run.id
        and a.step == run.step
        and a.object_id == attempt.object_id
        and a.status is AttemptStatus.NOT_APPLIED
    )
    if tries >= MAX_TRIES:
        detail = f"{tries} tries did not take effect"
        step_failed(draft, again, rule, policy, reason=Reason.ACT_FAILED, detail=detail)


def verified(draft: Draft, run: Run, rule: Rule, policy: Policy, assessment: Assessment) -> None:
    """The verification has a verdict: done, the next step, or a person.

    Success means that the alert was seen to be gone, so its episode ends here: were it left open until
    the `resolved` comes, an alert that fires again before would belong to it, and nobody would act.
    """
    if run.status is not RunStatus.VERIFYING or assessment.outcome is None:
        return
    if assessment.outcome is Outcome.FAILED:
        step_failed(draft, run, rule, policy, reason=assessment.reason, detail=assessment.detail)
        return
    succeeded = assessment.outcome is Outcome.SUCCEEDED
    if succeeded:
        close_seen_gone(draft, run, policy, assessment)
    finish(draft, run, policy, outcome=assessment.outcome, reason=assessment.reason, detail=assessment.detail)
    if succeeded and rule.steps and still_fires(draft, run):
        incident = draft.snapshot.get(Incident, run.incident_id)
        propose(draft, incident, rule, requested_by=ALERT, why="the alert began again after the last look")


def close_seen_gone(draft: Draft, run: Run, policy: Policy, assessment: Assessment) -> None:
    """End the run's episodes that a verification saw to be over, as far as the decision is about them."""
    if assessment.at is not None:
        gone = [(e, assessment.at) for e in fires(draft, run) if e.opened_at <= assessment.at]
        close_episodes(draft, gone, policy, by=ASKED)


def step_failed(draft: Draft, run: Run, rule: Rule, policy: Policy, *, reason: Reason, detail: str) -> None:
    """Climb to the next rung of the ladder; end as failed when there is none, or somebody stopped the run."""
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
        stopped = f"; stopped by {run.cancel_requested}" if run.cancel_requested else ""
        finish(draft, run, policy, outcome=Outcome.FAILED, reason=reason, detail=detail + stopped)


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


def _failed(
    draft: Draft,
    run: Run,
    attempt: Attempt,
    rule: Rule,
    policy: Policy,
    result: dict[str, Json],
    seconds: float | None,
) -> None:
    draft.record(
        "attempt.failed",
        incident=run.incident_id,
        puts=(_ended(draft, attempt, AttemptStatus.FAILED, result),),
        run=run.id,
        attempt=attempt.id,
        action=_action(draft, run),
        seconds=seconds,
        result=result,
    )
    detail = str(result.get("error", "the act failed"))
    step_failed(draft, run, rule, policy, reason=Reason.ACT_FAILED, detail=detail)


def _ended(draft: Draft, attempt: Attempt, status: AttemptStatus, result: dict[str, Json]) -> Attempt:
    return replace(attempt, status=status, ended_at=draft.now, result=result)


def _action(draft: Draft, run: Run) -> str | None:
    plan = draft.snapshot.find(Plan, run.plan_id)
    return plan.action if plan else None
