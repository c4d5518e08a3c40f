"""What would be done about an alert, and why: it reads the world and the store, and changes neither."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from remediator.model.alert import Instant  # noqa: TC001 - pydantic needs it
from remediator.model.explain import AskedAlert
from remediator.web import forms
from remediator.web.body import Asked
from remediator.web.errors import Refusal

if TYPE_CHECKING:
    from remediator.model.explain import Explained, Explanation, RuleLook
    from remediator.model.plan import OperationSpec, PlanSpec
    from remediator.web.call import Call
    from remediator.web.forms import Form

NEAREST = 5
"""Rules that do not match that are told unless all are asked for."""

_Label = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


def _moment(text: Any) -> Any:
    return datetime.fromisoformat(text) if isinstance(text, str) else text


class OneAlert(Asked):
    """An alert, by its labels."""

    labels: dict[_Label, str] = Field(min_length=1)
    starts_at: Annotated[Instant, BeforeValidator(_moment)] | None = None


class ToExplain(Asked):
    """Exactly one of alerts, live ones, or an incident."""

    alerts: list[OneAlert] | None = Field(None, min_length=1, max_length=100)
    live: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    incident: int | None = Field(None, ge=1, lt=2**62)
    all: bool = False


async def explain(call: Call) -> Form:
    """POST /api/v1/explain."""
    asked = await call.body(ToExplain)
    most = None if asked.all else NEAREST
    if sum(one is not None for one in (asked.alerts, asked.live, asked.incident)) != 1:
        raise Refusal(400, "invalid", "give exactly one of alerts, live and incident")
    if asked.alerts is not None:
        alerts = [AskedAlert(labels=one.labels, starts_at=one.starts_at) for one in asked.alerts]
        return _explained(await call.desk.explain_alerts(alerts, most))
    if asked.live is not None:
        return _explained(await call.desk.explain_live(asked.live, most))
    return _explained(await call.desk.explain_incident(asked.incident or 0, most))


def _explained(explained: Explained) -> Form:
    return {
        "found": explained.found,
        "explanations": [_explanation(one) for one in explained.explanations],
        "recorded": [{**event, "at": forms.time(event["at"])} for event in explained.recorded],
    }


def _explanation(one: Explanation) -> Form:
    return {
        "at": forms.time(one.at),
        "labels": one.labels,
        "fingerprint": one.fingerprint,
        "known": one.known,
        "alertmanager": one.alertmanager,
        "rules_version": one.rules_version,
        "rules": {
            "total": one.rules.total,
            "matched": [_rule(look) for look in one.rules.matched],
            "missed": [_rule(look) for look in one.rules.missed],
            "missed_total": one.rules.missed_total,
        },
        "rule": one.rule,
        "rule_version": one.rule_version,
        "severity": one.severity,
        "type": one.type,
        "classified_by": one.classified_by,
        "service": one.service,
        "target": one.target,
        "incident": one.incident,
        "run": one.run,
        "run_status": one.run_status,
        "step": one.step,
        "action": one.action,
        "params": one.params,
        "plan": None if one.plan is None else _plan(one.plan, one.digest),
        "guardrails": list(one.verdicts),
        "facts": one.facts,
        "overall": one.overall,
        "decisive": one.decisive,
        "reason": one.reason,
        "detail": one.detail,
    }


def _rule(look: RuleLook) -> Form:
    unmet = [{"matcher": one.matcher, "value": one.value} for one in look.unmet]
    return {"name": look.name, "source": look.source, "fulfilled": look.fulfilled, "unmet": unmet}


def _plan(plan: PlanSpec, digest: str | None) -> Form:
    operations = [_operation(operation) for operation in plan.operations]
    return {"summary": plan.summary, "digest": digest, "operations": operations}


def _operation(operation: OperationSpec) -> Form:
    return {
        "kind": operation.kind,
        "object_id": operation.object_id,
        "object_name": operation.object_name,
        "change": operation.change,
        "timeout_seconds": operation.timeout.total_seconds(),
    }
