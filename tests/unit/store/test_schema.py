"""The schema is one, whichever way a database came to it, and it refuses what must never happen."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from remediator.model.words import ApprovalStatus, EpisodeStatus, IncidentStatus, RunStatus
from remediator.store import Store, StoreError
from remediator.store.database import MEMORY, open_writer
from remediator.store.schema import HEAD, migrate
from tests.unit.store.given import approval, episode, event, incident, put, run, saving

if TYPE_CHECKING:
    from remediator.store import Transaction
    from tests.unit.still_clock import StillClock


def shape(connection: sqlite3.Connection) -> dict[str, Any]:
    """Everything about tables, indexes and triggers that changes what a database does."""
    found: dict[str, Any] = {}
    objects = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    for kind, name, text in objects:
        if kind == "table":
            columns = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
            traits = ("AUTOINCREMENT" in text, "WITHOUT ROWID" in text)
            found[name] = ([column[1:] for column in columns], traits)
        elif kind == "index":
            columns = connection.execute(f"PRAGMA index_info({name})").fetchall()
            found[name] = ([column[2] for column in columns], "UNIQUE" in text, text.partition("WHERE")[2])
        else:
            found[name] = text
    return found


def test_migrations_make_the_same_schema_as_a_new_database_gets() -> None:
    with closing(open_writer(MEMORY)) as new, closing(sqlite3.connect(MEMORY)) as migrated:
        engine = create_engine("sqlite://", creator=lambda: migrated, poolclass=StaticPool)
        with engine.begin() as connection:
            migrate(connection, MEMORY)
        assert shape(migrated) == shape(new)
        assert migrated.execute("SELECT * FROM alembic_version").fetchall() == [(HEAD,)]


def test_a_database_of_an_older_version_is_migrated_when_it_is_opened(path: str, clock: StillClock) -> None:
    # There is no older version yet; what stands for one is a database that no migration has seen.
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('0000')")
        connection.commit()
    with pytest.raises(StoreError, match="the revision 0000"):
        Store.open(path, clock)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET actor = 'nobody'",
        "DELETE FROM events",
        "UPDATE seals SET digest = ''",
        "DELETE FROM seals",
        "UPDATE evidence SET content = x'00'",
        "UPDATE notifications SET body = x'00'",
        "UPDATE notifications SET source = ''",
    ],
)
async def test_the_record_cannot_be_changed(store: Store, statement: str) -> None:
    def fill(transaction: Transaction) -> None:
        transaction.save([event(incident())])
        transaction.add_evidence(b"text", "text/plain")
        transaction.seal()

    await store.write(fill)
    await store.add_notification(b"{}", "am")
    with pytest.raises(StoreError, match=r"append-only|never changed|as they came"):
        await store.write(lambda transaction: transaction._connection.execute(statement))


async def test_two_incidents_of_one_key_are_not_open_at_once(store: Store) -> None:
    await put(store, incident(1))
    with pytest.raises(StoreError, match=r"UNIQUE.*correlation_key"):
        await put(store, incident(2))
    await put(store, incident(1, status=IncidentStatus.RESOLVED), incident(2))


async def test_an_alert_has_one_open_episode(store: Store) -> None:
    await put(store, episode(1))
    with pytest.raises(StoreError, match=r"UNIQUE.*fingerprint"):
        await put(store, episode(2))
    await put(store, episode(1, status=EpisodeStatus.RESOLVED), episode(2))


async def test_a_rule_has_one_unfinished_run_in_an_incident(store: Store) -> None:
    await put(store, run(1))
    with pytest.raises(StoreError, match=r"UNIQUE.*rule"):
        await put(store, run(2))
    await put(store, run(1, status=RunStatus.FINISHED), run(2))


async def test_a_run_has_one_pending_approval(store: Store) -> None:
    await put(store, approval(1))
    with pytest.raises(StoreError, match=r"UNIQUE.*run_id"):
        await put(store, approval(2))
    await put(store, approval(1, status=ApprovalStatus.DENIED), approval(2))


async def test_the_events_of_a_refused_row_are_not_kept_either(store: Store) -> None:
    await put(store, incident(1))
    with pytest.raises(StoreError):
        await store.write(saving(event(run(5)), event(incident(2))))
    assert await store.read(lambda reader: len(reader.list_events())) == 1
    assert await store.read(lambda reader: reader.unfinished_runs()) == []
