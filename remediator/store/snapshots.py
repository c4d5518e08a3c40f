"""Loads what one decision looks at.

Every statement takes lists, so the number of statements does not grow with what is asked for, and
the later ones are only run for what the earlier ones found: most notifications repeat what is known.
Nor does what is loaded grow with an incident: of ten thousand alerts of one service, a decision about
twenty-five gets those, and is told that there are more.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from remediator.model.alert import Episode
from remediator.model.plan import Operation, Plan
from remediator.model.run import Approval, ApprovalDecision, Attempt, Control, Incident, Lock, Run
from remediator.model.snapshot import Snapshot
from remediator.store.sql import Query, Statement, each, each_text, listed, served_by
from remediator.store.tables import FIRING, OPEN, TABLES, UNFINISHED

_EPISODES, _INCIDENTS, _RUNS = TABLES[Episode], TABLES[Incident], TABLES[Run]


def _of(kind: type[Any], column: str, order: str = "id") -> Query[Any]:
    table = TABLES[kind]
    found = select(table).where(table.c[column].in_(each("ids"))).order_by(table.c[order])
    return Query(kind, found)


_LATEST_EPISODES = Query(
    Episode,
    select(_EPISODES)
    .where(
        _EPISODES.c.id.in_(
            select(func.max(_EPISODES.c.id))
            .where(_EPISODES.c.fingerprint.in_(each_text("fingerprints")))
            .group_by(_EPISODES.c.fingerprint)
        )
    )
    .order_by(_EPISODES.c.id),
)


def _one_firing(*which: ColumnElement[bool]) -> Any:
    """The number of one firing episode like this that is not among the known ones, if there is any."""
    found = select(_EPISODES.c.id).where(*which, FIRING, _EPISODES.c.id.not_in(each("known")))
    found = found.with_hint(_EPISODES, "INDEXED BY firing_episodes_of_incident", "sqlite")
    return found.limit(1).scalar_subquery()


_BEYOND = _EPISODES.alias("beyond")
_FIRES_BEYOND = Statement(
    select(_BEYOND.c.incident_id, _BEYOND.c.rule).where(
        or_(
            _BEYOND.c.id.in_(
                select(_one_firing(_EPISODES.c.incident_id == _INCIDENTS.c.id)).where(
                    _INCIDENTS.c.id.in_(each("incidents"))
                )
            ),
            _BEYOND.c.id.in_(
                select(
                    _one_firing(
                        _EPISODES.c.incident_id == _RUNS.c.incident_id, _EPISODES.c.rule == _RUNS.c.rule
                    )
                ).where(_RUNS.c.id.in_(each("runs")))
            ),
        )
    )
)
_INCIDENTS_OF = Query(
    Incident,
    select(_INCIDENTS)
    .where(
        or_(
            _INCIDENTS.c.id.in_(each("ids")),
            and_(_INCIDENTS.c.correlation_key.in_(each_text("keys")), OPEN),
        )
    )
    .order_by(_INCIDENTS.c.id),
)
_GIVEN_RUNS = _of(Run, "id")
_RUNS_OF_INCIDENTS = Query(
    Run,
    served_by("one_unfinished_run", select(_RUNS).where(_RUNS.c.incident_id.in_(each("ids")), UNFINISHED)),
)
_RUNS_OF_SERVICES = Query(
    Run,
    served_by(
        "unfinished_runs_of_service",
        select(_RUNS)
        .where(_RUNS.c.service.in_(each_text("services")), _RUNS.c.id.not_in(each("known")), UNFINISHED)
        .order_by(_RUNS.c.id),
    ),
)
_PLANS = _of(Plan, "id")
_OPERATIONS = _of(Operation, "plan_id")
_APPROVALS = _of(Approval, "run_id")
_DECISIONS = _of(ApprovalDecision, "approval_id", order="at")
_ATTEMPTS = _of(Attempt, "run_id")
_LOCKS = Query(Lock, select(TABLES[Lock]).where(TABLES[Lock].c.service.in_(each_text("services"))))
_CONTROLS = Query(Control, select(TABLES[Control]))


def load_snapshot(
    connection: sqlite3.Connection,
    *,
    fingerprints: Iterable[str],
    keys: Iterable[str],
    incidents: Iterable[int],
    runs: Iterable[int],
    next_id: Callable[[type], int] | None,
) -> Snapshot:
    """The snapshot that `Reader.snapshot` tells of."""
    given = list(runs)
    chosen = {run.id: run for run in _GIVEN_RUNS.all(connection, ids=listed(given))} if given else {}
    prints = list(fingerprints)
    latest = _LATEST_EPISODES.all(connection, fingerprints=listed(prints)) if prints else []

    wanted = {*incidents, *(run.incident_id for run in chosen.values())}
    ids = listed({*wanted, *(e.incident_id for e in latest if e.incident_id is not None)})
    found = _INCIDENTS_OF.all(connection, ids=ids, keys=listed(keys))
    alive = [incident.id for incident in found if incident.open or incident.id in wanted]

    beyond: list[tuple[int, str | None]] = []
    if alive:
        ids = listed(alive)
        for run in _RUNS_OF_INCIDENTS.all(connection, ids=ids):
            chosen[run.id] = run
        known = listed(episode.id for episode in latest)
        beyond = _FIRES_BEYOND.run(connection, incidents=ids, runs=listed(chosen), known=known).fetchall()
    of_runs = _what_hangs_on(connection, chosen) if chosen else []
    return Snapshot(
        [
            *found,
            *latest,
            *(chosen[number] for number in sorted(chosen)),
            *of_runs,
            *_CONTROLS.all(connection),
        ],
        next_id=next_id,
        fires_beyond=beyond,
    )


def _what_hangs_on(connection: sqlite3.Connection, runs: dict[int, Run]) -> list[Any]:
    """Plans, operations, approvals, decisions, attempts and locks, and who else waits for the services."""
    run_ids = listed(runs)
    entities: list[Any] = []
    plan_ids = [run.plan_id for run in runs.values() if run.plan_id is not None]
    if plan_ids:
        ids = listed(plan_ids)
        entities += _PLANS.all(connection, ids=ids)
        entities += _OPERATIONS.all(connection, ids=ids)
    entities += _ATTEMPTS.all(connection, ids=run_ids)
    approvals = _APPROVALS.all(connection, ids=run_ids)
    if approvals:
        entities += approvals
        entities += _DECISIONS.all(connection, ids=listed(approval.id for approval in approvals))
    services = listed({run.service for run in runs.values()})
    entities += _LOCKS.all(connection, services=services)
    entities += _RUNS_OF_SERVICES.all(connection, services=services, known=run_ids)
    return entities
