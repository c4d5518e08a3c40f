"""People come first: a deploy, a deliberate stop or a hand on the target holds us back."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import AttemptStatus, Reason
from remediator.model.world import ObjectChange

RECHECK = timedelta(seconds=30)
SLACK = timedelta(seconds=2)
"""The engine's clock and ours may differ this much when telling our own acts from others'."""


def judge(request: Request, now: datetime) -> Verdict:
    """Hold for some time after a change that was not ours; unreadable facts hold, too."""
    window = request.policy.hands_off(request.rule.guards)
    if window <= timedelta(0):
        return Allow(detail="switched off")
    if request.world.changes_error is not None:
        return Hold(reason=Reason.FACT_UNREADABLE, until=now + RECHECK, detail=request.world.changes_error)
    foreign = [
        change
        for change in request.world.changes
        if (change.at is None or change.at > now - window) and not _ours(change, request)
    ]
    if not foreign:
        return Allow()
    last = max(foreign, key=lambda change: change.at or now)
    if last.at is None:
        return Hold(
            reason=Reason.CHANGED_BY_OTHERS,
            until=now + RECHECK,
            detail=f"{last.object_name}: {last.what}, by somebody else",
        )
    return Hold(
        reason=Reason.CHANGED_BY_OTHERS,
        until=last.at + window,
        detail=f"{last.object_name}: {last.what} at {last.at.isoformat()}, by somebody else",
    )


def _ours(change: ObjectChange, request: Request) -> bool:
    """Whether an act of ours explains a change.

    The history is the service's, so this holds for what a named command did to it, too. But an act on
    one object of the plan explains no change of another one.
    """
    if change.at is None:
        return False
    planned = {operation.object_id for operation in request.operations}
    return any(
        # What did not happen explains nothing, unless the probe found that it was begun.
        (attempt.status is not AttemptStatus.NOT_APPLIED or bool(attempt.result.get("half_done")))
        and attempt.intent_at - SLACK <= change.at <= (attempt.ended_at or attempt.deadline) + SLACK
        and (attempt.object_id == change.object_id or not {attempt.object_id, change.object_id} <= planned)
        for attempt in request.stored.history
    )
