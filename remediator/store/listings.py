"""What people look at: pages of entities, newest first, for the API and the dashboard.

Each page is one statement that an index serves, with only the conditions that were asked for.
"""

import json
import sqlite3
from functools import cache
from typing import Any

from sqlalchemy import select

from remediator.model.alert import Episode
from remediator.model.event import SYSTEM, StoredEvent
from remediator.model.plan import Operation
from remediator.model.run import Approval, ApprovalDecision, Attempt, Incident, Run
from remediator.model.words import ApprovalStatus, IncidentStatus, RunStatus
from remediator.store.codec import text_time
from remediator.store.records import Quarantined
from remediator.store.sql import Query, Statement, param
from remediator.store.tables import TABLES, events, evidence, quarantine


@cache
def _page(kind: Any, filters: tuple[str, ...], before: bool) -> Query[Any]:
    table = TABLES[kind]
    found = select(table).where(*[table.c[name] == param(name) for name in filters])
    if before:
        found = found.where(table.c.id < param("before"))
    return Query(kind, found.order_by(table.c.id.desc()).limit(param("limit")))


@cache
def _of(kind: Any, column: str, order: str) -> Query[Any]:
    table = TABLES[kind]
    return Query(kind, select(table).where(table.c[column] == param("id")).order_by(table.c[order]))


_EVENT = select(events.c.seq, events.c.chain, events.c.number, events.c.at, events.c.body, events.c.hash)
_EVENTS_AFTER = _EVENT.where(events.c.seq > param("after")).limit(param("limit"))
_ALL_EVENTS = Statement(_EVENTS_AFTER.order_by(events.c.seq))
# The chain of the system is long and most of the record: it is paged along the record. That of an
# incident is short and lies scattered: it is paged along itself.
_SYSTEM_EVENTS = Statement(_EVENTS_AFTER.where((events.c.chain + "") == SYSTEM).order_by(events.c.seq))
_CHAIN_EVENTS = Statement(
    _EVENTS_AFTER.where(events.c.chain == param("chain")).order_by(events.c.chain, events.c.number)
)

_QUARANTINE = select(quarantine).order_by(quarantine.c.id.desc()).limit(param("limit"))
_NEWEST_QUARANTINE = Statement(_QUARANTINE)
_QUARANTINE_BEFORE = Statement(_QUARANTINE.where(quarantine.c.id < param("before")))
_EVIDENCE = Statement(
    select(evidence.c.media_type, evidence.c.content).where(evidence.c.sha256 == param("sha256"))
)


class Listings:
    """The part of the reader that serves people."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def list_incidents(
        self,
        *,
        status: IncidentStatus | None = None,
        service: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Incident]:
        """Incidents, newest first; `before` is the id that the last page ended with."""
        return self._listed(Incident, before, limit, status=status, service=service)

    def list_runs(
        self,
        *,
        incident: int | None = None,
        status: RunStatus | None = None,
        service: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Run]:
        """Runs, newest first; `before` is the id that the last page ended with."""
        return self._listed(Run, before, limit, incident_id=incident, status=status, service=service)

    def list_approvals(
        self, *, status: ApprovalStatus | None = None, before: int | None = None, limit: int = 50
    ) -> list[Approval]:
        """Approvals, newest first; `before` is the id that the last page ended with."""
        return self._listed(Approval, before, limit, status=status)

    def _listed(self, kind: Any, before: int | None, limit: int, **filters: Any) -> list[Any]:
        values = {name: value for name, value in filters.items() if value is not None}
        page = _page(kind, tuple(values), before is not None)
        if before is not None:
            values["before"] = before
        return page.all(self._connection, limit=limit, **values)

    def list_episodes(self, incident_id: int) -> list[Episode]:
        """All episodes of an incident, oldest first."""
        return _of(Episode, "incident_id", "id").all(self._connection, id=incident_id)

    def list_attempts(self, run_id: int) -> list[Attempt]:
        """All attempts of a run, oldest first."""
        return _of(Attempt, "run_id", "id").all(self._connection, id=run_id)

    def list_operations(self, plan_id: int) -> list[Operation]:
        """The operations of a plan, in their order."""
        return _of(Operation, "plan_id", "number").all(self._connection, id=plan_id)

    def decisions(self, approval_id: int) -> list[ApprovalDecision]:
        """What people said to an approval, oldest first."""
        return _of(ApprovalDecision, "approval_id", "at").all(self._connection, id=approval_id)

    def list_events(self, *, chain: str | None = None, after: int = 0, limit: int = 100) -> list[StoredEvent]:
        """Events of one chain, or of all, oldest first; `after` is the seq that the last page ended with."""
        if chain is None:
            rows = _ALL_EVENTS.run(self._connection, after=after, limit=limit)
        elif chain == SYSTEM:
            rows = _SYSTEM_EVENTS.run(self._connection, after=after, limit=limit)
        else:
            rows = _CHAIN_EVENTS.run(self._connection, chain=chain, after=after, limit=limit)
        return [_event(*row) for row in rows]

    def list_quarantine(self, *, before: int | None = None, limit: int = 50) -> list[Quarantined]:
        """Alerts that could not be read, newest first; `before` is the id that the last page ended with."""
        if before is None:
            rows = _NEWEST_QUARANTINE.run(self._connection, limit=limit)
        else:
            rows = _QUARANTINE_BEFORE.run(self._connection, limit=limit, before=before)
        return [
            Quarantined(
                id=number,
                notification_id=notification,
                position=position,
                raw=raw,
                error=error,
                at=text_time(at),
            )
            for number, notification, position, raw, error, at in rows
        ]

    def evidence(self, sha256: str) -> tuple[str, bytes] | None:
        """Media type and content of a piece of evidence, or None if there is none with this hash."""
        row: tuple[str, bytes] | None = _EVIDENCE.run(self._connection, sha256=sha256).fetchone()
        return row


def _event(seq: int, chain: str, number: int, at: str, body: str, link: str) -> StoredEvent:
    told = json.loads(body)
    return StoredEvent(
        seq=seq,
        chain=chain,
        number=number,
        kind=told["kind"],
        at=text_time(at),
        actor=told["actor"],
        data=told["data"],
        hash=link,
    )
