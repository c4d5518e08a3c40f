"""Conditions of a rule: times at which it may act, how many alerts it takes, what Prometheus must say."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason

RECHECK = timedelta(seconds=15)


def judge(request: Request, now: datetime) -> Verdict:
    """Hold outside the rule's times, with fewer alerts of the incident, or while Prometheus says otherwise.

    What it cannot be asked does not hold, either. A run by hand needs no alert, but keeps to the rest.
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
    return Allow() if when.promql is None else _by_prometheus(request, when.promql, now)


def _by_prometheus(request: Request, promql: str, now: datetime) -> Verdict:
    answer = request.world.answer
    if answer is None or answer.promql != promql or answer.error is not None:
        why = answer.error if answer and answer.error else "it was not asked"
        detail = f"Prometheus did not answer `{promql}`: {why}"
        return Hold(reason=Reason.FACT_UNREADABLE, until=now + RECHECK, detail=detail)
    if answer.met:
        return Allow(detail=f"`{promql}` holds")
    said = f"is {answer.told[0][1]}" if answer.told else "has no series"
    return Hold(reason=Reason.CONDITION_NOT_MET, until=now + RECHECK, detail=f"`{promql}` {said}")
