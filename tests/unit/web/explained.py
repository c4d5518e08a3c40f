"""A plan, and what is told of an alert for which it is the plan."""

from datetime import UTC, datetime

from remediator.model.explain import Explanation, RuleLook, RulesLook, Unmet
from remediator.model.plan import OperationSpec, PlanSpec
from remediator.model.words import Severity

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
OBJECT = "c0ffee" * 10 + "abcd"
PLAN = PlanSpec(
    action="restart",
    params={},
    summary="restart container app-1",
    operations=(
        OperationSpec(
            kind="container.restart", object_id=OBJECT, object_name="app-1", change={"stop_timeout": 10}
        ),
    ),
)
EXPLANATION = Explanation(
    at=NOW,
    labels={"alertname": "ApplicationDown", "service": "app"},
    fingerprint="00000000000000ab",
    known="assumed",
    alertmanager="absent",
    rules_version="rules-1",
    rules=RulesLook(
        total=9,
        matched=(
            RuleLook(name="app-down", source="rules/apps.yml:3", fulfilled=2),
            RuleLook(name="any-down", source="rules/apps.yml:40", fulfilled=1),
        ),
        missed=(
            RuleLook(
                name="db-down",
                source="rules/db.yml:2",
                fulfilled=1,
                unmet=(Unmet(matcher='service="db"', value="app"), Unmet(matcher='zone="x"', value=None)),
            ),
        ),
        missed_total=7,
    ),
    rule="app-down",
    rule_version="1" * 64,
    severity=Severity.P0,
    type=None,
    classified_by="rule",
    service="app",
    target="compose_service app on engine local",
    step=0,
    action="restart",
    params={"stop_timeout": 10},
    plan=PLAN,
    digest="d" * 64,
    verdicts=(
        {"guardrail": "paused", "verdict": "allow", "reason": "ok", "detail": ""},
        {
            "guardrail": "cooldown",
            "verdict": "hold",
            "reason": "cooldown",
            "detail": "acted on a minute ago",
            "until": "2026-03-01T12:09:00+00:00",
        },
    ),
    facts={"reconciled": True},
    overall="hold",
    decisive="cooldown",
    reason="cooldown",
    detail="acted on a minute ago",
)
RECORDED = ({"seq": 3, "at": NOW, "kind": "run.decided", "data": {"overall": "allow", "rule": "app-down"}},)
