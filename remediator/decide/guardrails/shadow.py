"""Shadow mode: everything is decided and recorded, nothing is done."""

from datetime import datetime

from remediator.decide.facts import Request
from remediator.model.verdict import Allow, Deny, Verdict
from remediator.model.words import Mode, Reason


def judge(request: Request, now: datetime) -> Verdict:
    """Deny when the rule, the severity or the daemon is in shadow mode, or nobody says how bad it is."""
    severity = request.severity
    modes = {
        "the daemon": request.policy.mode,
        f"severity {severity}": request.policy.severities[severity].mode,
        f"rule {request.rule.name}": request.rule.mode,
    }
    shadowed = [who for who, mode in modes.items() if mode is Mode.SHADOW]
    if shadowed:
        return Deny(reason=Reason.SHADOW, detail=f"{' and '.join(shadowed)}: shadow mode")
    if request.unclassified:
        return Deny(
            reason=Reason.SHADOW,
            detail="no rule, no classification and no known `severity` label says how bad the alert is: "
            "shadow mode",
        )
    return Allow()
