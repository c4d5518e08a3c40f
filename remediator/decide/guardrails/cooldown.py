"""Some time must pass between acts on a service."""

from datetime import datetime

from remediator.decide.facts import Request
from remediator.decide.guardrails.budget import other_acts
from remediator.model.duration import format_duration
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason


def judge(request: Request, now: datetime) -> Verdict:
    """Hold until the cooldown of the rule, since its own acts, and of the service, since any, are over.

    It is counted from the end of an act, and a ladder climbs without waiting for itself.
    """
    acts = [act for act in other_acts(request) if act.run_id != request.run.id]
    own = [act for act in acts if act.rule == request.rule.name]
    waits = [
        (max(act.over for act in counted) + cooldown, cooldown)
        for cooldown, counted in ((request.rule.guards.cooldown, own), (request.policy.cooldown, acts))
        if cooldown is not None and counted
    ]
    until, cooldown = max(waits, default=(now, None))
    if cooldown is None or until <= now:
        return Allow()
    return Hold(
        reason=Reason.COOLDOWN,
        until=until,
        detail=f"{request.run.service} was acted on less than {format_duration(cooldown)} ago; "
        f"it is left alone until {until.isoformat()}",
    )
