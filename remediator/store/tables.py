"""The schema: a table for each entity of the model, and those that keep the record itself.

Columns of an entity's table are the fields of its dataclass. What must never happen twice is
held by unique indexes here, so that no slip of a decision can get past it.

A change here needs a migration of the same effect; a test compares the two.
"""

import re
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    event,
    literal_column,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from remediator.model.alert import Episode
from remediator.model.plan import Operation, Plan
from remediator.model.run import Approval, Attempt, Incident, Message, Run, Timer
from remediator.model.snapshot import KEYS
from remediator.model.words import ApprovalStatus, EpisodeStatus, IncidentStatus, RunStatus
from remediator.store.codec import codec

metadata = MetaData()

Number = BigInteger().with_variant(Integer(), "sqlite")
"""Whole numbers; SQLite numbers rows by itself only in a column of type INTEGER."""

_TYPES: dict[type, TypeEngine[Any]] = {
    int: Number,
    str: Text(),
    float: Float(),
    bool: Boolean(create_constraint=False),
    dict: Text(),
}


def literal(value: StrEnum | str) -> ColumnElement[str]:
    """A word of ours as a constant inside a statement: a partial index serves only those."""
    return literal_column(f"'{value}'", Text())


def _table_of(kind: type) -> Table:
    keys = KEYS[kind]
    columns: list[Column[Any]] = [
        Column(
            field.name,
            _TYPES[field.type],
            primary_key=field.name in keys,
            nullable=field.optional,
            autoincrement=False,
        )
        for field in codec(kind).fields
    ]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
    return Table(f"{words}s", metadata, *columns, sqlite_with_rowid=keys == ("id",))


TABLES: dict[type, Table] = {kind: _table_of(kind) for kind in KEYS}
"""The table of each entity type: its name is the plural of the type's."""

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""What holds for the database as a whole, such as its identity."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("received_at", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("processed", Boolean(create_constraint=False), nullable=False),
)
"""Webhook bodies as they came.

`processed` is a number, not a time: SQLite keeps 0 and 1 outside of the row's content, so the change
touches one page. A time would write the whole row anew, body and all.
"""

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("notification_id", Number, nullable=False),
    Column("position", Number, nullable=False),
    Column("raw", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("at", Text, nullable=False),
)
"""Alerts that could not be read, with what was wrong with them."""

events = Table(
    "events",
    metadata,
    Column("seq", Number, primary_key=True),
    Column("chain", Text, nullable=False),
    Column("number", Number, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""The record. `body` is the exact text that `hash` was taken over."""

chains = Table(
    "chains",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("number", Number, nullable=False),
    Column("hash", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""The head of each chain: number and hash of its last event."""

seals = Table(
    "seals",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("last_seq", Number, nullable=False),
    Column("digest", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
"""What binds the events of all chains together up to `last_seq`; each seal is bound to the one before."""

evidence = Table(
    "evidence",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),
)
"""What checks and acts saw, by its hash."""

_episodes = TABLES[Episode].c
_incidents = TABLES[Incident].c
_runs = TABLES[Run].c
_approvals = TABLES[Approval].c
_messages = TABLES[Message].c

# The conditions of the partial indexes. A query is served by one only if it uses the same condition.
FIRING = _episodes.status == literal(EpisodeStatus.FIRING)
OPEN = _incidents.status != literal(IncidentStatus.RESOLVED)
UNFINISHED = _runs.status != literal(RunStatus.FINISHED)
PENDING = _approvals.status == literal(ApprovalStatus.PENDING)
WAITING = _messages.status == literal("waiting")
UNPROCESSED = notifications.c.processed == literal_column("0", Integer())


def _partial(
    name: str, condition: ColumnElement[bool], *columns: Column[object], unique: bool = False
) -> None:
    Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


_partial("one_firing_episode", FIRING, _episodes.fingerprint, unique=True)
_partial("one_open_incident", OPEN, _incidents.correlation_key, unique=True)
_partial("one_unfinished_run", UNFINISHED, _runs.incident_id, _runs.rule, unique=True)
_partial("one_pending_approval", PENDING, _approvals.run_id, unique=True)

_partial("firing_episodes_of_incident", FIRING, _episodes.incident_id, _episodes.rule)
Index("episodes_of_fingerprint", _episodes.fingerprint, _episodes.id)
Index("episodes_of_incident", _episodes.incident_id, _episodes.rule, _episodes.id)
Index("incidents_by_status", _incidents.status, _incidents.id)
_partial("unfinished_runs_of_service", UNFINISHED, _runs.service)
Index("runs_of_incident", _runs.incident_id, _runs.id)
Index("runs_of_service", _runs.service, _runs.id)
Index("runs_by_status", _runs.status, _runs.id)
Index("plans_of_run", TABLES[Plan].c.run_id)
Index("operations_of_plan", TABLES[Operation].c.plan_id)
Index("attempts_of_run", TABLES[Attempt].c.run_id)
Index("attempts_of_service", TABLES[Attempt].c.service, TABLES[Attempt].c.intent_at)
Index("attempts_of_object", TABLES[Attempt].c.object_id, TABLES[Attempt].c.run_id)
Index("approvals_of_run", _approvals.run_id, _approvals.id)
Index("approvals_by_status", _approvals.status, _approvals.id)
Index("timers_by_time", TABLES[Timer].c.due_at)
_partial("waiting_messages", WAITING, _messages.channel, _messages.incident_id, _messages.id)
_partial("unprocessed_notifications", UNPROCESSED, notifications.c.id)
Index("quarantine_of_notification", quarantine.c.notification_id)
Index("events_of_chain", events.c.chain, events.c.number, unique=True)


def _refuse(table: Table, what: str, why: str) -> None:
    name = f"{table.name}_refuse_{what.split()[0].lower()}"
    text = f"CREATE TRIGGER {name} BEFORE {what} ON {table.name} BEGIN SELECT RAISE(ABORT, '{why}'); END"

    def create(_: Table, connection: Connection, **__: object) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(text)

    event.listen(table, "after_create", create)


for _table in (events, seals):
    _refuse(_table, "UPDATE", f"{_table.name} are append-only")
    _refuse(_table, "DELETE", f"{_table.name} are append-only")
_refuse(evidence, "UPDATE", "evidence is never changed")
_refuse(
    notifications, "UPDATE OF id, received_at, source, body, sha256", "notifications are kept as they came"
)
