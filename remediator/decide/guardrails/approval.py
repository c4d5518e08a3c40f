"""Whether people must say yes first, and whether they have."""

from datetime import datetime

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, NeedsApproval, Verdict
from remediator.model.words import ApprovalStatus, Mode, Reason


def judge(request: Request, now: datetime) -> Verdict:
    """Ask people where severity, rule or daemon are in approve mode and nobody has granted this plan.

    The severity is read now, not when the run was planned. An approval counts until it expires, also
    for the later operations of its plan: past that, people are asked whether to go on.
    """
    policy = request.policy.severities[request.severity]
    if policy.mode is Mode.APPROVE:
        reason, why = Reason.SEVERITY_POLICY, f"{request.severity} needs a person"
    elif Mode.APPROVE in (request.rule.mode, request.policy.mode):
        reason, why = Reason.RULE_MODE, "approve mode"
    else:
        return Allow()
    approval = request.stored.approval
    people = max(policy.people, 1)
    if approval is not None and approval.status is ApprovalStatus.GRANTED and now < approval.expires_at:
        yes = {d.actor for d in request.stored.decisions if d.granted}
        if len(yes) >= max(people, approval.needed):
            return Allow(detail=f"approved by {', '.join(sorted(yes))}")
    return NeedsApproval(reason=reason, people=people, detail=why)
