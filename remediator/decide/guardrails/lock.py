"""One run per service at a time."""

from datetime import datetime

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason


def judge(request: Request, now: datetime) -> Verdict:
    """Hold while another run has the service; it is woken, in order, when that one ends."""
    lock = request.stored.lock
    if lock is None or lock.run_id == request.run.id:
        return Allow()
    return Hold(
        reason=Reason.LOCKED, detail=f"run {lock.run_id} has {lock.service} since {lock.since.isoformat()}"
    )
