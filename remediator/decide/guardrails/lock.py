"""One run per service, and per object, at a time."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason

RECHECK = timedelta(seconds=5)
"""Who has the object has another service, so its end wakes nobody here."""


def judge(request: Request, now: datetime) -> Verdict:
    """Hold while another run has the service; it is woken, in order, when that one ends.

    Hold, too, while a run of another service acts on one of the plan's objects, or watches what became
    of it: the catalogue may know a container by two names.
    """
    lock = request.stored.lock
    if lock is not None and lock.run_id != request.run.id:
        return Hold(
            reason=Reason.LOCKED,
            detail=f"run {lock.run_id} has {lock.service} since {lock.since.isoformat()}",
        )
    names = {operation.object_id: operation.object_name for operation in request.operations}
    for attempt in request.stored.elsewhere:
        return Hold(
            reason=Reason.OBJECT_LOCKED,
            until=now + RECHECK,
            detail=f"run {attempt.run_id} for {attempt.service} is at work on "
            f"{names.get(attempt.object_id, attempt.object_id)}",
        )
    return Allow()
