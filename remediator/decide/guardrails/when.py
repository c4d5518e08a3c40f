"""Conditions of a rule: times at which it may act, and how many alerts it takes."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason

RECHECK = timedelta(seconds=15)


def judge(request: Request, now: datetime) -> Verdict:
    """Hold outside the rule's times, and while fewer alerts of the incident fire than it wants.

    A run by hand needs no alert, but keeps to the times.
    """
    when, name = request.rule.when, request.rule.name
    if any(hours.contains(now) for hours in when.mute):
        detail = f"the rule {name} is muted at this time"
        return Hold(reason=Reason.OUTSIDE_HOURS, until=now + RECHECK, detail=detail)
    if when.active and not any(hours.contains(now) for hours in when.active):
        detail = f"the rule {name} is not active at this time"
        return Hold(reason=Reason.OUTSIDE_HOURS, until=now + RECHECK, detail=detail)
    if not request.run.by_hand and request.stored.alerts_of_incident < when.alerts:
        detail = f"fewer alerts of the incident fire than the {when.alerts} that the rule {name} wants"
        return Hold(reason=Reason.TOO_FEW_ALERTS, until=now + RECHECK, detail=detail)
    return Allow()
