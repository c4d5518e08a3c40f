"""Requests to judge, each in order but for what a test changes."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from remediator.decide.facts import Request, StoredFacts, WorldFacts
from remediator.decide.policy import Policy
from remediator.model.alert import Sighting
from remediator.model.plan import Operation, Plan
from remediator.model.run import Approval, ApprovalDecision, Attempt, Incident, Run
from remediator.model.verdict import Hold, Verdict
from remediator.model.words import (
    ApprovalStatus,
    AttemptStatus,
    IncidentStatus,
    Reason,
    RunStatus,
    Severity,
)
from remediator.model.world import ObjectChange
from tests.unit.decide.case import NOON, a_rule, minutes

INSTANT = timedelta(microseconds=1)

RUN = Run(
    id=7,
    incident_id=1,
    rule="app-down",
    rule_version="v1",
    service="robo-rlhf",
    status=RunStatus.PLANNING,
    requested_by="alert",
    created_at=NOON,
)
INCIDENT = Incident(
    id=1,
    correlation_key="service:robo-rlhf",
    service="robo-rlhf",
    severity=Severity.P1,
    type=None,
    status=IncidentStatus.OPEN,
    title="ApplicationDown",
    opened_at=NOON,
)
PLAN = Plan(
    id=3,
    run_id=7,
    step=0,
    digest="d1",
    action="restart",
    params={},
    summary="restart web-1",
    created_at=NOON,
)
GRANTED = Approval(
    id=5,
    run_id=7,
    digest="d1",
    reason=Reason.SEVERITY_POLICY,
    status=ApprovalStatus.GRANTED,
    needed=1,
    ask=1,
    requested_at=NOON - minutes(5),
    expires_at=NOON + minutes(25),
)


def an_operation(number: int, name: str) -> Operation:
    return Operation(
        id=number + 1,
        plan_id=3,
        number=number,
        kind="container.restart",
        object_id=f"id-{name}",
        object_name=name,
        change={},
        before={},
        timeout=60.0,
    )


def an_act(
    ago: timedelta,
    *,
    run: int = 1,
    step: int = 0,
    rule: str = "app-down",
    status: AttemptStatus = AttemptStatus.APPLIED,
    lasted: timedelta | None = timedelta(0),
    name: str = "web-1",
    result: dict[str, Any] | None = None,
) -> Attempt:
    """An act that began so long before noon."""
    begun = NOON - ago
    return Attempt(
        id=int(ago.total_seconds() * 1000) + run * 10 + step,
        run_id=run,
        operation_id=1,
        step=step,
        service="robo-rlhf",
        rule=rule,
        object_id=f"id-{name}",
        status=status,
        intent_at=begun,
        deadline=begun + minutes(2),
        ended_at=None if lasted is None else begun + lasted,
        result=result or {},
    )


def a_yes(actor: str, *, granted: bool = True) -> ApprovalDecision:
    return ApprovalDecision(approval_id=5, actor=actor, granted=granted, reason="", at=NOON)


def a_change(
    ago: timedelta | None, *, name: str = "web-1", what: str = "stop", object_id: str | None = None
) -> ObjectChange:
    at = None if ago is None else NOON - ago
    return ObjectChange(object_id=object_id or f"id-{name}", object_name=name, what=what, at=at)


def a_request(
    *,
    run: dict[str, Any] | None = None,
    rule: dict[str, Any] | None = None,
    incident: dict[str, Any] | None = None,
    policy: dict[str, Any] | None = None,
    world: dict[str, Any] | None = None,
    objects: tuple[str, ...] = ("web-1",),
    **stored: Any,
) -> Request:
    """A request that nothing objects to, but for what is changed."""
    facts: dict[str, Any] = {
        "read_at": NOON,
        "alert_api": True,
        "sightings": (Sighting(fingerprint="a1", state="firing", at=NOON),),
        **(world or {}),
    }
    kept: dict[str, Any] = {
        "lock": None,
        "pause": None,
        "history": (),
        "approval": None,
        "decisions": (),
        **stored,
    }
    return Request(
        run=replace(RUN, **(run or {})),
        rule=a_rule(**(rule or {})),
        incident=replace(INCIDENT, **(incident or {})),
        plan=PLAN,
        operations=tuple(an_operation(number, name) for number, name in enumerate(objects)),
        policy=Policy(**(policy or {})),
        world=WorldFacts(**facts),
        stored=StoredFacts(**kept),
    )


def reason_of(verdict: Verdict, kind: type[Verdict]) -> Reason:
    assert type(verdict) is kind, verdict
    return verdict.reason


def until_of(verdict: Verdict) -> datetime | None:
    assert type(verdict) is Hold, verdict
    return verdict.until
