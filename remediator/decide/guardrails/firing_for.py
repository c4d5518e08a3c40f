"""Some alerts end by themselves: a rule may want one to have fired for some time."""

from datetime import datetime

from remediator.decide.facts import Request
from remediator.model.duration import format_duration
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason


def judge(request: Request, now: datetime) -> Verdict:
    """Hold until the oldest alert of the run has fired for as long as the rule wants.

    It is counted from when Prometheus says that the alert began. A run by hand needs no alert.
    """
    length, alerts = request.rule.firing_for, request.stored.alerts
    if length is None or request.run.by_hand or not alerts:
        return Allow()
    since = min(alert.starts_at for alert in alerts)
    if now >= since + length:
        return Allow(detail=f"firing since {since.isoformat()}")
    wanted = f"the rule {request.rule.name} wants {format_duration(length)}"
    return Hold(
        reason=Reason.NOT_FIRING_LONG,
        until=since + length,
        detail=f"firing since {since.isoformat()}; {wanted}",
    )
