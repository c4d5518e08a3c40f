"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _number(name: str, *, primary_key: bool = False, nullable: bool = False) -> "sa.Column[int]":
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, primary_key=primary_key, nullable=nullable, autoincrement=False)


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=primary_key, nullable=nullable)


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _refuse(table: str, verb: str, what: str, why: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {table}_refuse_{verb} BEFORE {what} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
        )


def upgrade() -> None:
    """Create everything."""
    _create_entities()
    _create_record()
    _create_indexes()
    _create_triggers()


def _create_entities() -> None:
    op.create_table(
        "episodes",
        _number("id", primary_key=True),
        _text("fingerprint"),
        _number("incident_id", nullable=True),
        _text("rule", nullable=True),
        _text("status"),
        _text("labels"),
        _text("annotations"),
        _text("generator_url"),
        _text("starts_at"),
        _text("opened_at"),
        _text("ends_at", nullable=True),
        _text("closed_at", nullable=True),
        _text("closed_by", nullable=True),
    )
    op.create_table(
        "incidents",
        _number("id", primary_key=True),
        _text("correlation_key"),
        _text("service", nullable=True),
        _text("severity"),
        _text("type", nullable=True),
        _text("status"),
        _text("title"),
        _text("opened_at"),
        _text("resolved_at", nullable=True),
    )
    op.create_table(
        "runs",
        _number("id", primary_key=True),
        _number("incident_id"),
        _text("rule"),
        _text("rule_version"),
        _text("service"),
        _text("status"),
        _number("step"),
        _number("operation"),
        _number("plan_id", nullable=True),
        _text("requested_by"),
        _text("created_at"),
        sa.Column("triaged", sa.Boolean(), nullable=False),
        _text("evidence"),
        _text("cancel_requested", nullable=True),
        _text("hold_reason", nullable=True),
        _text("hold_detail", nullable=True),
        _text("verify_from", nullable=True),
        _text("reason", nullable=True),
        _text("detail", nullable=True),
        _text("outcome", nullable=True),
        _text("finished_at", nullable=True),
        _number("undoes", nullable=True),
    )
    op.create_table(
        "plans",
        _number("id", primary_key=True),
        _number("run_id"),
        _number("step"),
        _text("digest"),
        _text("action"),
        _text("params"),
        _text("summary"),
        _text("created_at"),
    )
    op.create_table(
        "operations",
        _number("id", primary_key=True),
        _number("plan_id"),
        _number("number"),
        _text("kind"),
        _text("object_id"),
        _text("object_name"),
        _text("change"),
        _text("before"),
        sa.Column("timeout", sa.Float(), nullable=False),
    )
    op.create_table(
        "attempts",
        _number("id", primary_key=True),
        _number("run_id"),
        _number("operation_id"),
        _number("step"),
        _text("service"),
        _text("rule"),
        _text("object_id"),
        _text("status"),
        _text("intent_at"),
        _text("deadline"),
        _text("ended_at", nullable=True),
        _text("result"),
    )
    op.create_table(
        "approvals",
        _number("id", primary_key=True),
        _number("run_id"),
        _text("digest"),
        _text("reason"),
        _text("status"),
        _number("needed"),
        _number("ask"),
        _text("requested_at"),
        _text("expires_at"),
        _text("ended_at", nullable=True),
    )
    op.create_table(
        "approval_decisions",
        _number("approval_id", primary_key=True),
        _text("actor", primary_key=True),
        sa.Column("granted", sa.Boolean(), nullable=False),
        _text("reason"),
        _text("at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "effects",
        _number("id", primary_key=True),
        _text("service"),
        _text("kind"),
        _text("base"),
        _text("applied"),
        _text("until"),
        _text("status"),
        _text("created_at"),
        _text("expires_at", nullable=True),
        _text("ended_at", nullable=True),
    )
    op.create_table(
        "claims",
        _number("effect_id", primary_key=True),
        _number("incident_id", primary_key=True),
        _text("wanted"),
        _text("since"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "locks",
        _text("service", primary_key=True),
        _number("run_id"),
        _text("since"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "timers",
        _text("key", primary_key=True),
        _text("due_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "controls",
        _text("key", primary_key=True),
        _text("by"),
        _text("reason"),
        _text("at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "messages",
        _number("id", primary_key=True),
        _text("channel"),
        _number("incident_id", nullable=True),
        _text("kind"),
        _text("payload"),
        _text("status"),
        _text("created_at"),
        _number("attempts"),
        _text("next_at"),
        _text("error", nullable=True),
    )


def _create_record() -> None:
    op.create_table(
        "meta",
        _text("key", primary_key=True),
        _text("value"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notifications",
        _number("id", primary_key=True),
        _text("received_at"),
        _text("source"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _text("sha256"),
        sa.Column("processed", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "quarantine",
        _number("id", primary_key=True),
        _number("notification_id"),
        _number("position"),
        _text("raw"),
        _text("error"),
        _text("at"),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        _text("chain"),
        _number("number"),
        _text("kind"),
        _text("at"),
        _text("actor"),
        _text("body"),
        _text("hash"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "chains",
        _text("chain", primary_key=True),
        _number("number"),
        _text("hash"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "seals",
        _number("number", primary_key=True),
        _text("at"),
        _number("last_seq"),
        _text("digest"),
        _text("hash"),
    )
    op.create_table(
        "evidence",
        _text("sha256", primary_key=True),
        _text("media_type"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _text("at"),
    )


def _create_indexes() -> None:
    op.create_index("episodes_of_fingerprint", "episodes", ["fingerprint", "id"])
    op.create_index("episodes_of_incident", "episodes", ["incident_id", "rule", "id"])
    _partial("firing_episodes_of_incident", "episodes", ["incident_id", "rule"], "status = 'firing'")
    _partial("one_firing_episode", "episodes", ["fingerprint"], "status = 'firing'", unique=True)
    op.create_index("incidents_by_status", "incidents", ["status", "id"])
    _partial("one_open_incident", "incidents", ["correlation_key"], "status != 'resolved'", unique=True)
    _partial("one_unfinished_run", "runs", ["incident_id", "rule"], "status != 'finished'", unique=True)
    op.create_index("runs_by_status", "runs", ["status", "id"])
    op.create_index("runs_of_incident", "runs", ["incident_id", "id"])
    op.create_index("runs_of_service", "runs", ["service", "id"])
    _partial("unfinished_runs_of_service", "runs", ["service"], "status != 'finished'")
    op.create_index("plans_of_run", "plans", ["run_id"])
    op.create_index("operations_of_plan", "operations", ["plan_id"])
    op.create_index("attempts_of_run", "attempts", ["run_id"])
    op.create_index("attempts_of_service", "attempts", ["service", "intent_at"])
    op.create_index("attempts_of_object", "attempts", ["object_id", "run_id"])
    op.create_index("approvals_by_status", "approvals", ["status", "id"])
    op.create_index("approvals_of_run", "approvals", ["run_id", "id"])
    _partial("one_pending_approval", "approvals", ["run_id"], "status = 'pending'", unique=True)
    op.create_index("timers_by_time", "timers", ["due_at"])
    _partial("waiting_messages", "messages", ["channel", "incident_id", "id"], "status = 'waiting'")
    _partial("unprocessed_notifications", "notifications", ["id"], "processed = 0")
    op.create_index("quarantine_of_notification", "quarantine", ["notification_id"])
    op.create_index("events_of_chain", "events", ["chain", "number"], unique=True)


def _create_triggers() -> None:
    for table in ("events", "seals"):
        _refuse(table, "update", "UPDATE", f"{table} are append-only")
        _refuse(table, "delete", "DELETE", f"{table} are append-only")
    _refuse("evidence", "update", "UPDATE", "evidence is never changed")
    _refuse(
        "notifications",
        "update",
        "UPDATE OF id, received_at, source, body, sha256",
        "notifications are kept as they came",
    )
