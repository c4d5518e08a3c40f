"""Whose dependency is ill is not mended by a restart: some runs wait until other incidents are over."""

from datetime import datetime, timedelta

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason

RECHECK = timedelta(seconds=15)
"""The end of another service's incident wakes nobody here."""


def judge(request: Request, now: datetime) -> Verdict:
    """Hold while an incident of one of the services is open that the rule wants to be well."""
    others = [incident for incident in request.stored.others_open if incident.id != request.incident.id]
    if not others:
        return Allow()
    return Hold(
        reason=Reason.OTHER_INCIDENT_OPEN,
        until=now + RECHECK,
        detail="; ".join(f"incident {incident.id} of {incident.service} is open" for incident in others),
    )
