"""The daemon itself: not before it has caught up after a start, not while it stops."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason

RECHECK = timedelta(seconds=5)


def judge(request: Request, now: datetime) -> Verdict:
    """Hold while starting or draining."""
    if request.world.draining:
        return Hold(reason=Reason.DRAINING, until=now + RECHECK, detail="the daemon is stopping")
    if not request.world.reconciled:
        return Hold(
            reason=Reason.STARTING,
            until=now + RECHECK,
            detail="alerts have not been held against Alertmanager since the start",
        )
    return Allow()
