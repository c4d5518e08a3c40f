"""Some time must pass between acts on a service."""

from datetime import datetime

from remediator.decide.facts import Request
from remediator.decide.guardrails.budget import other_acts
from remediator.model.verdict import Allow, Hold, Verdict
from remediator.model.words import Reason


def judge(request: Request, now: datetime) -> Verdict:
    """Hold until the rule's cooldown (since its own acts) and the service's (since any) are over."""
    # A ladder climbs without waiting for itself.
    acts = [act for act in other_acts(request) if act.run_id != request.run.id]
    waits = [
        (max(act.at for act in acts if rule is None or act.rule == rule) + cooldown, cooldown)
        for rule, cooldown in (
            (request.rule.name, request.rule.guards.cooldown),
            (None, request.policy.cooldown),
        )
        if cooldown is not None and any(rule is None or act.rule == rule for act in acts)
    ]
    until, cooldown = max(waits, default=(now, None))
    if until > now:
        return Hold(
            reason=Reason.COOLDOWN,
            until=until,
            detail=f"{request.run.service} was acted on less than {cooldown} ago",
        )
    return Allow()
