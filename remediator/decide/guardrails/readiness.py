"""The daemon itself: not before it has caught up after a start, not while it stops."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason

RECHECK = timedelta(seconds=5)
PATIENCE = timedelta(minutes=1)
"""A start that takes longer is a fault that people are told of."""


def judge(request: Request, now: datetime) -> Verdict:
    """Hold while starting or draining; a start that does not end is a fact that cannot be read."""
    if request.world.draining:
        return Hold(reason=Reason.DRAINING, until=now + RECHECK, detail="the daemon is stopping")
    if not request.world.reconciled:
        began = request.world.started_at
        late = began is not None and now - began >= PATIENCE
        since = began.isoformat() if began else "that"
        return Hold(
            reason=Reason.FACT_UNREADABLE if late else Reason.STARTING,
            until=now + RECHECK,
            detail=f"Alertmanager has not answered since the start at {since}, "
            "so what ended meanwhile is not known",
        )
    return Allow()
