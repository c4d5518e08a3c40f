"""Whether people must say yes first, and whether they have."""

from datetime import datetime

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, NeedsApproval, Verdict
from remediator.model.words import ApprovalStatus, Mode, Reason


def judge(request: Request, now: datetime) -> Verdict:
    """Ask people where severity, rule or daemon are in approve mode and nobody has granted this plan.

    The severity is read now, not when the run was planned. Once the first operation of an approved
    plan is done, the rest of the same plan stands approved.
    """
    policy = request.policy.severities[request.incident.severity]
    if policy.mode is Mode.APPROVE:
        reason, why = Reason.SEVERITY_POLICY, f"{request.incident.severity} needs a person"
    elif Mode.APPROVE in (request.rule.mode, request.policy.mode):
        reason, why = Reason.RULE_MODE, "approve mode"
    else:
        return Allow()
    approval = request.stored.approval
    if approval is not None and approval.status is ApprovalStatus.GRANTED:
        in_time = now < approval.expires_at or request.run.operation > 0
        yes = {d.actor for d in request.stored.decisions if d.granted}
        if in_time and len(yes) >= max(policy.people, approval.needed):
            return Allow(detail=f"approved by {', '.join(sorted(yes))}")
    return NeedsApproval(reason=reason, people=max(policy.people, 1), detail=why)
