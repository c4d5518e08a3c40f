"""The kill switch: while anybody has paused the daemon, nothing is begun."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason

FILE_RECHECK = timedelta(seconds=10)
"""A pause file sends no event when it is removed, so it is looked for again."""


def judge(request: Request, now: datetime) -> Verdict:
    """Hold while a pause is on, by command or by file."""
    if request.world.paused_by_file is not None:
        return Hold(
            reason=Reason.PAUSED,
            until=now + FILE_RECHECK,
            detail=f"the file {request.world.paused_by_file} exists; remove it to go on",
        )
    pause = request.stored.pause
    if pause is not None:
        return Hold(reason=Reason.PAUSED, detail=f"paused by {pause.by}: {pause.reason}")
    return Allow()
