"""Only so many acts in a window. Counted from the stored intents, so a restart forgets nothing."""

from dataclasses import dataclass, replace
from datetime import datetime

from remediator.decide.facts import Request
from remediator.model.rule import Budget
from remediator.model.run import UNDO_STEP
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import AttemptStatus, Reason


@dataclass(frozen=True, slots=True)
class Act:
    """A step that was carried out, or may have been: all its operations count as one."""

    run_id: int
    rule: str
    at: datetime
    """When it began."""
    over: datetime
    """When its last operation ended, or began if that has not ended."""


def other_acts(request: Request) -> list[Act]:
    """Acts on the service other than the step that asks now, oldest first."""
    acts: dict[tuple[int, int], Act] = {}
    for attempt in sorted(request.stored.history, key=lambda a: (a.intent_at, a.id)):
        step = (attempt.run_id, attempt.step)
        if attempt.status is AttemptStatus.NOT_APPLIED or step == (request.run.id, request.run.step):
            continue
        if attempt.step == UNDO_STEP:
            continue  # what is taken back is no further act
        over = attempt.ended_at or attempt.intent_at
        known = acts.get(step)
        acts[step] = (
            replace(known, over=max(known.over, over))
            if known
            else Act(attempt.run_id, attempt.rule, attempt.intent_at, over)
        )
    return list(acts.values())


def judge(request: Request, now: datetime) -> Verdict:
    """Hold until every budget, of the rule and of the service, has room again."""
    acts = other_acts(request)
    own = [act for act in acts if act.rule == request.rule.name]
    scopes = [(f"rule {request.rule.name}", b, own) for b in request.rule.guards.budget]
    scopes += [(f"service {request.run.service}", b, acts) for b in request.policy.budget]
    spent = [
        (free_at, who, limit)
        for who, limit, counted in scopes
        if (free_at := _free_at(limit, counted, now)) is not None
    ]
    if not spent:
        return Allow()
    until, who, limit = max(spent, key=lambda entry: entry[0])
    return Hold(
        reason=Reason.BUDGET,
        until=until,
        detail=f"the budget {limit} of {who} is spent until {until.isoformat()}",
    )


def _free_at(limit: Budget, acts: list[Act], now: datetime) -> datetime | None:
    recent = [act.at for act in acts if act.at > now - limit.window]
    if len(recent) < limit.count:
        return None
    return recent[-limit.count] + limit.window
