"""What tests of the store begin with: a store, and the least that an entity or an event needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from remediator.model.alert import Episode
from remediator.model.event import SYSTEM, Event, incident_chain
from remediator.model.plan import Operation, Plan
from remediator.model.run import Approval, Attempt, Incident, Message, Run
from remediator.model.words import (
    ApprovalStatus,
    AttemptStatus,
    EpisodeStatus,
    IncidentStatus,
    Reason,
    RunStatus,
    Severity,
)
from tests.unit.still_clock import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

    from remediator.store import Store, Transaction


def incident(number: int = 1, service: str = "web", **changes: Any) -> Incident:
    given = Incident(
        id=number,
        correlation_key=f"service:{service}",
        service=service,
        severity=Severity.P1,
        type=None,
        status=IncidentStatus.OPEN,
        title=f"Down on {service}",
        opened_at=NOON,
    )
    return replace(given, **changes)


def episode(number: int = 1, fingerprint: str = "ab", incident_id: int | None = 1, **changes: Any) -> Episode:
    given = Episode(
        id=number,
        fingerprint=fingerprint,
        incident_id=incident_id,
        rule="web-down",
        status=EpisodeStatus.FIRING,
        labels={"alertname": "Down"},
        annotations={},
        generator_url="",
        starts_at=NOON,
        opened_at=NOON,
    )
    return replace(given, **changes)


def run(number: int = 1, incident_id: int = 1, service: str = "web", **changes: Any) -> Run:
    given = Run(
        id=number,
        incident_id=incident_id,
        rule="web-down",
        rule_version="1",
        service=service,
        status=RunStatus.PLANNING,
        requested_by="alert",
        created_at=NOON,
    )
    return replace(given, **changes)


def plan(number: int = 1, run_id: int = 1, **changes: Any) -> Plan:
    given = Plan(
        id=number, run_id=run_id, step=0, digest="d", action="restart", params={}, summary="", created_at=NOON
    )
    return replace(given, **changes)


def operation(key: int = 1, plan_id: int = 1, **changes: Any) -> Operation:
    given = Operation(
        id=key,
        plan_id=plan_id,
        number=0,
        kind="container.restart",
        object_id="c1",
        object_name="web-1",
        change={},
        before={},
        timeout=60.0,
    )
    return replace(given, **changes)


def attempt(number: int = 1, run_id: int = 1, service: str = "web", **changes: Any) -> Attempt:
    given = Attempt(
        id=number,
        run_id=run_id,
        operation_id=1,
        step=0,
        service=service,
        rule="web-down",
        object_id="c1",
        status=AttemptStatus.INTENT,
        intent_at=NOON,
        deadline=NOON,
    )
    return replace(given, **changes)


def approval(number: int = 1, run_id: int = 1, **changes: Any) -> Approval:
    given = Approval(
        id=number,
        run_id=run_id,
        digest="d",
        reason=Reason.SEVERITY_POLICY,
        status=ApprovalStatus.PENDING,
        needed=1,
        ask=1,
        requested_at=NOON,
        expires_at=NOON,
    )
    return replace(given, **changes)


def message(number: int = 1, channel: str = "ops", incident_id: int | None = 1, **changes: Any) -> Message:
    given = Message(
        id=number,
        channel=channel,
        incident_id=incident_id,
        kind="failed",
        payload={},
        status="waiting",
        created_at=NOON,
        next_at=NOON,
    )
    return replace(given, **changes)


def event(*puts: Any, incident_id: int | None = None, deletes: tuple[Any, ...] = (), **data: Any) -> Event:
    """An event that carries these entities; of the system, or of an incident."""
    chain = SYSTEM if incident_id is None else incident_chain(incident_id)
    return Event(chain=chain, kind="noted", at=NOON, actor="daemon", data=data, puts=puts, deletes=deletes)


def saving(*events: Event) -> Callable[[Transaction], None]:
    """A job that saves these events."""
    return lambda transaction: transaction.save(events)


async def put(store: Store, *entities: Any) -> None:
    """Have these entities in the store."""
    await store.write(saving(event(*entities)))
